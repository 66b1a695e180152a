package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/server/admin"
	"holt/server/peerlogin"
	"holt/server/secure"
	"holt/server/secure/revocation"
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

	// Peers are the stores for the connections between members [ssl.quorum.*].
	Peers secure.Settings
	// PeersOn has members connect to each other by TLS [sslQuorum].
	PeersOn bool
	// PeersEither accepts members that use TLS and members that do not, while an
	// ensemble is switched over [portUnification].
	PeersEither bool

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
	if t.peers() && !t.Peers.Given() {
		errs = append(errs, errors.New("TLS between members without a certificate: set ssl.quorum.keyStore.location"))
	}
	if t.peers() && t.Peers.TrustStore.Location == "" {
		errs = append(errs, errors.New("TLS between members, and nobody says whose certificates to believe: set ssl.quorum.trustStore.location"))
	}
	return errors.Join(errs...)
}

// peers says whether connections between members can be TLS.
func (t *TLS) peers() bool { return t.PeersOn || t.PeersEither }

// portKind is what the connections of a listener may begin with.
type portKind byte

const (
	portPlain    portKind = iota
	portPlainToo          // plaintext, counted since clients could use TLS
	portSecure            // TLS alone
	portEither            // the first bytes tell
)

// security is the server's part of TLS.
type security struct {
	source      *secure.Source // nil: clients cannot use TLS
	config      *tls.Config
	peerSource  *secure.Source   // nil: members connect in plaintext
	peerLogin   *peerlogin.Login // nil: members do not log in
	peers       *secure.Peers
	adminSource *secure.Source // nil: the AdminServer is in plaintext
	complaints  *secure.Complaints
	handshakes  atomic.Int64 // under way
}

func (s *Server) openTLS() error {
	s.security.complaints = secure.NewComplaints(s.log)
	if err := s.openPeerTLS(); err != nil {
		return fmt.Errorf("TLS between members: %w", err)
	}
	if !s.cfg.TLS.serves() {
		return nil
	}
	source, err := secure.Open(s.cfg.TLS.Clients, secure.Options{Logger: s.cfg.Logger.Named("tls"), Patience: s.patience()})
	if err != nil {
		return fmt.Errorf("TLS for clients: %w", err)
	}
	s.security.source = source
	if s.security.config, err = source.Server(); err != nil {
		return fmt.Errorf("TLS for clients: %w", err)
	}
	return nil
}

// patience is how long a handshake may wait for authorities to tell whether a certificate is revoked.
func (s *Server) patience() time.Duration {
	const most = 8 * time.Second
	if d := time.Duration(s.cfg.HandshakeTimeoutMillis) * time.Millisecond; d > 0 {
		return min(most, d)
	}
	return most
}

func (s *Server) openPeerTLS() error {
	t := &s.cfg.TLS
	if !t.peers() || len(s.cfg.Members) < 2 {
		return nil
	}
	log := s.cfg.Logger.Named("tls")
	source, err := secure.Open(t.Peers, secure.Options{Logger: log, Names: s.memberHosts, Patience: s.patience()})
	if err != nil {
		return err
	}
	s.security.peerSource = source
	s.security.peers, err = secure.NewPeers(source, secure.PeersOptions{Dial: t.PeersOn, AcceptBoth: t.PeersEither, Logger: log})
	return err
}

// memberHosts are the hosts of all members: what the certificate of one that connects
// has to name.
func (s *Server) memberHosts() []string {
	var addrs []string
	for _, m := range s.cfg.Members {
		addrs = append(addrs, m.PeerAddr)
	}
	select {
	case <-s.ready:
		// Those that came later are known by the log alone.
		for _, m := range s.member.Status().Members {
			addrs = append(addrs, m.Addr)
		}
	default:
	}
	return hostsOf(addrs)
}

// listenPeers and dialPeer are the configuration's, with TLS if it says so.
func (s *Server) listenPeers(addr string) (net.Listener, error) {
	l, err := s.cfg.Listen(addr)
	if err != nil || s.security.peers == nil {
		return l, err
	}
	return s.security.peers.Listen(l), nil
}

func (s *Server) dialPeer(ctx context.Context, addr string) (net.Conn, error) {
	if s.security.peers == nil {
		return s.cfg.Dial(ctx, addr)
	}
	return s.security.peers.Dial(ctx, addr, s.cfg.Dial)
}

// abandon ends the waiting of handshakes for the outside.
func (s *security) abandon() {
	s.source.Abandon()
	s.peerSource.Abandon()
	s.adminSource.Abandon()
}

func (s *security) close() {
	s.peerLogin.Close()
	s.source.Close()
	s.peerSource.Close()
	s.adminSource.Close()
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
	case c.port <= portPlainToo && hello:
		c.complain("the client uses TLS on the plaintext port", "have it connect to secureClientPort, or set client.portUnification=true")
		return first, errWrongPort
	case c.port == portSecure && !hello:
		m.HandshakesFailed.Inc()
		c.complain("the client does not use TLS", "have it use TLS, or connect to clientPort")
		return first, errWrongPort
	case !hello:
		c.countPlain()
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
	c.secured.Store(true)
	return nc.SetWriteDeadline(time.Time{})
}

// countPlain counts a connection without TLS, where there could be some. ZooKeeper:
// NettyServerCnxnFactory, with the default factory it counts none.
func (c *conn) countPlain() {
	if addr, err := netip.ParseAddr(c.host); err == nil && !addr.IsLoopback() {
		c.srv.metrics.PlainRemote.Inc()
	} else {
		c.srv.metrics.PlainLocal.Inc()
	}
}

// exportTLS shows what an operator has to watch.
func (s *Server) exportTLS(e exporter) {
	e.gauge("non_mtls_remote_conn_count", "connections without TLS from other machines, while clients may use it", s.metrics.PlainRemote.Load())
	e.gauge("non_mtls_local_conn_count", "connections without TLS from this machine, while clients may use it", s.metrics.PlainLocal.Load())
	exportEnd(e, "clients", s.security.source)
	exportEnd(e, "members", s.security.peerSource)
	exportEnd(e, "admin", s.security.adminSource)
	s.exportRevocation(e)
}

// exportRevocation adds up what is asked for clients, members and the AdminServer.
func (s *Server) exportRevocation(e exporter) {
	var sum revocation.Stats
	asks := false
	for _, source := range []*secure.Source{s.security.source, s.security.peerSource, s.security.adminSource} {
		r, ok := source.Revocation()
		asks = asks || ok
		sum.Passed += r.Passed
		sum.Revoked += r.Revoked
		sum.Undetermined += r.Undetermined
		sum.Downloads += r.Downloads
		sum.Failed += r.Failed
	}
	if !asks {
		return
	}
	e.counter("holt_tls_revocation_passed", "handshakes whose certificates were found not to be revoked", sum.Passed)
	e.counter("holt_tls_revocation_revoked", "handshakes refused for a revoked certificate", sum.Revoked)
	e.counter("holt_tls_revocation_undetermined", "handshakes refused because no authority told whether a certificate is revoked", sum.Undetermined)
	e.counter("holt_tls_revocation_downloads", "requests to authorities for CRLs and to OCSP responders", sum.Downloads)
	e.counter("holt_tls_revocation_downloads_failed", "those of them that brought nothing", sum.Failed)
}

func exportEnd(e exporter, whose string, source *secure.Source) {
	if source == nil {
		return
	}
	if end, ok := source.Expires(); ok {
		e.visit(&admin.Metric{Name: "holt_tls_certificate_end_seconds", Help: "Unix time at which this member's certificate ends, for clients, for members and for the AdminServer",
			Label: "for", LabelValue: whose, Kind: admin.Gauge, Value: float64(end.Unix())})
	}
}

// SecureClientAddr is the address of the port for TLS, nil if there is none.
func (s *Server) SecureClientAddr() net.Addr {
	if s.secureOn == nil {
		return nil
	}
	return s.secureOn.Addr()
}

// String shows what is set, for whoever prints a Config.
func (t TLS) String() string {
	var parts []string
	add := func(on bool, format string, args ...any) {
		if on {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	clients, peers := t.Clients.String(), t.Peers.String()
	add(t.Addr != "", "%s", t.Addr)
	add(t.Unified, "unified")
	add(clients != "", "clients{%s}", clients)
	add(t.HandshakesMax > 0, "handshakesMax=%d", t.HandshakesMax)
	add(t.PeersOn, "peersOn")
	add(t.PeersEither, "peersEither")
	add(peers != "", "peers{%s}", peers)
	add(t.X509, "x509")
	add(t.X509Super != "", "super=%q", t.X509Super)
	return strings.Join(parts, " ")
}
