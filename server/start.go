package server

import (
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/server/admin"
	"holt/server/apply"
	"holt/server/audit"
	"holt/server/auth"
	"holt/server/watch"
	"holt/session"
	"holt/wire"
	"holt/znode/store"
)

// Start opens the member's data, joins the ensemble and serves clients. It
// returns once the client port is open; Ready tells when there is a leader. A
// failure later on is reported by Failed.
func Start(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	cfg.Logger = cfg.Logger.With(zap.Uint64("member", cfg.MemberID))
	s := &Server{
		cfg:           cfg,
		log:           cfg.Logger.Named("server"),
		clock:         cfg.clock,
		started:       cfg.clock(),
		metrics:       newMetrics(),
		watches:       watch.New(),
		lists:         newListCache(listCacheBytes),
		leaderChanged: make(chan struct{}, 1),
		membersKick:   make(chan struct{}, 1),
		ready:         make(chan struct{}),
		tracker:       session.NewTracker(int64(cfg.TickMillis)),
		locals:        newLocalSessions(int64(cfg.TickMillis)),
		readOnlys:     newLocalSessions(int64(cfg.TickMillis)),
		conns:         make(map[*conn]struct{}),
		sessions:      make(map[wire.SessionID]*conn),
		perIP:         make(map[string]int),
		stop:          make(chan struct{}),
		fail:          make(chan error, 1),
	}
	s.outstandingMax = cfg.outstandingLimit()
	s.connTokens = newTokenBucket(cfg.ConnTokens, cfg.ConnTokenFill, time.Duration(cfg.ConnTokenFillMillis)*time.Millisecond, s.started)
	s.leadership.Store(&leadership{})
	s.followClock()
	s.sessionID.Store(int64(session.FirstID(cfg.MemberID, s.started.UnixMilli())))
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start() error {
	var err error
	if s.auth, err = auth.New(s.cfg.auth()); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	s.words = admin.NewWords(admin.WordsConfig{Source: s, Whitelist: s.cfg.FourLetterWords})
	s.commandFlags = commandFlags(&s.cfg)
	if err := s.openTLS(); err != nil {
		return err
	}
	if err := s.openPeerLogin(); err != nil {
		return err
	}
	// The port is taken first: that it is in use is the commonest mistake, and
	// nothing on disk should have changed before it is reported.
	if err := s.listen(); err != nil {
		return err
	}
	if err := s.secureAdmin(); err != nil {
		return err
	}
	if err := s.openAudit(); err != nil {
		return err
	}
	if err := s.openState(); err != nil {
		s.auditSelf(audit.ServerStart, audit.Failure)
		return err
	}
	s.auditSelf(audit.ServerStart, audit.Success)
	s.serveOperators()
	if s.cfg.Control {
		s.serveControl()
	}
	s.wg.Add(3)
	go s.runTicker()
	go func() { defer s.wg.Done(); s.pipeline.runSender() }()
	go func() { defer s.wg.Done(); s.pipeline.runProposer() }()
	for _, l := range s.clientListeners() {
		s.wg.Add(1)
		go s.accept(l, s.portKind(l))
	}
	s.wg.Add(1)
	go s.runMembers()
	return nil
}

// portKind says what the connections of a listener may begin with.
func (s *Server) portKind(l net.Listener) portKind {
	switch {
	case l == s.secureOn:
		return portSecure
	case s.cfg.TLS.Unified:
		return portEither
	case s.cfg.TLS.serves():
		return portPlainToo
	}
	return portPlain
}

func commandFlags(cfg *Config) (f apply.Flags) {
	if cfg.EnforceQuota {
		f |= apply.EnforceQuota
	}
	if cfg.SkipACL {
		f |= apply.SkipACL
	}
	if cfg.ExtendedTypes {
		f |= apply.TTLEnabled
	}
	if cfg.DigestDisabled {
		f |= apply.NoDigest
	}
	if cfg.SASLScheme {
		f |= apply.SASL
	}
	if cfg.TLS.x509() {
		f |= apply.X509
	}
	return f
}

func (s *Server) listen() error {
	if s.cfg.ClientAddr != Off {
		l, err := s.cfg.Listen(s.cfg.ClientAddr)
		if err != nil {
			return fmt.Errorf("open client port: %w", err)
		}
		s.clientsOn = l
	}
	if s.cfg.TLS.Addr != "" {
		l, err := s.cfg.Listen(s.cfg.TLS.Addr)
		if err != nil {
			return fmt.Errorf("open secure client port: %w", err)
		}
		s.listeners, s.secureOn = append(s.listeners, l), l
	}
	if s.cfg.MetricsAddr != Off {
		l, err := s.cfg.Listen(s.cfg.MetricsAddr)
		if err != nil {
			return fmt.Errorf("open metrics port: %w", err)
		}
		s.metricsOn = l
	}
	s.listenAdmin()
	return nil
}

// openState opens the tree and then the log, which brings the tree up to date.
func (s *Server) openState() error {
	var err error
	fs := s.cfg.FS
	for _, dir := range []string{s.cfg.DataDir, s.cfg.LogDir} {
		if s.cfg.DirsMustExist {
			if _, err := fs.Stat(dir); err != nil {
				return fmt.Errorf("data directory, which is not to be made: %w; mount or make it", err)
			}
		} else if err := fs.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make data directory: %w", err)
		}
	}
	s.state = treeState{fs: fs, dir: s.cfg.DataDir, opts: store.Options{FS: fs, CacheBytes: s.cfg.CacheBytes}, failed: s.failed}
	began := time.Now()
	if err := s.state.open(); err != nil {
		return fmt.Errorf("open tree: %w", err)
	}
	incarnation, err := s.nextIncarnation()
	if err != nil {
		return err
	}
	s.machine, err = apply.Open(s.state.store, apply.Config{Member: s.cfg.MemberID, Incarnation: incarnation, FormatMax: s.cfg.formatMax, Restorer: restorer{s}})
	if err != nil {
		return fmt.Errorf("read tree: %w", err)
	}
	s.metrics.OpenNanos.Observe(int64(time.Since(began)))
	s.durable.found(s.machine.LastZxid(), s.state.lastWritten())
	if err := s.readMembers(); err != nil {
		return err
	}
	s.pipeline.init(s, incarnation)
	cfg := s.quorumConfig()
	if cfg.Origin, err = apply.ReadOrigin(s.state.store); err != nil {
		return err
	}
	s.member, err = quorum.Open(cfg)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	s.peers = s.member
	s.opened.Store(s.member)
	s.wg.Add(1)
	go s.watchMember()
	return nil
}
