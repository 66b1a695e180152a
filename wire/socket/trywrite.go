//go:build unix

package socket

import "syscall"

// TryWrite writes as much of b as the socket takes without waiting and returns
// how much that was. An error shows at the next write.
func TryWrite(raw syscall.RawConn, b []byte) (n int) {
	// The error is that of a closed socket: n tells all.
	_ = raw.Write(func(fd uintptr) bool {
		for n < len(b) {
			m, err := syscall.Write(int(fd), b[n:])
			if err == syscall.EINTR {
				continue
			}
			if err != nil || m <= 0 {
				break
			}
			n += m
		}
		return true // never wait
	})
	return n
}
