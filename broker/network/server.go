package network

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/broker/protocol"
)

// Server owns the listeners and their connections.
type Server struct {
	cfg       Config
	log       *zap.Logger
	handler   Handler
	listeners []*listener
	metrics   Metrics
	buffers   buffers
	parts     sync.Pool
	budget    budget
	limits    limits
	mistakes  mistakes
	began     time.Time

	reloading sync.Mutex // held by Reload

	stop    chan struct{} // closed by Close
	closing atomic.Bool
	wg      sync.WaitGroup // every goroutine

	mu     sync.Mutex
	conns  map[*Conn]struct{}
	closed bool
	ended  chan struct{} // closed when Close is through
}

// listener is a Listener with its sockets.
type listener struct {
	Listener
	srv   *Server
	socks []net.Listener
	tls   *tlsState // nil without TLS
}

// Listen binds all listeners. Nothing is accepted before Start; clients that connect
// meanwhile wait. After an error nothing is bound.
func Listen(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, log: cfg.Logger.Named("network"), began: time.Now(), stop: make(chan struct{}),
		conns: map[*Conn]struct{}{}, ended: make(chan struct{})}
	s.budget.left = cfg.FrameBytesMax
	s.limits.init(cfg.Limits)
	s.mistakes.now = s.now
	for _, l := range cfg.Listeners {
		if err := s.bind(l); err != nil {
			s.closeSockets()
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) bind(l Listener) error {
	bound := &listener{Listener: l, srv: s}
	s.listeners = append(s.listeners, bound)
	if l.Protocol.TLS() {
		var err error
		if bound.tls, err = loadTLS(*l.TLS); err != nil {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
	}
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return fmt.Errorf("listener %s: %w", l.Name, err)
	}
	if host != "localhost" {
		return bound.open(l.Address)
	}
	if err := bound.open(net.JoinHostPort("127.0.0.1", port)); err != nil {
		return err
	}
	// Clients try ::1 first on many systems. Where it does not exist none will.
	_, port, err = net.SplitHostPort(bound.socks[0].Addr().String())
	if err != nil {
		return fmt.Errorf("listener %s: %w", l.Name, err)
	}
	if err := bound.open(net.JoinHostPort("::1", port)); err != nil {
		s.log.Info("localhost is 127.0.0.1 only", zap.String("listener", l.Name), zap.Error(err))
	}
	return nil
}

func (l *listener) open(address string) error {
	sock, err := l.srv.cfg.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listener %s: %w", l.Name, err)
	}
	l.socks = append(l.socks, sock)
	return nil
}

// Addr is the address that a listener is bound to, nil for an unknown name.
func (s *Server) Addr(listener string) net.Addr {
	for _, l := range s.listeners {
		if l.Name == listener && len(l.socks) > 0 {
			return l.socks[0].Addr()
		}
	}
	return nil
}

// Start serves connections by h.
func (s *Server) Start(h Handler) {
	s.handler = h
	for _, l := range s.listeners {
		for _, sock := range l.socks {
			s.wg.Go(func() { l.accept(sock) })
		}
	}
	s.wg.Go(s.sweep)
}

// SetLimits replaces the limits on connections. Connections that are there stay.
func (s *Server) SetLimits(l Limits) { s.limits.set(l) }

// Metrics counts what goes on.
func (s *Server) Metrics() *Metrics { return &s.metrics }

// Close stops to accept and to read, waits up to DrainMillis until what was read is
// answered and sent, closes all connections and returns when every goroutine has
// ended. It may be called more than once, and without Start.
func (s *Server) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		<-s.ended
		return nil
	}
	s.closing.Store(true)
	close(s.stop)
	err := s.closeSockets()
	for _, c := range s.all() {
		// Whoever reads stops reading; deadlines of the past also end a handshake.
		if err := c.nc.SetReadDeadline(time.Unix(1, 0)); err != nil && !errors.Is(err, net.ErrClosed) {
			c.log().Debug("end reading", zap.Error(err))
		}
	}
	kill := time.AfterFunc(millis(max(s.cfg.DrainMillis, 0)), func() {
		for _, c := range s.all() {
			c.Abort(net.ErrClosed)
			c.cancel()
		}
	})
	s.wg.Wait()
	kill.Stop()
	close(s.ended)
	return err
}

func (s *Server) closeSockets() error {
	var errs []error
	for _, l := range s.listeners {
		for _, sock := range l.socks {
			if err := sock.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, fmt.Errorf("close listener %s: %w", l.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Server) all() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	return all
}

// now is milliseconds since the server was made, which wall clocks do not move.
func (s *Server) now() int64 { return time.Since(s.began).Milliseconds() }

// getParts and putParts keep the buffers that responses in pieces are encoded in.
func (s *Server) getParts() *protocol.Parts {
	if p, ok := s.parts.Get().(*protocol.Parts); ok {
		return p
	}
	return new(protocol.Parts)
}

func (s *Server) putParts(p *protocol.Parts) {
	p.Reset()
	s.parts.Put(p)
}

// sweep closes connections on which nothing has happened for too long, and has
// certificates looked at.
func (s *Server) sweep() {
	every := 30 * time.Second
	if idle := s.cfg.IdleMillis; idle > 0 {
		every = min(every, millis(max(idle/4, 10)))
	}
	if reload := s.cfg.ReloadMillis; reload > 0 {
		every = min(every, millis(reload))
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.closeIdle()
			if s.cfg.ReloadMillis > 0 {
				s.Reload()
			}
		case <-s.stop:
			return
		}
	}
}

var errIdle = errors.New("idle for too long")

func (s *Server) closeIdle() {
	if s.cfg.IdleMillis < 0 {
		return
	}
	before := s.now() - s.cfg.IdleMillis
	for _, c := range s.all() {
		if max(c.active.Load(), c.out.muted()) < before {
			s.metrics.IdleClosed.Inc()
			c.Abort(errIdle)
		}
	}
}
