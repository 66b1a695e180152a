package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/broker/auth"
	"holt/wire/keystore"
)

// handshakeTimeout bounds how long a client may take over the handshake of TLS.
const handshakeTimeout = 30 * time.Second

// TLS is what a listener, or a client, needs to encrypt and to know the other side.
type TLS struct {
	// Key is where the own key and certificates are; a client may have none.
	Key Store
	// Trust is where the authorities are; empty: those of the system.
	Trust Store
	// ClientAuth is none (also if empty), requested or required [ssl.client.auth].
	ClientAuth string
	// Protocols are TLSv1.2 and TLSv1.3, both if empty [ssl.enabled.protocols].
	Protocols []string
	// CipherSuites restricts those of TLS 1.2, by their standard names [ssl.cipher.suites].
	CipherSuites []string
	// Names makes users' names of certificates' subjects; nil: as they are.
	Names *auth.DNRules
	// AnyHostName, for a client: the certificate need not be for the host [an empty
	// ssl.endpoint.identification.algorithm].
	AnyHostName bool
}

// ServerConfig reads the files and makes the configuration of a server.
func (t *TLS) ServerConfig() (*tls.Config, error) {
	cfg, err := t.common()
	if err != nil {
		return nil, err
	}
	if len(cfg.Certificates) == 0 {
		return nil, errors.New("no key and certificate are given")
	}
	if cfg.ClientCAs, err = t.Trust.authorities(); err != nil {
		return nil, err
	}
	switch t.ClientAuth {
	case "", "none":
	case "requested":
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	case "required":
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	default:
		return nil, fmt.Errorf("client authentication %q is none of none, requested, required", t.ClientAuth)
	}
	return cfg, nil
}

// ClientConfig reads the files and makes the configuration of a client.
func (t *TLS) ClientConfig() (*tls.Config, error) {
	cfg, err := t.common()
	if err != nil {
		return nil, err
	}
	if cfg.RootCAs, err = t.Trust.authorities(); err != nil {
		return nil, err
	}
	if t.AnyHostName {
		roots := cfg.RootCAs
		// The chain is checked all the same, only not for whom it is.
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = func(s tls.ConnectionState) error {
			opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
			for _, c := range s.PeerCertificates[1:] {
				opts.Intermediates.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(opts)
			return err
		}
	}
	return cfg, nil
}

func (t *TLS) common() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
	if len(t.Protocols) > 0 {
		old, recent := slices.Contains(t.Protocols, "TLSv1.2"), slices.Contains(t.Protocols, "TLSv1.3")
		switch {
		case !old && !recent:
			return nil, fmt.Errorf("of the protocols %s none is TLSv1.2 or TLSv1.3", strings.Join(t.Protocols, ","))
		case !old:
			cfg.MinVersion = tls.VersionTLS13
		case !recent:
			cfg.MaxVersion = tls.VersionTLS12
		}
	}
	var err error
	if cfg.CipherSuites, err = suites(t.CipherSuites); err != nil {
		return nil, err
	}
	if cfg.Certificates, err = t.Key.certificates(); err != nil {
		return nil, err
	}
	return cfg, nil
}

func suites(names []string) ([]uint16, error) {
	var ids []uint16
	all := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, name := range names {
		i := slices.IndexFunc(all, func(s *tls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("cipher suite %s is not known", name)
		}
		ids = append(ids, all[i].ID)
	}
	return ids, nil
}

// tlsState is a listener's configuration, which Reload replaces.
type tlsState struct {
	from   TLS
	config atomic.Pointer[tls.Config]
	seen   string // what the files looked like; of whoever reloads
}

func loadTLS(t TLS) (*tlsState, error) {
	s := &tlsState{from: t, seen: t.look()}
	cfg, err := t.ServerConfig()
	if err != nil {
		return nil, err
	}
	s.config.Store(cfg)
	return s, nil
}

// look is a text that changes when a file does.
func (t *TLS) look() string {
	var b strings.Builder
	for _, name := range []string{t.Key.Location, t.Trust.Location} {
		if name == "" {
			continue
		}
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintf(&b, "%s %d %d;", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// Reload reads key and trust stores that have changed, for connections to come. Those
// that are there go on. A listener whose files cannot be read keeps what it has, and says
// so in the log once for each change. The server does this by itself every
// Config.ReloadMillis.
func (s *Server) Reload() {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	for _, l := range s.listeners {
		if l.tls == nil {
			continue
		}
		now := l.tls.from.look()
		if now == l.tls.seen {
			continue
		}
		l.tls.seen = now
		cfg, err := l.tls.from.ServerConfig()
		if err != nil {
			s.log.Warn("changed certificates are of no use; the old ones stay", zap.String("listener", l.Name), zap.Error(err))
			continue
		}
		l.tls.config.Store(cfg)
		s.log.Info("certificates reloaded", zap.String("listener", l.Name))
	}
}

// secure does the handshake of TLS, if the listener has it, and learns who the client
// is from its certificate.
func (c *Conn) secure() error {
	if c.listener.tls == nil {
		c.out.use(c.nc)
		return nil
	}
	conn := tls.Server(c.nc, c.listener.tls.config.Load())
	ctx, cancel := context.WithTimeout(c.ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return c.handshakeFailed(err)
	}
	c.touch()
	c.secured = conn
	c.frames.r = conn
	c.out.use(conn)
	if certs := conn.ConnectionState().PeerCertificates; len(certs) > 0 && c.listener.Protocol == SSL {
		name, err := keystore.Name(certs[0].RawSubject)
		if err != nil {
			return fmt.Errorf("subject of the client's certificate: %w", err)
		}
		user, ok := c.listener.TLS.Names.Map(name)
		if !ok {
			return fmt.Errorf("no rule makes a user of the certificate's subject %q", name)
		}
		p := auth.User(user)
		c.principal.Store(&p)
	}
	return nil
}

func (c *Conn) handshakeFailed(err error) error {
	if c.srv.closing.Load() {
		return nil
	}
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) {
		what := recognize(plain.RecordHeader[:])
		if what == "" && plain.RecordHeader[0] == 0 {
			what = plaintextOnTLS
		}
		if what != "" {
			return errors.Join(what, err)
		}
	}
	c.srv.metrics.AuthFailed.Inc()
	if c.srv.mistakes.tell("handshake", c.host) {
		c.log().Info("handshake of TLS failed", zap.Error(err))
	}
	return err
}

// sayGoodbye tells the client that the stream ends here on purpose.
func (c *Conn) sayGoodbye() {
	if c.secured == nil {
		return
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return // closed already
	}
	if err := c.secured.CloseWrite(); err != nil && !errors.Is(err, net.ErrClosed) {
		c.log().Debug("end of TLS", zap.Error(err))
	}
}
