package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"holt/server/admin"
	"holt/server/audit"
	"holt/server/secure"
	"holt/wire"
)

// This file opens the ports for operators and decides who may use what there.

// listenAdmin opens the AdminServer's port. Unlike the others it may be missing: a
// member serves clients whether or not it can be looked at, and two members of one
// machine have the same default.
//
// ZooKeeper: QuorumPeer.start, which warns as well; a standalone server of the original
// ends with code 4.
func (s *Server) listenAdmin() {
	if s.cfg.AdminAddr == Off {
		return
	}
	l, err := s.cfg.Listen(s.cfg.AdminAddr) // in plaintext; see secureAdmin
	if err != nil {
		s.log.Warn("no AdminServer: its port cannot be opened; set admin.serverPort, or admin.enableServer=false",
			zap.String("addr", s.cfg.AdminAddr), zap.Error(err))
		return
	}
	s.adminOn = l
}

// secureAdmin puts TLS on the AdminServer's port, if that is wanted: a member does not start
// with a plaintext one instead.
// ZooKeeper: JettyAdminServer, which takes the stores of the quorum too
func (s *Server) secureAdmin() error {
	if s.cfg.AdminTLS == AdminPlain || s.adminOn == nil {
		return nil
	}
	settings := s.cfg.TLS.Peers
	settings.ClientAuth, settings.CheckClientName = secure.None, false
	if s.cfg.AdminNeedClientAuth {
		settings.ClientAuth = secure.Need
	}
	source, err := secure.Open(settings, secure.Options{Logger: s.cfg.Logger.Named("tls"), Patience: s.patience()})
	if err != nil {
		return fmt.Errorf("TLS of the AdminServer: %w", err)
	}
	s.security.adminSource = source
	config, err := source.Server()
	if err != nil {
		return fmt.Errorf("TLS of the AdminServer: %w", err)
	}
	if s.cfg.AdminTLS == AdminSecure {
		s.adminOn = tls.NewListener(s.adminOn, config)
	} else {
		s.adminOn = secure.Either(s.adminOn, config)
	}
	return nil
}

// serveOperators serves the ports that are open. Whoever asks from here on finds the
// member complete.
func (s *Server) serveOperators() {
	log := s.cfg.Logger.Named("admin")
	if s.metricsOn != nil {
		s.http = append(s.http, admin.ServeHTTP(s.metricsOn, admin.HTTPConfig{Source: s, Metrics: true, BareMetrics: s.cfg.MetricsBare, Logger: log}))
	}
	if s.adminOn != nil {
		s.commands = admin.NewCommands(admin.CommandsConfig{Words: s.words, Authorize: s.authorize, Refused: s.adminRefused, Snapshots: s.snapshotConfig()})
		s.http = append(s.http, admin.ServeHTTP(s.adminOn, admin.HTTPConfig{
			Source:      s,
			Commands:    s.commands,
			CommandURL:  s.cfg.AdminCommandURL,
			IdleTimeout: time.Duration(s.cfg.AdminIdleTimeoutMillis) * time.Millisecond,
			Logger:      log,
		}))
	}
}

func (s *Server) snapshotConfig() admin.SnapshotConfig {
	cfg := admin.SnapshotConfig{Interval: time.Duration(max(s.cfg.AdminSnapshotIntervalMillis, 0)) * time.Millisecond}
	if !s.cfg.AdminSnapshotDisabled {
		cfg.Take = s.snapshotAsked
	}
	if !s.cfg.AdminRestoreDisabled {
		cfg.Restore = s.restoreAsked
	}
	return cfg
}

// closeOperators closes them, also when they were never served.
func (s *Server) closeOperators() error {
	var errs []error
	for _, h := range s.http {
		errs = append(errs, h.Close())
	}
	for _, l := range []net.Listener{s.metricsOn, s.adminOn} {
		if l != nil {
			errs = append(errs, ignoreClosed(l.Close()))
		}
	}
	return errors.Join(errs...)
}

// AdminAddr is the address of the AdminServer, nil if there is none.
func (s *Server) AdminAddr() net.Addr {
	if s.adminOn == nil {
		return nil
	}
	return s.adminOn.Addr()
}

// snapshotAsked serves the command snapshot.
func (s *Server) snapshotAsked(r *http.Request) (admin.Snapshot, error) {
	snapshot, err := s.takeSnapshot()
	s.auditAdmin(r, audit.Snapshot, err)
	return snapshot, err
}

// adminRefused tells of a request for a protected command of somebody who may not. Whoever tries passwords shows in
// the log, the audit log and auth_failed_count.
func (s *Server) adminRefused(r *http.Request, command, text string) {
	s.metrics.AuthFailed.Inc()
	s.auditAdmin(r, command, errors.New(text))
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return // a request that came over no socket
	}
	s.security.complaints.Tell("AdminServer: "+command+" refused", net.TCPAddrFromAddrPort(remote), text,
		"have it send an Authorization header, as digest super:PASSWORD, of somebody with all permissions on /")
}

// restoreAsked serves the command restore.
func (s *Server) restoreAsked(r *http.Request, snapshot io.Reader) (wire.Zxid, error) {
	zxid, err := s.restoreSnapshot(r.Context(), snapshot)
	s.auditAdmin(r, audit.Restore, err)
	return zxid, err
}

// authorize judges the credentials of a request for a command that copies or changes
// everything: it takes all permissions on the root.
// ZooKeeper: Commands.handleAuthentication, handleAuthorization
func (s *Server) authorize(r *http.Request, scheme string, credentials []byte) admin.Access {
	ids := s.identify(r, scheme, credentials)
	if len(ids) == 0 {
		return admin.NotAuthenticated
	}
	if s.cfg.SkipACL {
		return admin.Granted
	}
	s.machine.RLock()
	root, err := s.machine.Tree().Get("/")
	s.machine.RUnlock()
	if err != nil {
		s.failed(err)
		return admin.NotAuthorized
	}
	for _, perm := range []wire.Perms{wire.PermCreate, wire.PermRead, wire.PermWrite, wire.PermDelete, wire.PermAdmin} {
		if !s.commandFlags.Schemes().AllowedBy(root.ACL.Entries(), perm, ids) {
			return admin.NotAuthorized
		}
	}
	return admin.Granted
}

// identify returns the identities that the credentials of a request prove, none if they
// prove nothing.
func (s *Server) identify(r *http.Request, scheme string, credentials []byte) []wire.Identity {
	if scheme == "ip" {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return nil
		}
		return []wire.Identity{{Scheme: "ip", ID: host}}
	}
	if scheme == "x509" {
		return s.identifyCertificate(r)
	}
	ids, code := s.auth.Authenticate(scheme, credentials)
	if code != wire.OK {
		return nil
	}
	return ids
}

// identifyCertificate returns the identities of the certificate that the client has shown.
func (s *Server) identifyCertificate(r *http.Request) []wire.Identity {
	certs := admin.PeerCertificates(r)
	if len(certs) == 0 || !s.cfg.TLS.x509() {
		return nil
	}
	ids, code := s.auth.Certificate(secure.DN(certs[0]))
	if code != wire.OK {
		return nil
	}
	return ids
}

// durability remembers which state was last made durable, and when.
type durability struct {
	mu   sync.Mutex
	zxid wire.Zxid
	at   time.Time
}

func (d *durability) found(zxid wire.Zxid, at time.Time) {
	d.mu.Lock()
	d.zxid, d.at = zxid, at
	d.mu.Unlock()
}

func (d *durability) last() (wire.Zxid, time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.zxid, d.at
}

// Members implements admin.Source.
func (s *Server) Members() []admin.Member {
	if s.cfg.Standalone() {
		return nil
	}
	var list []admin.Member
	for _, m := range s.members().Servers {
		show := admin.Member{ID: m.ID, Observer: m.Observer, Host: m.Host, QuorumPort: m.QuorumPort, ElectionPort: m.ElectionPort}
		if m.ClientPort != 0 {
			show.ClientAddr = net.JoinHostPort(m.ClientHost, strconv.Itoa(m.ClientPort))
		}
		list = append(list, show)
	}
	return list
}

// Observers implements admin.Source.
func (s *Server) Observers() []admin.ObserverConnection {
	if !s.leadership.Load().self {
		return nil
	}
	match := map[uint64]uint64{}
	for _, p := range s.member.Status().Peers {
		match[p.ID] = p.Match
	}
	var list []admin.ObserverConnection
	for _, m := range s.Members() {
		if !m.Observer {
			continue
		}
		link := s.member.PeerLink(m.ID)
		if link.Remote == "" {
			continue
		}
		requests, zxid := s.observed.of(m.ID, match[m.ID])
		list = append(list, admin.ObserverConnection{ID: m.ID, Requests: requests, Zxid: zxid, Remote: link.Remote, Established: link.Since,
			Queued: link.Queued, QueuedBytes: link.QueuedBytes, Received: link.Received, Sent: link.Sent})
	}
	return list
}

// ResetObserverStats implements admin.Source.
func (s *Server) ResetObserverStats() {
	s.member.ResetPeerLinks()
	s.observed.reset()
}
