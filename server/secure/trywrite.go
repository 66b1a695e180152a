//go:build unix

package secure

import "syscall"

// tryWrite writes what the socket takes without waiting.
func tryWrite(socket syscall.RawConn, b []byte) {
	// The error is that of a closed socket, on which nothing is lost.
	_ = socket.Control(func(fd uintptr) {
		// Whether it was written nobody waits to hear.
		_, _ = syscall.Write(int(fd), b)
	})
}
