package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/server/secure"
	"holt/wire"
)

// TLS is the part of Config that is about it. The zero value: none is used.
type TLS struct {
	// Addr is the host:port for clients that use TLS; default none
	// [secureClientPortAddress, secureClientPort].
	Addr string
	// Unified lets clients use TLS on ClientAddr too, or not
	// [client.portUnification].
	Unified bool
	// Clients are the stores for clients [ssl.*].
	Clients secure.Settings
	// HandshakesMax bounds the handshakes under way; one too many is closed.
	// Default: no bound [netty.server.outstandingHandshake.limit].
	HandshakesMax int

	// X509 lets ACLs name subjects of certificates even if this member's clients have no way
	// to show theirs; so it is, too, with Addr or Unified
	// [authProvider.N=...X509AuthenticationProvider].
	X509 bool
	// X509Super is the subject of the certificate whose owner may do everything
	// [X509AuthenticationProvider.superUser].
	X509Super string
}

// serves says whether clients can use TLS.
func (t *TLS) serves() bool { return t.Addr != "" || t.Unified }

// x509 says whether the scheme is known.
func (t *TLS) x509() bool { return t.X509 || t.serves() }

func (t *TLS) validate() error {
	var errs []error
	if t.Addr != "" {
		if err := validateAddr(t.Addr); err != nil {
			errs = append(errs, fmt.Errorf("TLS.Addr: %w", err))
		}
	}
	if t.serves() && !t.Clients.Given() {
		errs = append(errs, errors.New("TLS for clients without a certificate: set ssl.keyStore.location"))
	}
	if t.serves() && t.Clients.ClientAuth != secure.None && t.Clients.TrustStore.Location == "" {
		errs = append(errs, errors.New("certificates of clients are asked for, and nobody says whose to believe: set ssl.trustStore.location, or ssl.clientAuth=none"))
	}
	return errors.Join(errs...)
}

// portKind is what the connections of a listener may begin with.
type portKind byte

const (
	portPlain  portKind = iota
	portSecure          // TLS alone
	portEither          // the first bytes tell
)

// security is the server's part of TLS.
type security struct {
	source     *secure.Source // nil: clients cannot use TLS
	config     *tls.Config
	complaints *secure.Complaints
	handshakes atomic.Int64 // under way
}

func (s *Server) openTLS() error {
	s.security.complaints = secure.NewComplaints(s.log)
	if !s.cfg.TLS.serves() {
		return nil
	}
	source, err := secure.Open(s.cfg.TLS.Clients, secure.Options{Logger: s.cfg.Logger.Named("tls")})
	if err != nil {
		return fmt.Errorf("TLS for clients: %w", err)
	}
	s.security.source = source
	if s.security.config, err = source.Server(); err != nil {
		return fmt.Errorf("TLS for clients: %w", err)
	}
	return nil
}

var (
	errWrongPort         = errors.New("TLS on the plaintext port, or the other way round")
	errTooManyHandshakes = errors.New("more TLS handshakes under way than netty.server.outstandingHandshake.limit")
)

// secure makes the TLS handshake if the connection is to have one, and returns
// the bytes that the client's first request begins with. first is what the
// connection began with. Called by the reader before anything else.
func (c *conn) secure(first [4]byte) ([4]byte, error) {
	hello := secure.Hello(first)
	m := c.srv.metrics
	switch {
	case c.port == portPlain && hello:
		c.complain("the client uses TLS on the plaintext port", "have it connect to secureClientPort, or set client.portUnification=true")
		return first, errWrongPort
	case c.port == portSecure && !hello:
		m.HandshakesFailed.Inc()
		c.complain("the client does not use TLS", "have it use TLS, or connect to clientPort")
		return first, errWrongPort
	case !hello:
		return first, nil
	}
	if err := c.shakeHands(); err != nil {
		m.HandshakesFailed.Inc()
		m.AuthFailed.Inc()
		return first, err
	}
	return c.frames.Peek4()
}

func (c *conn) complain(cause, remedy string) {
	c.srv.security.complaints.Tell("client connection refused", c.nc.RemoteAddr(), cause, remedy)
}

// shakeHands puts TLS between the connection and its socket.
func (c *conn) shakeHands() error {
	sec := &c.srv.security
	n := sec.handshakes.Add(1)
	defer sec.handshakes.Add(-1)
	if limit := c.srv.cfg.TLS.HandshakesMax; limit > 0 && n > int64(limit) {
		c.srv.metrics.HandshakesExceeded.Inc()
		c.complain(errTooManyHandshakes.Error(), "raise it, or let clients come back later")
		return errTooManyHandshakes
	}
	// What was read so far is the beginning of the handshake; the deadline for reading
	// is set, that for writing is ours.
	nc := secure.Server(c.nc, c.frames.Rest(), sec.config)
	if d := c.srv.cfg.HandshakeTimeoutMillis; d > 0 {
		if err := nc.SetWriteDeadline(time.Now().Add(time.Duration(d) * time.Millisecond)); err != nil {
			return err
		}
	}
	remote := c.nc.RemoteAddr()
	c.nc = nc
	c.out.upgrade(nc)
	if err := nc.Handshake(); err != nil {
		sec.complaints.Handshake("client connection refused: TLS handshake failed", remote, err)
		return err
	}
	c.frames = wire.NewFrameReader(nc, c.srv.cfg.MaxFrame)
	if certs := nc.ConnectionState().PeerCertificates; len(certs) > 0 {
		c.subject = secure.DN(certs[0])
		if ids, code := c.srv.auth.Certificate(c.subject); code != wire.OK || !c.addIdentities(ids) {
			return errors.New("the subject of the certificate is too long")
		}
		c.srv.log.Debug("client showed a certificate", zap.String("remote", c.remote), zap.String("subject", c.subject))
	}
	return nc.SetWriteDeadline(time.Time{})
}

// SecureClientAddr is the address of the port for TLS, nil if there is none.
func (s *Server) SecureClientAddr() net.Addr {
	if s.secureOn == nil {
		return nil
	}
	return s.secureOn.Addr()
}
