package secure

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one side of a TLS connection whose Close does not wait for the peer.
type Conn struct {
	*tls.Conn
	raw *rawConn
}

// Server makes the server's side on nc, from which prefix has been read already.
// It takes nc over. The handshake is made by the first Read or Write, or Handshake.
func Server(nc net.Conn, prefix []byte, c *tls.Config) *Conn {
	raw := newRawConn(nc, prefix)
	return &Conn{tls.Server(raw, c), raw}
}

// Client makes the client's side on nc, which it takes over.
func Client(nc net.Conn, c *tls.Config) *Conn {
	raw := newRawConn(nc, nil)
	return &Conn{tls.Client(raw, c), raw}
}

// Read returns what has arrived, of several records if they are in memory:
// a client that sends its requests one by one has them answered together, as
// without TLS. crypto/tls returns one record at a time.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n == 0 || err != nil {
		return n, err
	}
	c.raw.noWait = true
	for n < len(b) {
		m, err := c.Conn.Read(b[n:])
		n += m
		if err != nil {
			break // errNoWait, or what the next Read says again
		}
	}
	c.raw.noWait = false
	return n, nil
}

// errNoWait is for crypto/tls, which goes on after an error that is temporary.
var errNoWait net.Error = noWait{}

type noWait struct{}

func (noWait) Error() string   { return "nothing has arrived" }
func (noWait) Timeout() bool   { return true }
func (noWait) Temporary() bool { return true }

// Close tells the peer that this is the end, if that can be written at once,
// and closes the connection. Reads and writes under way end.
//
// crypto/tls would wait up to 5 s for the peer to take it, and longer for a write
// that the peer holds up.
func (c *Conn) Close() error {
	c.raw.closing.Store(true)
	// What waits in a write gives up its lock, which the close below needs.
	if err := c.raw.Conn.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		return c.raw.Conn.Close() // closed before
	}
	return c.Conn.Close()
}

// rawConn is the connection below TLS.
type rawConn struct {
	net.Conn
	prefix  []byte          // read before TLS began, still to be read
	socket  syscall.RawConn // nil if it cannot be written to without waiting
	closing atomic.Bool
	noWait  bool // Read returns errNoWait; the reader's
}

func newRawConn(nc net.Conn, prefix []byte) *rawConn {
	r := &rawConn{Conn: nc, prefix: prefix}
	if c, ok := nc.(syscall.Conn); ok {
		r.socket, _ = c.SyscallConn() // without it the last alert is not sent
	}
	return r
}

func (r *rawConn) Read(b []byte) (int, error) {
	if len(r.prefix) > 0 {
		n := copy(b, r.prefix)
		if r.prefix = r.prefix[n:]; len(r.prefix) == 0 {
			r.prefix = nil
		}
		return n, nil
	}
	if r.noWait {
		return 0, errNoWait
	}
	return r.Conn.Read(b)
}

// Write sends b; while closing as much of it as there is room for. TLS wants to
// hear that it was all.
func (r *rawConn) Write(b []byte) (int, error) {
	if !r.closing.Load() {
		return r.Conn.Write(b)
	}
	if r.socket != nil {
		tryWrite(r.socket, b)
	}
	return len(b), nil
}

// SetWriteDeadline is not for a connection that is closing: see Close.
func (r *rawConn) SetWriteDeadline(t time.Time) error {
	if r.closing.Load() {
		return nil
	}
	return r.Conn.SetWriteDeadline(t)
}
