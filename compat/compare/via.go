package compare

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// via is how a connection is made. The zero value is plaintext on the port for it.
type via struct {
	tls     bool
	cert    string // "" comes without one
	version string // "1.2" or "1.3"; "" is whatever both sides like best
	port    string // "plain" or "secure"; "" is secure with tls, else plain
}

// take sets what token says, and reports false if it says nothing of this.
func (v *via) take(token string) bool {
	name, text, _ := strings.Cut(token, "=")
	switch {
	case token == "tls":
	case name == "cert" && text != "":
		v.cert = text
	case token == "version=1.2", token == "version=1.3":
		v.version = text
	case token == "port=plain", token == "port=secure":
		v.port = text
		return true
	default:
		return false
	}
	v.tls = true
	return true
}

// text writes the tokens that take reads.
func (v *via) text() []string {
	var b []string
	switch {
	case v.cert != "":
		b = append(b, "cert="+v.cert)
	case v.tls && v.version == "":
		b = append(b, "tls")
	}
	if v.version != "" {
		b = append(b, "version="+v.version)
	}
	if v.port != "" {
		b = append(b, "port="+v.port)
	}
	return b
}

// Secure is how clients come by TLS.
type Secure struct {
	// Dial is Side.Dial, to the ports for TLS.
	Dial func(ctx context.Context, member string) (net.Conn, error)
	// Client returns the configuration of a client with the certificate of that name, "" for
	// none. It is the caller's own.
	Client func(cert string) (*tls.Config, error)
}

// errNoHandshake: the server broke the handshake off. With which alert, if any, is not compared.
var errNoHandshake = errors.New("no TLS handshake")

// open opens a connection to a member, which is good for requests. The error is errNoHandshake if
// the member would not have it; in version 1.3 a client hears of that only with the first answer.
func (s *Side) open(ctx context.Context, member string, v via) (net.Conn, error) {
	if v == (via{}) {
		return s.Dial(ctx, member)
	}
	if s.Secure == nil {
		return nil, fmt.Errorf("%s has no TLS: begin the script with server tls", s.Name)
	}
	dial := s.Dial
	if v.port == "secure" || v.port == "" && v.tls {
		dial = s.Secure.Dial
	}
	if !v.tls {
		return dial(ctx, member)
	}
	config, err := s.Secure.Client(v.cert)
	if err != nil {
		return nil, fmt.Errorf("certificate %q: %w", v.cert, err)
	}
	switch v.version {
	case "1.2":
		config.MaxVersion = tls.VersionTLS12
	case "1.3":
		config.MinVersion = tls.VersionTLS13
	}
	nc, err := dial(ctx, member)
	if err != nil {
		return nil, err
	}
	c := tls.Client(nc, config)
	handshake, cancel := context.WithTimeout(ctx, s.answerTimeout())
	defer cancel()
	if err := c.HandshakeContext(handshake); err != nil {
		_ = nc.Close()
		if handshake.Err() != nil {
			return nil, fmt.Errorf("%s: TLS handshake: %w", s.Name, err)
		}
		return nil, fmt.Errorf("%w: %w", errNoHandshake, err)
	}
	return c, nc.SetDeadline(time.Time{})
}

// isAlert reports whether a read ended because the other side of TLS said that something is
// wrong.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
