package metadata

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// ZooKeeperConfig says where the tree is.
type ZooKeeperConfig struct {
	// Servers are host:port each, or whatever Dial understands. One is needed.
	Servers []string

	// Chroot is the path below which the cluster lives; made if it is not there.
	// "" or "/": the whole tree.
	Chroot string

	// Dial connects to a server. Default: TCP. (A member in the same process: its
	// Dial, whatever the address.)
	Dial func(ctx context.Context, server string) (net.Conn, error)

	// SessionTimeout is asked for; servers have bounds of their own. Default: 18 s.
	// (Kafka: zookeeper.session.timeout.ms)
	SessionTimeout time.Duration

	// StartTimeout bounds the wait for the first session. Default: SessionTimeout.
	// (Kafka: zookeeper.connection.timeout.ms)
	StartTimeout time.Duration

	// ConnectTimeout bounds one connection attempt, handshake included. Default: a
	// third of SessionTimeout, at most 6 s.
	ConnectTimeout time.Duration

	// InFlight bounds the requests under way; more wait. Default: 512.
	// (Kafka: zookeeper.max.in.flight.requests, 10)
	InFlight int

	// Auth are the identities of the session.
	Auth []Auth

	// SetACL gives nodes to the session's identity and lets others only read them.
	// (Kafka: zookeeper.set.acl)
	SetACL bool

	// Logger takes changes of the connection. Default: none.
	Logger *zap.Logger
}

// Auth is an identity to prove: scheme "digest" and "user:password", say.
type Auth struct {
	Scheme     string
	Credential []byte
}

func (c ZooKeeperConfig) withDefaults() ZooKeeperConfig {
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, server string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", server)
		}
	}
	if c.SessionTimeout <= 0 {
		c.SessionTimeout = 18 * time.Second
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = c.SessionTimeout
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = min(c.SessionTimeout/3, 6*time.Second)
	}
	if c.InFlight <= 0 {
		c.InFlight = 512
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	c.Chroot = strings.TrimSuffix(c.Chroot, "/")
	return c
}

// ZooKeeper is a Coordinator on go-zookeeper/zk.
type ZooKeeper struct {
	cfg      ZooKeeperConfig
	conn     *zk.Conn
	opened   chan struct{} // closed when conn is set
	ended    <-chan zk.Event
	inFlight chan struct{} // a slot for each request under way
	calls    sync.WaitGroup

	closeOnce sync.Once

	mu        sync.Mutex
	session   SessionID
	connected chan struct{} // closed while there is a session and a connection
	up        bool
	closing   chan struct{} // closed by Close
	current   *watchedConn  // the last connection
	refused   error         // why the last attempt to connect failed; nil since there is a connection
	listeners []*listener
}

type listener struct{ f func(Event) }

// OpenZooKeeper connects, proves the identities, and makes the chroot. It returns
// when there is a session, or ctx or StartTimeout ends.
func OpenZooKeeper(ctx context.Context, cfg ZooKeeperConfig) (*ZooKeeper, error) {
	cfg = cfg.withDefaults()
	if len(cfg.Servers) == 0 {
		return nil, errors.New("coordination service: no servers given")
	}
	if cfg.Chroot != "" && !strings.HasPrefix(cfg.Chroot, "/") {
		return nil, fmt.Errorf("coordination service: chroot %q does not begin with a slash", cfg.Chroot)
	}
	z := &ZooKeeper{
		cfg: cfg, opened: make(chan struct{}), connected: make(chan struct{}), closing: make(chan struct{}),
		inFlight: make(chan struct{}, cfg.InFlight),
	}
	conn, ended, err := zk.Connect(cfg.Servers, cfg.SessionTimeout,
		zk.WithDialer(z.dial), zk.WithHostProvider(&servers{}), zk.WithEventCallback(z.event),
		zk.WithLogger(libraryLog{cfg.Logger}), zk.WithLogInfo(false))
	if err != nil {
		return nil, fmt.Errorf("coordination service: %w", err)
	}
	z.conn, z.ended = conn, ended
	close(z.opened)
	if err := z.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("coordination service: %w", err), z.Close())
	}
	return z, nil
}

// begin is what a session needs before others use it.
func (z *ZooKeeper) begin(ctx context.Context) error {
	if err := z.awaitFirst(ctx); err != nil {
		return err
	}
	for _, a := range z.cfg.Auth {
		err := z.call(ctx, true, func() error { return z.conn.AddAuth(a.Scheme, a.Credential) })
		if err != nil {
			return fmt.Errorf("identity of scheme %s: %w", a.Scheme, err)
		}
	}
	// Kafka makes the chroot by a client without one; here it is a prefix anyway.
	for i := 1; i <= len(z.cfg.Chroot); i++ {
		if i < len(z.cfg.Chroot) && z.cfg.Chroot[i] != '/' {
			continue
		}
		path := z.cfg.Chroot[:i]
		err := z.call(ctx, true, func() error {
			_, err := z.conn.Create(path, nil, zk.FlagPersistent, z.acl(""))
			return err
		})
		if err != nil && !errors.Is(err, ErrNodeExists) {
			return fmt.Errorf("make chroot %s: %w", path, err)
		}
	}
	return nil
}

// awaitFirst awaits the first session.
func (z *ZooKeeper) awaitFirst(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, z.cfg.StartTimeout)
	defer cancel()
	err := z.await(within)
	if err == nil || ctx.Err() != nil {
		return err
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	err = fmt.Errorf("no session with %s within %v: %w", strings.Join(z.cfg.Servers, ","), z.cfg.StartTimeout, err)
	if z.refused != nil {
		err = fmt.Errorf("%w; the last attempt: %w", err, z.refused)
	}
	return fmt.Errorf("%w\nIs it running there? It is asked at zookeeper.connect, for zookeeper.connection.timeout.ms", err)
}

// dial is the library's; its timeout is not ours.
func (z *ZooKeeper) dial(_, server string, _ time.Duration) (net.Conn, error) {
	deadline := time.Now().Add(z.cfg.ConnectTimeout)
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	conn, err := z.cfg.Dial(ctx, server)
	z.mu.Lock()
	defer z.mu.Unlock()
	if err != nil {
		if z.refused == nil { // once, not for each attempt
			z.cfg.Logger.Warn("the coordination service cannot be reached; it is tried again", zap.String("server", server), zap.Error(err))
		}
		z.refused = err
		return nil, err
	}
	z.refused = nil
	w := newWatchedConn(conn, deadline)
	if z.current != nil {
		z.current.Close() // the library leaves the one open on which a session was refused
	}
	z.current = w
	select {
	case <-z.closing:
		w.Close()
		return nil, ErrClosed
	default:
	}
	return w, nil
}

// event is called by the library for states and watches, one at a time.
func (z *ZooKeeper) event(e zk.Event) {
	<-z.opened
	switch {
	case e.Type == zk.EventSession:
		z.sessionEvent(e)
	case e.State != forgetting && e.Type != zk.EventNotWatching && e.Path != "":
		if path, ok := z.outside(e.Path); ok {
			z.tell(Event{Path: path})
		}
	}
}

func (z *ZooKeeper) sessionEvent(e zk.Event) {
	z.mu.Lock()
	wasUp, had := z.up, z.session
	switch e.State {
	case zk.StateHasSession:
		z.session = SessionID(z.conn.SessionID())
		if !z.up {
			z.up = true
			close(z.connected)
		}
	case zk.StateDisconnected, zk.StateExpired:
		if z.up {
			z.up = false
			z.connected = make(chan struct{})
		}
		if e.State == zk.StateExpired {
			z.session = 0
		}
	}
	session := z.session
	z.mu.Unlock()
	switch e.State {
	case zk.StateHasSession:
		z.cfg.Logger.Info("connected to the coordination service", zap.String("server", e.Server), zap.Stringer("session", session))
		z.tell(Event{State: Connected})
	case zk.StateDisconnected:
		if wasUp && !z.isClosing() {
			z.cfg.Logger.Warn("disconnected from the coordination service", zap.String("server", e.Server), zap.Stringer("session", session))
			z.tell(Event{State: Disconnected})
		}
	case zk.StateExpired:
		z.cfg.Logger.Warn("session expired", zap.Stringer("session", had))
		z.tell(Event{State: Expired})
	}
}

// tell calls the listeners without the lock: they may ask for the session.
func (z *ZooKeeper) tell(e Event) {
	z.mu.Lock()
	listeners := z.listeners
	z.mu.Unlock()
	for _, l := range listeners {
		l.f(e)
	}
}

// Listen is of the interface Coordinator.
func (z *ZooKeeper) Listen(f func(Event)) (stop func()) {
	l := &listener{f}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.listeners = append(slices.Clone(z.listeners), l)
	return func() {
		z.mu.Lock()
		defer z.mu.Unlock()
		z.listeners = slices.DeleteFunc(slices.Clone(z.listeners), func(o *listener) bool { return o == l })
	}
}

// Session is of the interface Coordinator.
func (z *ZooKeeper) Session() SessionID {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.session
}

// Close is of the interface Coordinator.
func (z *ZooKeeper) Close() error {
	z.closeOnce.Do(func() {
		close(z.closing)
		z.conn.Close()
		z.mu.Lock()
		if z.current != nil {
			z.current.Close() // whatever it waits for, a handshake say
		}
		z.mu.Unlock()
	})
	if z.awaitEnd() {
		z.calls.Wait()
	}
	return nil
}

// endWait is how long Close waits for the library's goroutines.
const endWait = 3 * time.Second

// awaitEnd waits for the library to end. It may never do so (go-zookeeper/zk v1.0.4), nor its calls: a request that fails as it is
// written is answered twice, once by whoever wrote it and once by the flush of what is outstanding, and where
// nobody takes the first answer any more the second waits for ever. The answer to the closing of
// the session is given up after a second.
func (z *ZooKeeper) awaitEnd() (ended bool) {
	late := time.NewTimer(endWait)
	defer late.Stop()
	for {
		select {
		case _, ok := <-z.ended:
			if !ok {
				return true
			}
		case <-late.C:
			z.cfg.Logger.Warn("connection to the coordination service does not end, left to itself")
			return false
		}
	}
}

// inside is a path of the tree for one below the chroot.
func (z *ZooKeeper) inside(path string) string {
	if path == "/" && z.cfg.Chroot != "" {
		return z.cfg.Chroot
	}
	return z.cfg.Chroot + path
}

// outside is the inverse of inside.
func (z *ZooKeeper) outside(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, z.cfg.Chroot)
	if rest == "" {
		rest = "/"
	}
	return rest, ok && rest[0] == '/'
}

// acl is what a new node gets. (Kafka: ZkData.defaultAcls)
func (z *ZooKeeper) acl(path string) []zk.ACL {
	if !z.cfg.SetACL || path == ConsumersPath || strings.HasPrefix(path, ConsumersPath+"/") {
		return zk.WorldACL(zk.PermAll)
	}
	acl := zk.AuthACL(zk.PermAll)
	for _, secret := range []string{"/config/users", "/config/brokers", "/delegation_token/tokens"} {
		if path == secret || strings.HasPrefix(path, secret+"/") {
			return acl
		}
	}
	return append(acl, zk.WorldACL(zk.PermRead)...)
}

// servers is the library's list of addresses, in another order for every client. It
// resolves nothing: the dialer does, each time.
type servers struct {
	names []string
	next  int
	tried int // since the last success
}

func (s *servers) Init(names []string) error {
	s.names = slices.Clone(names)
	rand.Shuffle(len(s.names), func(i, j int) { s.names[i], s.names[j] = s.names[j], s.names[i] })
	return nil
}

func (s *servers) Len() int { return len(s.names) }

// Next tells the library to pause when all were tried in vain.
func (s *servers) Next() (string, bool) {
	pause := s.tried > 0 && s.tried%len(s.names) == 0
	name := s.names[s.next]
	s.next = (s.next + 1) % len(s.names)
	s.tried++
	return name, pause
}

func (s *servers) Connected() { s.tried = 0 }

// libraryLog takes the library's messages, which the events tell better.
type libraryLog struct{ log *zap.Logger }

func (l libraryLog) Printf(format string, args ...any) {
	if ce := l.log.Check(zap.DebugLevel, "zookeeper client"); ce != nil {
		ce.Write(zap.String("message", fmt.Sprintf(format, args...)))
	}
}
