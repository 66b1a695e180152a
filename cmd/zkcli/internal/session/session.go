package session

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"holt/wire"
	"holt/wire/client"
)

// Config is how a session finds its servers.
type Config struct {
	// Servers are host:port, tried in random order. At least one.
	Servers []string
	// Chroot stands in front of every path; "" is none.
	Chroot string
	// Timeout is the session's timeout to ask for; the server may grant another one. It
	// also bounds how long making a link may take, divided by the number of servers.
	Timeout time.Duration
	// ReadOnly accepts a server that has lost its quorum, while none better is found.
	ReadOnly bool
	// Dial makes a network connection; nil is TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Login, if not nil, logs each link in by SASL before anything else is sent over it. After a
	// *client.LoginError the session ends as AuthFailed.
	Login func(ctx context.Context, address string, conn *client.Conn) error
	// OnEvent is told of every event, one at a time. It must not wait for a request of
	// this session. May be nil.
	OnEvent func(Event)
}

// Session is one session and its present link. The zero value is not usable.
type Session struct {
	cfg     Config
	root    chroot
	cancel  context.CancelFunc // ends run
	stopped chan struct{}      // run has ended

	// eventMu is held while an event is delivered, so that they stay in order. It is
	// taken before mu.
	eventMu    sync.Mutex
	eventState EventState // of the last event; guarded by eventMu

	probing sync.Mutex // held while servers are asked whether they know pages; before mu

	mu       sync.Mutex
	state    State
	link     *link         // nil while there is none
	changed  chan struct{} // closed and replaced when state, link or failures change
	failures int           // attempts that failed, ever
	watches  watchTable
	auth     []wire.AuthPacket // credentials to hand in on each link
	identity identity
	closing  bool
	pages    answer // whether servers know pages of children
	lists    int    // of children that were asked for
}

// identity is what a server needs to know to attach a new link to the session.
type identity struct {
	session client.Session
	timeout time.Duration // as granted
	zxid    wire.Zxid     // highest seen
	// writable: a server with a quorum knows the session. Before that the id is of a
	// read-only server's making and means nothing elsewhere.
	writable bool
}

// Open starts a session and returns at once, before there is a link.
func Open(cfg Config) *Session {
	if cfg.Dial == nil {
		var d net.Dialer
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", address)
		}
	}
	cfg.Servers = slices.Clone(cfg.Servers)
	rand.Shuffle(len(cfg.Servers), func(i, j int) {
		cfg.Servers[i], cfg.Servers[j] = cfg.Servers[j], cfg.Servers[i]
	})
	ctx, cancel := context.WithCancel(context.Background())
	s := &Session{
		cfg: cfg, root: chroot(cfg.Chroot), cancel: cancel, stopped: make(chan struct{}),
		eventState: EventDisconnected, state: Connecting, changed: make(chan struct{}), watches: newWatchTable(),
	}
	go s.run(ctx)
	return s
}

// State returns the present state.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// ID returns the id of the session, 0 before a server gave it one.
func (s *Session) ID() wire.SessionID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.identity.session.ID
}

// WaitLinked waits for a link. It gives up when ctx ends, when the session has
// ended, or after every server was tried in vain, and then returns an *Error.
func (s *Session) WaitLinked(ctx context.Context) error {
	_, err := s.awaitLink(ctx, len(s.cfg.Servers))
	return err
}

// WaitLinkedLong is WaitLinked that lets servers be tried again and again.
func (s *Session) WaitLinkedLong(ctx context.Context) error {
	const noBound = 1 << 30
	_, err := s.awaitLink(ctx, noBound)
	return err
}

// awaitLink waits for a link, until tries attempts have failed.
func (s *Session) awaitLink(ctx context.Context, tries int) (*link, error) {
	s.mu.Lock()
	last := s.failures + tries
	for {
		switch {
		case s.state == AuthFailed:
			s.mu.Unlock()
			return nil, &Error{Code: wire.ErrAuthFailed}
		case s.state == Closed || s.closing:
			s.mu.Unlock()
			return nil, &Error{Code: wire.ErrSessionExpired}
		case s.link != nil:
			l := s.link
			s.mu.Unlock()
			return l, nil
		case s.failures >= last:
			s.mu.Unlock()
			return nil, &Error{Code: wire.ErrConnectionLoss}
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		s.mu.Lock()
	}
}

// updateLocked wakes those who wait for a change. The caller holds mu.
func (s *Session) updateLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Close ends the session at the server, so that its ephemeral nodes go away, and
// delivers the event of that. It returns when nothing of it runs any more. Closing
// a session that has ended does nothing.
func (s *Session) Close(ctx context.Context) {
	s.mu.Lock()
	if !s.state.Alive() || s.closing {
		s.mu.Unlock()
		<-s.stopped
		return
	}
	s.closing = true
	l := s.link
	s.updateLocked()
	s.mu.Unlock()
	if l != nil {
		l.end(ctx)
	}
	s.cancel()
	<-s.stopped
	s.setState(Closed, EventClosed)
}

// Abandon ends the link and everything that runs, and leaves the session to expire
// at the server, with its ephemeral nodes. No event tells of it.
func (s *Session) Abandon() {
	s.cancel()
	<-s.stopped
	s.mu.Lock()
	s.state = Closed
	s.updateLocked()
	s.mu.Unlock()
}

// setState changes the state and delivers the event of it.
func (s *Session) setState(state State, event EventState) {
	s.eventMu.Lock()
	defer s.eventMu.Unlock()
	s.mu.Lock()
	s.state = state
	s.updateLocked()
	s.mu.Unlock()
	s.deliverLocked(Event{State: event, Type: wire.EventNone, Zxid: -1})
}

// deliverLocked hands an event out, unless it says again what the one before it said
// of the state. The caller holds eventMu.
func (s *Session) deliverLocked(e Event) {
	if e.Type == wire.EventNone && e.State == s.eventState {
		return
	}
	s.eventState = e.State
	if s.cfg.OnEvent != nil {
		s.cfg.OnEvent(e)
	}
}

// notified takes a notification of the server.
func (s *Session) notified(zxid wire.Zxid, w *wire.WatcherEvent) {
	s.eventMu.Lock()
	defer s.eventMu.Unlock()
	path := s.root.local(w.Path)
	s.mu.Lock()
	watched := s.watches.fire(w.Type, path)
	s.mu.Unlock()
	if watched {
		s.deliverLocked(Event{State: EventSyncConnected, Type: w.Type, Path: path, Zxid: zxid})
	}
}
