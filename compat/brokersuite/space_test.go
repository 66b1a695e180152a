package brokersuite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"holt/broker/metadata"
	"holt/broker/metadata/metadatatest"
	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tickMillis     = 500
	sessionTimeout = 2 * time.Second
	patience       = 60 * time.Second
)

// service is a coordination service under test.
type service struct {
	servers []string
	dial    func(ctx context.Context, server string) (net.Conn, error)
	spaces  atomic.Int64
}

// inProcess starts a member in this process that is reached over memory alone.
func inProcess(t testing.TB) *service {
	t.Helper()
	s, err := server.Start(server.Config{DataDir: "data", FS: vfs.NewMem(), ClientAddr: server.Off, TickMillis: tickMillis, MaxSessionTimeoutMillis: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.Ready():
	case <-time.After(patience):
		t.Fatal("the member does not serve")
	}
	return &service{servers: []string{"memory"}, dial: func(context.Context, string) (net.Conn, error) { return s.Dial() }}
}

// processes starts an ensemble of the kind that -target names.
func processes(t testing.TB) *service {
	t.Helper()
	e := target.Start(t, ensemble.Config{Members: 3, Settings: []string{fmt.Sprintf("tickTime=%d", tickMillis), "maxSessionTimeout=60000"}})
	s := new(service)
	for _, m := range e.Members() {
		s.servers = append(s.servers, m.Addr())
	}
	s.dial = func(ctx context.Context, server string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", server)
	}
	return s
}

// gate is the network of one session.
type gate struct {
	dial func(ctx context.Context, server string) (net.Conn, error)

	mu     sync.Mutex
	closed bool
	conns  []net.Conn
}

func (g *gate) Dial(ctx context.Context, server string) (net.Conn, error) {
	c, err := g.dial(ctx, server)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errors.Join(errors.New("gate is closed"), c.Close())
	}
	g.conns = append(g.conns, c)
	return c, nil
}

// cut closes all connections. Errors are those of connections closed before.
func (g *gate) cut(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	for _, c := range g.conns {
		_ = c.Close()
	}
	g.conns = nil
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

// space is a chroot of a service.
type space struct {
	*service
	t      testing.TB
	chroot string

	mu    sync.Mutex
	gates map[metadata.Coordinator]*gate
}

func (s *service) space(t testing.TB) *space {
	return &space{service: s, t: t, chroot: fmt.Sprintf("/suite/%d", s.spaces.Add(1)), gates: map[metadata.Coordinator]*gate{}}
}

func (s *space) connect(timeout time.Duration) metadata.Coordinator {
	s.t.Helper()
	g := &gate{dial: s.dial}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	z, err := metadata.OpenZooKeeper(ctx, metadata.ZooKeeperConfig{
		Servers: s.servers, Chroot: s.chroot, Dial: g.Dial, SessionTimeout: timeout, Logger: zap.NewNop(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := z.Close(); err != nil {
			s.t.Error(err)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gates[z] = g
	return z
}

func (s *space) gate(c metadata.Coordinator) *gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gates[c]
}

// expire keeps c away until another session sees that its ephemeral nodes are gone.
func (s *space) expire(c metadata.Coordinator) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	const mark = "/mark-of-a-session"
	if _, err := c.Multi(ctx, metadata.CreateEphemeral(mark, nil)); err != nil {
		s.t.Fatal(err)
	}
	other := s.connect(sessionTimeout)
	s.gate(c).cut(true)
	for {
		if err := other.Sync(ctx); err != nil {
			s.t.Fatal(err)
		}
		_, err := other.Exists(ctx, mark, false)
		if errors.Is(err, metadata.ErrNoNode) {
			break
		}
		if err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.gate(c).open()
}

func suite(t *testing.T, s *service) {
	metadatatest.Suite(t, func(t *testing.T) metadatatest.Space {
		sp := s.space(t)
		return metadatatest.Space{
			Open:   func() metadata.Coordinator { return sp.connect(sessionTimeout) },
			Cut:    func(c metadata.Coordinator) { sp.gate(c).cut(false) },
			Expire: sp.expire,
		}
	})
}

func TestInProcess(t *testing.T) { suite(t, inProcess(t)) }

func TestProcesses(t *testing.T) { suite(t, processes(t)) }
