package metadatatest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"holt/broker/metadata"
)

// Loss is when a write loses its connection.
type Loss uint8

// A write may be lost on its way to the service or its answer on the way back.
const (
	BeforeEffect Loss = iota + 1
	AfterEffect
)

// Session is a Coordinator on a Tree. All its fields but seen are guarded by the
// tree's lock.
type Session struct {
	tree      *Tree
	id        metadata.SessionID
	seen      atomic.Int64 // id, for listeners, which run under the lock
	down      bool
	closed    bool
	ended     chan struct{} // closed by Close
	up        chan struct{} // closed while connected
	watches   map[fire]struct{}
	listeners []*listener
	lose      []Loss
	delay     time.Duration

	// before, if set, is asked before every write.
	before func(ops []metadata.Op) Loss
}

type listener struct{ f func(metadata.Event) }

var _ metadata.Coordinator = (*Session)(nil)

// Open begins a session.
func (t *Tree) Open() *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &Session{tree: t, watches: map[fire]struct{}{}, ended: make(chan struct{}), up: make(chan struct{})}
	close(s.up)
	t.beginLocked(s)
	return s
}

// LoseNext has the next write return ErrConnectionLoss, for which the connection is
// lost and restored. Called several times it concerns as many writes.
func (s *Session) LoseNext(when Loss) {
	s.tree.mu.Lock()
	defer s.tree.mu.Unlock()
	s.lose = append(s.lose, when)
}

// BeforeWrites has f decide for each write whether it is lost (0: no). f is called
// under the tree's lock.
func (s *Session) BeforeWrites(f func(ops []metadata.Op) Loss) {
	s.tree.mu.Lock()
	defer s.tree.mu.Unlock()
	s.before = f
}

// SetDelay has every call take that long, as over a network.
func (s *Session) SetDelay(d time.Duration) {
	s.tree.mu.Lock()
	defer s.tree.mu.Unlock()
	s.delay = d
}

// Disconnect cuts the connection: reads wait, writes too, until Reconnect.
func (s *Session) Disconnect() {
	s.tree.mu.Lock()
	defer s.tree.mu.Unlock()
	s.disconnectLocked()
}

func (s *Session) disconnectLocked() {
	if s.down || s.closed {
		return
	}
	s.down, s.up = true, make(chan struct{})
	s.watches = map[fire]struct{}{}
	s.tellLocked(metadata.Event{State: metadata.Disconnected})
}

// Reconnect restores the connection. The session is the same unless it was expired.
func (s *Session) Reconnect() {
	s.tree.mu.Lock()
	defer s.tree.mu.Unlock()
	s.reconnectLocked()
}

func (s *Session) reconnectLocked() {
	if !s.down || s.closed {
		return
	}
	s.down = false
	if s.id == 0 {
		s.tree.beginLocked(s)
	}
	close(s.up)
	s.tellLocked(metadata.Event{State: metadata.Connected})
}

func (s *Session) tellLocked(e metadata.Event) {
	for _, l := range s.listeners {
		l.f(e)
	}
}

// Listen is of the interface Coordinator. f runs under the tree's lock, and may ask
// for the session nevertheless.
func (s *Session) Listen(f func(metadata.Event)) (stop func()) {
	l := &listener{f}
	s.tree.mu.Lock()
	defer s.tree.mu.Unlock()
	s.listeners = append(slices.Clone(s.listeners), l)
	return func() {
		s.tree.mu.Lock()
		defer s.tree.mu.Unlock()
		s.listeners = slices.DeleteFunc(slices.Clone(s.listeners), func(o *listener) bool { return o == l })
	}
}

// enter waits for the connection and returns with the tree's lock held, or an error.
func (s *Session) enter(ctx context.Context) error {
	for {
		s.tree.mu.Lock()
		if s.closed {
			s.tree.mu.Unlock()
			return metadata.ErrClosed
		}
		if err := context.Cause(ctx); err != nil {
			s.tree.mu.Unlock()
			return err
		}
		if !s.down {
			return nil
		}
		up := s.up
		s.tree.mu.Unlock()
		select {
		case <-up:
		case <-s.ended:
		case <-ctx.Done():
		}
	}
}

// travel takes the time that a call takes.
func (s *Session) travel() {
	s.tree.mu.Lock()
	d := s.delay
	s.tree.mu.Unlock()
	if d > 0 {
		time.Sleep(d)
	}
}

// Get is of the interface Coordinator.
func (s *Session) Get(ctx context.Context, path string, watch bool) ([]byte, metadata.Stat, error) {
	s.travel()
	if err := s.enter(ctx); err != nil {
		return nil, metadata.Stat{}, err
	}
	defer s.tree.mu.Unlock()
	n, ok := s.tree.nodes[path]
	if !ok {
		return nil, metadata.Stat{}, fmt.Errorf("get %s: %w", path, metadata.ErrNoNode)
	}
	if watch {
		s.watches[fire{path, watchData}] = struct{}{}
	}
	return slices.Clone(n.data), n.statNow(), nil
}

// Exists is of the interface Coordinator.
func (s *Session) Exists(ctx context.Context, path string, watch bool) (metadata.Stat, error) {
	s.travel()
	if err := s.enter(ctx); err != nil {
		return metadata.Stat{}, err
	}
	defer s.tree.mu.Unlock()
	if watch {
		s.watches[fire{path, watchData}] = struct{}{}
	}
	n, ok := s.tree.nodes[path]
	if !ok {
		return metadata.Stat{}, fmt.Errorf("exists %s: %w", path, metadata.ErrNoNode)
	}
	return n.statNow(), nil
}

// Children is of the interface Coordinator.
func (s *Session) Children(ctx context.Context, path string, watch bool) ([]string, metadata.Stat, error) {
	s.travel()
	if err := s.enter(ctx); err != nil {
		return nil, metadata.Stat{}, err
	}
	defer s.tree.mu.Unlock()
	n, ok := s.tree.nodes[path]
	if !ok {
		return nil, metadata.Stat{}, fmt.Errorf("children of %s: %w", path, metadata.ErrNoNode)
	}
	if watch {
		s.watches[fire{path, watchChildren}] = struct{}{}
	}
	return slices.Collect(maps.Keys(n.children)), n.statNow(), nil
}

func (n *node) statNow() metadata.Stat {
	stat := n.stat
	stat.Children = int32(len(n.children))
	return stat
}

// Multi is of the interface Coordinator.
func (s *Session) Multi(ctx context.Context, ops ...metadata.Op) ([]metadata.Result, error) {
	s.travel()
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.tree.mu.Unlock()
	loss := Loss(0)
	if len(s.lose) > 0 {
		loss, s.lose = s.lose[0], s.lose[1:]
	} else if s.before != nil {
		loss = s.before(ops)
	}
	if loss == BeforeEffect {
		s.blinkLocked()
		return nil, metadata.ErrConnectionLoss
	}
	results, err := s.tree.multiLocked(s.id, ops)
	if loss == AfterEffect {
		s.blinkLocked()
		return nil, metadata.ErrConnectionLoss
	}
	return results, err
}

// blinkLocked loses the connection and restores it.
func (s *Session) blinkLocked() {
	s.disconnectLocked()
	s.reconnectLocked()
}

// Sync is of the interface Coordinator.
func (s *Session) Sync(ctx context.Context) error {
	s.travel()
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.tree.mu.Unlock()
	return nil
}

// Session is of the interface Coordinator.
func (s *Session) Session() metadata.SessionID { return metadata.SessionID(s.seen.Load()) }

// Close is of the interface Coordinator.
func (s *Session) Close() error {
	s.tree.mu.Lock()
	defer s.tree.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.ended)
	s.tree.expireLocked(s)
	return nil
}
