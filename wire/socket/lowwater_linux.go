package socket

import (
	"io"
	"net"
	"os"
	"syscall"
)

const (
	// lowWaterMin is from how many bytes on the two more system calls are worth it.
	lowWaterMin = 128 << 10
	// lowWaterMax is how many bytes have to have arrived for a reader to be woken that
	// waits for as many. More would leave the sender less time to fill the buffer again.
	lowWaterMax = 256 << 10
)

// readLowWater reads b with the socket's low-water mark (SO_RCVLOWAT, which Linux heeds in
// epoll since 4.18) at what is missing; ok is false if r is no socket. The mark cannot
// make it wait for ever: the system wakes it as well at the stream's end and when the
// buffer has no room for as much.
func readLowWater(r io.Reader, b []byte, arrived func()) (n int, err error, ok bool) {
	tcp, ok := r.(*net.TCPConn)
	if !ok {
		return 0, nil, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err, true
	}
	mark := 1
	waitErr := raw.Read(func(fd uintptr) bool {
		for n < len(b) {
			m, e := syscall.Read(int(fd), b[n:])
			switch {
			case e == syscall.EINTR:
			case e == syscall.EAGAIN:
				mark = raiseMark(int(fd), mark, len(b)-n)
				return false
			case e != nil:
				err = os.NewSyscallError("read", e)
				return true
			case m == 0:
				err = io.EOF
				return true
			default:
				n += m
				if arrived != nil && m >= arrivedMin {
					arrived()
				}
			}
		}
		return true
	})
	if err == nil {
		err = waitErr
	}
	if mark != 1 {
		// Where that fails the connection is closed, and the error comes at the next read.
		_ = raw.Control(func(fd uintptr) { setMark(int(fd), 1) })
	}
	return n, ended(n, len(b), err), true
}

// raiseMark sets the mark to what is missing, and returns it.
func raiseMark(fd, mark, missing int) int {
	want := min(missing, lowWaterMax)
	if want == mark || !setMark(fd, want) {
		return mark
	}
	return want
}

func setMark(fd, n int) bool {
	return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n) == nil
}
