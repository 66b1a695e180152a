package clientcfg

import (
	"errors"
	"net"

	"holt/server/secure"
)

// alertConn explains what a server says of the handshake after its end: in TLS 1.3 it judges a client's
// certificate when the client's side of the handshake is done, so that the refusal is what is read first.
type alertConn struct {
	net.Conn
	address string
}

// Read is the connection's, but that an alert of the server is a *HandshakeError.
func (c *alertConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	var op *net.OpError
	if err != nil && errors.As(err, &op) && op.Op == "remote error" {
		cause, remedy := secure.Explain(err)
		err = &HandshakeError{Address: c.address, Cause: cause, Remedy: remedy, err: err}
	}
	return n, err
}
