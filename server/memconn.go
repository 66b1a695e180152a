package server

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// memoryBufferBytes is how much one side may write ahead of the other's reads,
// as the buffers of a socket allow.
const memoryBufferBytes = 256 << 10

// memoryConn is one end of a connection within the process. Unlike net.Pipe it
// buffers, so that a client which writes while the server writes does not lock
// up with it.
type memoryConn struct {
	in, out *memoryStream
}

// memoryPipe returns the client's and the server's end.
func memoryPipe() (client, server *memoryConn) {
	a, b := newMemoryStream(), newMemoryStream()
	return &memoryConn{in: a, out: b}, &memoryConn{in: b, out: a}
}

// memoryStream is one direction.
type memoryStream struct {
	mu          sync.Mutex
	changed     sync.Cond
	buf         []byte
	writeClosed bool // the writer is gone: EOF after buf
	readClosed  bool // the reader is gone: writes fail
	readLimit   memoryDeadline
	writeLimit  memoryDeadline
}

func newMemoryStream() *memoryStream {
	s := &memoryStream{}
	s.changed.L = &s.mu
	return s
}

// memoryDeadline wakes those that wait once its time has come.
type memoryDeadline struct {
	timer  *time.Timer
	passed bool
	set    int // tells a timer that was replaced while it fired
}

func (s *memoryStream) setDeadline(d *memoryDeadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.set++
	d.passed = false
	if !t.IsZero() {
		set := d.set
		d.timer = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if d.set == set {
				d.passed = true
				s.changed.Broadcast()
			}
		})
	}
	s.changed.Broadcast()
}

func (s *memoryStream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buf) == 0 {
		switch {
		case s.readClosed:
			return 0, net.ErrClosed
		case s.readLimit.passed:
			return 0, os.ErrDeadlineExceeded
		case s.writeClosed:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	if len(s.buf) == 0 {
		s.buf = nil
	}
	s.changed.Broadcast()
	return n, nil
}

func (s *memoryStream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		switch {
		case s.writeClosed:
			return n, net.ErrClosed
		case s.readClosed:
			return n, io.ErrClosedPipe
		case s.writeLimit.passed:
			return n, os.ErrDeadlineExceeded
		}
		room := memoryBufferBytes - len(s.buf)
		if room == 0 {
			s.changed.Wait()
			continue
		}
		k := min(room, len(p))
		s.buf = append(s.buf, p[:k]...)
		p, n = p[k:], n+k
		s.changed.Broadcast()
	}
	return n, nil
}

func (s *memoryStream) close(end *bool) {
	s.mu.Lock()
	*end = true
	s.changed.Broadcast()
	s.mu.Unlock()
}

func (c *memoryConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *memoryConn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close ends both directions; what the other side has not read yet it still can.
func (c *memoryConn) Close() error {
	c.in.close(&c.in.readClosed)
	c.out.close(&c.out.writeClosed)
	return nil
}

func (c *memoryConn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readLimit, t)
	c.out.setDeadline(&c.out.writeLimit, t)
	return nil
}

func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readLimit, t)
	return nil
}

func (c *memoryConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeLimit, t)
	return nil
}

// memoryAddr is what a client in this process is seen as: local, for the ip
// scheme too.
type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "127.0.0.1:0" }

func (c *memoryConn) LocalAddr() net.Addr  { return memoryAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr { return memoryAddr{} }
