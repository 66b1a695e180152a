package secure

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/server/secure/revocation"
)

// Options of a Source.
type Options struct {
	// Logger takes a line for each reload; default: none is written.
	Logger *zap.Logger
	// Every is how often the files are looked at; default 1 s.
	Every time.Duration
	// Names are hosts that a client's certificate may name instead of the
	// client's own, where that is checked: those of the members. Called for each
	// handshake; nil: none.
	Names func() []string
	// Patience bounds how long a handshake waits for authorities to tell whether a certificate is
	// revoked, where that is asked; default 8 s.
	Patience time.Duration

	read readFile // tests
}

// Source is key and trust material, as the files have it at present.
type Source struct {
	settings Settings
	opts     Options
	current  atomic.Pointer[generation]
	watch    *watcher // nil if the files are not looked at

	revoked *revocation.Checker // nil if revocation is not asked about
	asking  context.Context     // ended by Abandon
	abandon context.CancelFunc
}

// generation is what one reading of the files gave. It never changes.
type generation struct {
	pairs  []tls.Certificate
	roots  *x509.CertPool // nil: those of the system
	server *tls.Config    // nil without a key
	client *tls.Config
}

var (
	errNoKey   = errors.New("no key store: set keyStore.location")
	errNoTrust = errors.New("certificates of clients are asked for, and there is no trust store: everybody with a certificate of a public authority would be let in; set trustStore.location, or clientAuth=none")
)

// Open reads the files. Close ends the looking at them.
func Open(settings Settings, opts Options) (*Source, error) {
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	if opts.Every <= 0 {
		opts.Every = time.Second
	}
	if opts.read == nil {
		opts.read = osReadFile
	}
	s := &Source{settings: settings, opts: opts}
	if settings.CRL || settings.OCSP {
		s.revoked = revocation.New(revocation.Options{OCSP: settings.OCSP, Patience: opts.Patience})
	}
	s.asking, s.abandon = context.WithCancel(context.Background())
	files := append(settings.KeyStore.files(), settings.TrustStore.files()...)
	// What the files are is noted before they are read: a change in between
	// is seen afterwards.
	seen := statFiles(files)
	g, err := s.load()
	if err != nil {
		return nil, err
	}
	s.current.Store(g)
	s.warnUntimely(g)
	if !settings.Fixed && len(files) > 0 {
		s.watch = startWatcher(s, files, seen)
	}
	return s, nil
}

// Check reads the files as Open does and says what is wrong with them.
func Check(settings Settings) error {
	settings.Fixed = true
	_, err := Open(settings, Options{})
	return err
}

// Abandon has the handshakes that wait for an authority fail, and those to come that would: for whoever is
// about to close his connections and waits for their end. It may be called twice, and on nil.
func (s *Source) Abandon() {
	if s != nil {
		s.abandon()
	}
}

// Revocation counts what was asked about revocation; false if nothing is, and on nil.
func (s *Source) Revocation() (revocation.Stats, bool) {
	if s == nil || s.revoked == nil {
		return revocation.Stats{}, false
	}
	return s.revoked.Stats(), true
}

// Close ends the source's goroutine and waits for it. Configurations that were
// handed out stay good. It may be called twice, and on nil.
func (s *Source) Close() {
	if s != nil && s.watch != nil {
		s.watch.close()
	}
}

// load makes a generation of the files as they are.
func (s *Source) load() (*generation, error) {
	g := &generation{}
	var err error
	if s.settings.KeyStore.Location != "" {
		if g.pairs, err = s.settings.KeyStore.keyPairs(s.opts.read); err != nil {
			return nil, err
		}
	}
	if s.settings.TrustStore.Location != "" {
		certs, err := s.settings.TrustStore.authorities(s.opts.read)
		if err != nil {
			return nil, err
		}
		g.roots = x509.NewCertPool()
		for _, c := range certs {
			g.roots.AddCert(c)
		}
	}
	if len(g.pairs) > 0 {
		g.server = s.serverConfig(g)
	}
	g.client = s.clientConfig(g)
	return g, nil
}

// Server returns the configuration for a listener. Each handshake uses the files
// as they were read last.
func (s *Source) Server() (*tls.Config, error) {
	if s.current.Load().server == nil {
		return nil, errNoKey
	}
	if s.settings.ClientAuth != None && s.settings.TrustStore.Location == "" {
		return nil, errNoTrust
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS10, // what counts is in the one below
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			g := s.current.Load()
			if !s.settings.CheckClientName || s.settings.AnyServerName {
				return g.server, nil
			}
			// Where the client is, only this call knows.
			c, from := g.server.Clone(), hello.Conn.RemoteAddr()
			c.SessionTicketsDisabled = true
			c.VerifyConnection = func(cs tls.ConnectionState) error {
				if err := s.checkClientName(cs, from); err != nil {
					return err
				}
				return s.checkClientRevoked(cs)
			}
			return c, nil
		},
	}, nil
}

func (s *Source) serverConfig(g *generation) *tls.Config {
	c := s.baseConfig(g)
	c.ClientCAs = g.roots
	c.VerifyConnection = s.checkClientRevoked // of resumed sessions, too
	switch s.settings.ClientAuth {
	case Need:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case Want:
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case None:
		c.ClientAuth = tls.NoClientCert
	}
	return c
}

func (s *Source) baseConfig(g *generation) *tls.Config {
	least, most := s.settings.versions()
	return &tls.Config{
		Certificates: g.pairs,
		MinVersion:   least, MaxVersion: most,
		CipherSuites: s.settings.CipherSuites,
		// Replies are small or answer somebody who waits for all of them.
		DynamicRecordSizingDisabled: true,
	}
}

// Client returns the configuration for a connection to host, of the files as
// they were read last.
func (s *Source) Client(host string) *tls.Config {
	return s.ClientContext(context.Background(), host)
}

// ClientContext is Client, but that a handshake that waits for an authority ends with ctx: crypto/tls does not
// hand on the context that the handshake itself is under.
func (s *Source) ClientContext(ctx context.Context, host string) *tls.Config {
	g := s.current.Load()
	c := g.client.Clone()
	c.ServerName = host
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		chains, err := s.verifyServer(g, cs.PeerCertificates, host)
		if err != nil {
			return err
		}
		return s.checkRevoked(ctx, chains)
	}
	return c
}

// clientConfig verifies by itself: crypto/tls does not look at a certificate's common
// name, and old certificates, as keytool makes them, name their host nowhere else.
func (s *Source) clientConfig(g *generation) *tls.Config {
	c := s.baseConfig(g)
	c.RootCAs = g.roots
	c.InsecureSkipVerify = true // verifyServer does it
	return c
}

// verifyServer is given host apart: the state of a connection has none for an address.
func (s *Source) verifyServer(g *generation, peer []*x509.Certificate, host string) ([][]*x509.Certificate, error) {
	chains, err := verifyChain(peer, g.roots, x509.ExtKeyUsageServerAuth)
	if err != nil || s.settings.AnyServerName {
		return chains, err
	}
	return chains, verifyHost(peer[0], host)
}

// checkClientRevoked is for a server: crypto/tls has verified the chains.
func (s *Source) checkClientRevoked(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return nil // judged by ClientAuth
	}
	return s.checkRevoked(s.asking, cs.VerifiedChains)
}

// checkRevoked waits for authorities if need be, under the source's and the caller's time.
func (s *Source) checkRevoked(ctx context.Context, chains [][]*x509.Certificate) error {
	if s.revoked == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.asking, cancel)()
	return s.revoked.Check(ctx, chains)
}

// unaskable is the subject of a certificate of this side that nobody could tell anything about, where
// revocation is checked; "" if there is none. The certificates of the other side look alike.
func (s *Source) unaskable() string {
	if s.revoked == nil {
		return ""
	}
	for _, p := range s.current.Load().pairs {
		listed := len(p.Leaf.CRLDistributionPoints) > 0 || s.settings.OCSP && len(p.Leaf.OCSPServer) > 0
		if !listed && !bytes.Equal(p.Leaf.RawIssuer, p.Leaf.RawSubject) {
			return DN(p.Leaf)
		}
	}
	return ""
}

// Expires is when the first of this side's certificates ends; false without one.
func (s *Source) Expires() (time.Time, bool) {
	var first time.Time
	for _, p := range s.current.Load().pairs {
		if first.IsZero() || p.Leaf.NotAfter.Before(first) {
			first = p.Leaf.NotAfter
		}
	}
	return first, !first.IsZero()
}

func verifyChain(peer []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage) ([][]*x509.Certificate, error) {
	if len(peer) == 0 {
		return nil, errors.New("the peer has no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range peer[1:] {
		between.AddCert(c)
	}
	chains, err := peer[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		return nil, &tls.CertificateVerificationError{UnverifiedCertificates: peer, Err: err}
	}
	return chains, nil
}

// checkClientName wants the certificate to name the client's address, or a host
// that Names or, if allowed, the DNS has for it. ZooKeeper: ZKTrustManager.
func (s *Source) checkClientName(cs tls.ConnectionState, from net.Addr) error {
	if len(cs.PeerCertificates) == 0 {
		return nil // judged by ClientAuth
	}
	cert := cs.PeerCertificates[0]
	host, _, err := net.SplitHostPort(from.String())
	if err != nil {
		return fmt.Errorf("address of the peer: %w", err)
	}
	names := []string{host}
	if s.opts.Names != nil {
		names = append(names, s.opts.Names()...)
	}
	for _, name := range names {
		if verifyHost(cert, name) == nil {
			return nil
		}
	}
	if s.settings.ReverseDNS && reverseMatches(cert, host) {
		return nil
	}
	return verifyHost(cert, host)
}
