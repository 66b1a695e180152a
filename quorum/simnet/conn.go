package simnet

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// windowBytes is how much may be on its way in one direction.
const windowBytes = 256 << 10

// segment is what one write put on its way, or an end.
type segment struct {
	at   time.Time
	data []byte
	end  error // io.EOF or a reset
}

// pipe is one direction of a connection. All is guarded by the network's
// mutex.
type pipe struct {
	from, to string
	segs     []segment
	bytes    int
	lastAt   time.Time
	dead     error // what a write gets: the reading end has gone
}

// conn is one end of a connection.
type conn struct {
	h             *Host
	local, remote addr
	in, out       *pipe
	peer          *conn

	closed                      bool
	err                         error // from the end of in, once it was read
	readDeadline, writeDeadline time.Time
}

func newConns(a, b *Host, addrA, addrB addr) (*conn, *conn) {
	ab, ba := &pipe{from: a.name, to: b.name}, &pipe{from: b.name, to: a.name}
	ca := &conn{h: a, local: addrA, remote: addrB, in: ba, out: ab}
	cb := &conn{h: b, local: addrB, remote: addrA, in: ab, out: ba}
	ca.peer, cb.peer = cb, ca
	return ca, cb
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) opError(op string, err error) error {
	if err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "sim", Source: c.local, Addr: c.remote, Err: err}
}

// wait releases the lock until something has changed or t has come.
func (c *conn) waitLocked(t time.Time) {
	n := c.h.n
	changed := n.changed
	n.mu.Unlock()
	defer n.mu.Lock()
	if t.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// earlier returns the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n := c.h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.opError("read", net.ErrClosed)
		case c.err != nil:
			return 0, c.opError("read", c.err)
		case passed(c.readDeadline):
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		}
		var arrival time.Time
		if len(c.in.segs) > 0 && !n.linkLocked(c.in.from, c.in.to).Cut {
			s := &c.in.segs[0]
			if passed(s.at) {
				if s.end != nil {
					c.err = s.end
					continue
				}
				return c.takeLocked(s, b), nil
			}
			arrival = s.at
		}
		c.waitLocked(earlier(arrival, c.readDeadline))
	}
}

func (c *conn) takeLocked(s *segment, b []byte) int {
	k := copy(b, s.data)
	s.data = s.data[k:]
	c.in.bytes -= k
	if len(s.data) == 0 {
		c.in.segs = c.in.segs[1:]
	}
	c.h.n.changeLocked() // there is room in the window
	return k
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	n := c.h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	written := 0
	for {
		switch {
		case c.closed:
			return written, c.opError("write", net.ErrClosed)
		case c.out.dead != nil:
			return written, c.opError("write", c.out.dead)
		case c.err != nil && c.err != io.EOF:
			return written, c.opError("write", c.err)
		case passed(c.writeDeadline):
			return written, c.opError("write", os.ErrDeadlineExceeded)
		}
		if k := min(len(b), windowBytes-c.out.bytes); k > 0 {
			c.sendLocked(segment{data: append([]byte(nil), b[:k]...)})
			b, written = b[k:], written+k
		}
		if len(b) == 0 {
			return written, nil
		}
		c.waitLocked(c.writeDeadline)
	}
}

// sendLocked puts a segment on its way, never before an earlier one.
func (c *conn) sendLocked(s segment) {
	p := c.out
	s.at = time.Now().Add(c.h.n.delayLocked(p.from, p.to))
	if s.at.Before(p.lastAt) {
		s.at = p.lastAt
	}
	p.lastAt = s.at
	p.segs = append(p.segs, s)
	p.bytes += len(s.data)
	c.h.n.changeLocked()
}

// Close implements net.Conn. The peer reads what was written, then io.EOF.
func (c *conn) Close() error {
	c.h.n.mu.Lock()
	defer c.h.n.mu.Unlock()
	if c.closed {
		return nil
	}
	c.goneLocked(io.EOF)
	return nil
}

func (c *conn) resetLocked() {
	if !c.closed {
		c.goneLocked(syscall.ECONNRESET)
	}
}

// goneLocked ends this end. The peer's writes fail from when the end reaches
// it; until then they go nowhere.
func (c *conn) goneLocked(end error) {
	c.closed = true
	delete(c.h.conns, c)
	if end != io.EOF {
		// A reset overtakes what the kernel still held.
		c.out.segs, c.out.bytes = nil, 0
	}
	c.sendLocked(segment{end: end})
	if !c.h.n.linkLocked(c.out.from, c.out.to).Cut {
		c.in.dead = syscall.EPIPE
	}
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error { return c.setDeadlines(&t, &t) }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(&t, nil) }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(nil, &t) }

func (c *conn) setDeadlines(read, write *time.Time) error {
	c.h.n.mu.Lock()
	defer c.h.n.mu.Unlock()
	if c.closed {
		return c.opError("set deadline", net.ErrClosed)
	}
	if read != nil {
		c.readDeadline = *read
	}
	if write != nil {
		c.writeDeadline = *write
	}
	c.h.n.changeLocked()
	return nil
}
