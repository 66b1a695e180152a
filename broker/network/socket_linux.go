package network

import (
	"io"
	"net"
	"syscall"
)

// sendFile sends at most n bytes of a file from off on, and at least one.
func sendFile(raw syscall.RawConn, fd uintptr, off int64, n int) (sent int, err error) {
	waitErr := raw.Write(func(sock uintptr) bool {
		for sent < n {
			m, e := syscall.Sendfile(int(sock), int(fd), &off, n-sent)
			switch {
			case e == syscall.EINTR:
			case e == syscall.EAGAIN:
				return sent > 0 // waits only if nothing was sent, so that progress shows
			case e != nil:
				err = e
				return true
			case m == 0:
				err = io.ErrUnexpectedEOF // the file is shorter than it was
				return true
			default:
				sent += m
			}
		}
		return true
	})
	if sent > 0 {
		return sent, nil // an error comes again
	}
	if err == nil {
		err = waitErr
	}
	return 0, err
}

// sendMore writes b and says that more follows at once.
func sendMore(raw syscall.RawConn, _ net.Conn, b []byte) (err error) {
	waitErr := raw.Write(func(sock uintptr) bool {
		for len(b) > 0 {
			n, e := syscall.SendmsgN(int(sock), b, nil, nil, syscall.MSG_MORE|syscall.MSG_NOSIGNAL)
			switch {
			case e == syscall.EINTR:
			case e == syscall.EAGAIN:
				return false
			case e != nil:
				err = e
				return true
			default:
				b = b[n:]
			}
		}
		return true
	})
	if err == nil {
		err = waitErr
	}
	return err
}

const haveSendfile = true
