package server

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/server/admin"
	"holt/server/apply"
	"holt/server/audit"
	"holt/server/auth"
	"holt/server/membership"
	"holt/server/watch"
	"holt/session"
	"holt/wire"
)

var errNotServing = errors.New("no leader: not serving")

// Server is one running member. Start makes it, Close ends it.
type Server struct {
	cfg         Config
	log         *zap.Logger
	clock       func() time.Time // time.Now, but in simulations
	started     time.Time
	wall        atomic.Int64 // ns: the clock's time less that since the start
	metrics     *Metrics
	auth        *auth.Registry
	words       *admin.Words
	audit       *audit.Log // nil if there is none
	processUser string     // whom the audit log names for what the member does itself
	buffers     bufferPool

	state   treeState
	machine *apply.Machine
	member  *quorum.Member
	opened  atomic.Pointer[quorum.Member] // member, for those who come before start has it
	peers   peers                         // the member, but in simulations
	watches *watch.Table
	lists   *listCache

	pipeline     pipeline
	commandFlags apply.Flags // what this member's settings ask of every command

	ensemble      atomic.Pointer[membership.Ensemble] // see members
	removed       atomic.Bool                         // it is no member any more
	leadership    atomic.Pointer[leadership]
	leaderChanged chan struct{}
	membersKick   chan struct{} // holds a token while a change of the members was not followed
	lostSince     atomic.Int64  // wall ms since when there is no leader, 0 while there is
	readOnlyMode  atomic.Bool   // read-only clients are served, unless there is a leader again
	ready         chan struct{}

	stoodStill atomic.Int64 // ms in which the ticker should have run and did not

	// Of the ticker goroutine alone.
	lastTick    int64 // uptimeMillis
	leadingTerm uint64
	nextReap    time.Time
	reapAfter   string // where the last round of reaping ended
	abandoned   abandonment

	waiting        atomic.Int64 // requests in the fifos of all connections
	largeBytes     atomic.Int64 // bytes of the large ones among them
	outstandingMax int
	connTokens     *tokenBucket

	trackerMu sync.Mutex // guards tracker; taken after the machine's lock
	tracker   *session.Tracker
	locals    *localSessions
	readOnlys *localSessions // of read-only mode
	formats   formats
	sessionID atomic.Int64 // last handed out

	// Of the apply goroutine alone.
	configured bool // the entry at hand has changed /zookeeper/config
	restored   bool // the entry at hand was a restore
	dirty      []*conn
	advance    []*conn
	answers    answers

	mu       sync.Mutex // guards what follows; nothing else is taken under it
	conns    map[*conn]struct{}
	sessions map[wire.SessionID]*conn // local connections by session
	perIP    map[string]int
	closing  bool
	ended    traffic // of connections that are gone
	// snapshotting: a snapshot is being taken.
	snapshotting bool
	// uploading: a snapshot to be restored is being taken in.
	uploading bool
	rebuilt   atomic.Pointer[rebuild] // of the staged snapshot; written by the apply goroutine alone

	dirs      dirSizes
	digests   digestLog
	durable   durability
	agreement agreement
	observed  observed
	clientsOn net.Listener   // for clients; guarded by mu once it is open, since a reconfig moves it
	listeners []net.Listener // others for clients
	secureOn  net.Listener   // the one of them for TLS, nil if there is none
	security  security
	metricsOn net.Listener  // nil if off
	adminOn   net.Listener  // nil if off, or taken
	http      []*admin.HTTP // of the two above
	commands  *admin.Commands
	control   *control // nil if off
	stop      chan struct{}
	fail      chan error
	closeOnce sync.Once
	closeErr  error
	wg        sync.WaitGroup
}

// watchMember ends the server when its member can go on no more.
func (s *Server) watchMember() {
	defer s.wg.Done()
	select {
	case err := <-s.member.Failed():
		s.failed(err)
	case <-s.stop:
	}
}

// failed reports the first failure after which this process must not go on.
func (s *Server) failed(err error) {
	select {
	case s.fail <- err:
		s.metrics.Failures.Inc()
		s.log.Error("member stops", zap.Error(err))
	default:
	}
}

// Failed receives the failure that ends this member, if there is one; the owner
// then calls Close.
func (s *Server) Failed() <-chan error { return s.fail }

// Ready is closed when this member has caught up with its first leader and
// serves clients.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// ClientAddr is the address of the client port, nil if there is none.
func (s *Server) ClientAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clientsOn == nil {
		return nil
	}
	return s.clientsOn.Addr()
}

// Dial connects a client in this process, over memory. The connection behaves
// like one over TCP from 127.0.0.1.
func (s *Server) Dial() (net.Conn, error) {
	client, srv := memoryPipe()
	if !s.admit(srv, portPlain) {
		return nil, errors.Join(errNotServing, client.Close())
	}
	return client, nil
}

// Close ends the member in order: no new connections, leadership handed over,
// connections ended, Raft stopped, apply finished, storage closed. It may be
// called twice and returns when all goroutines ended.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Server) close() error {
	var errs []error
	s.auditSelf(audit.ServerStop, audit.Invoked)
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	for _, l := range s.clientListeners() {
		errs = append(errs, ignoreClosed(l.Close()))
	}
	errs = append(errs, s.closeOperators())
	if s.control != nil {
		errs = append(errs, s.control.close())
	}
	close(s.stop)
	s.security.abandon()
	s.dropClients(everyone)
	if s.pipeline.srv != nil {
		s.pipeline.close()
	}
	if s.member != nil {
		errs = append(errs, s.member.Close())
	}
	s.dropClients(everyone)
	s.wg.Wait()
	s.security.close()
	s.dropRebuild()
	errs = append(errs, s.state.close(), s.closeAudit())
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) clientListeners() []net.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clientsOn == nil {
		return s.listeners
	}
	return append([]net.Listener{s.clientsOn}, s.listeners...)
}

func (s *Server) now() time.Time { return s.clock() }

// followClock notes what the clock says, as it may be set.
func (s *Server) followClock() { s.wall.Store(s.now().UnixNano() - int64(s.uptime())) }

// uptime is for measuring: it costs half of what now does.
func (s *Server) uptime() time.Duration { return time.Since(s.started) }

func (s *Server) uptimeMillis() int64 { return s.now().Sub(s.started).Milliseconds() }

// serving says whether clients are taken: there is a leader, or there was one a
// moment ago and a client had better wait here than go round in circles.
func (s *Server) serving() bool {
	if s.leadership.Load().leader != 0 {
		return true
	}
	since := s.lostSince.Load()
	limit := int64(s.cfg.SyncLimit) * int64(s.cfg.TickMillis)
	return since == 0 || s.now().UnixMilli()-since < limit
}

// readOnlyNow says whether this member serves read-only clients at present.
func (s *Server) readOnlyNow() bool {
	return s.readOnlyMode.Load() && s.leadership.Load().leader == 0
}

// nextSessionID hands out an id that no other member can hand out.
func (s *Server) nextSessionID() wire.SessionID { return wire.SessionID(s.sessionID.Add(1)) }

func (s *Server) sessionKnown(id wire.SessionID) bool {
	s.machine.RLock()
	defer s.machine.RUnlock()
	_, ok := s.machine.Sessions().Get(id)
	return ok
}
