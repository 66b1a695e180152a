package secure

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
)

// Either returns a listener whose connections are TLS by c if they begin like that, and
// plaintext otherwise. Closing it closes l. Accepting waits for no connection's first bytes:
// the first Read does, under the deadline that its caller has set. It is for servers that read
// before they write, as those of HTTP.
func Either(l net.Listener, c *tls.Config) net.Listener { return &eitherListener{l, c} }

type eitherListener struct {
	net.Listener
	config *tls.Config
}

func (l *eitherListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &EitherConn{Conn: nc, config: l.config}, nil
}

// EitherConn is a connection of Either's. Reads come from one goroutine at a time; the other
// methods may be called meanwhile.
type EitherConn struct {
	net.Conn // the socket
	config   *tls.Config
	inner    atomic.Pointer[net.Conn] // nil until the first bytes have come
}

// Read waits for the first bytes, and for the handshake if they begin one.
func (e *EitherConn) Read(b []byte) (int, error) {
	if inner := e.inner.Load(); inner != nil {
		return (*inner).Read(b)
	}
	var first [4]byte
	n, err := io.ReadFull(e.Conn, first[:])
	if n == 0 {
		return 0, err
	}
	var inner net.Conn = newRawConn(e.Conn, append([]byte(nil), first[:n]...))
	if n == len(first) && Hello(first) {
		inner = Server(e.Conn, first[:], e.config)
	}
	e.inner.Store(&inner)
	return inner.Read(b)
}

// Write writes as the connection was found to be; in plaintext before that.
func (e *EitherConn) Write(b []byte) (int, error) {
	if inner := e.inner.Load(); inner != nil {
		return (*inner).Write(b)
	}
	return e.Conn.Write(b)
}

// Close closes the connection. It may be called twice.
func (e *EitherConn) Close() error {
	if inner := e.inner.Load(); inner != nil {
		return (*inner).Close()
	}
	return e.Conn.Close()
}

// TLS returns what is known of the other side, false if the connection is plaintext, or is not
// known to be otherwise yet.
func (e *EitherConn) TLS() (tls.ConnectionState, bool) {
	if inner := e.inner.Load(); inner != nil {
		if c, ok := (*inner).(*Conn); ok {
			return c.ConnectionState(), true
		}
	}
	return tls.ConnectionState{}, false
}
