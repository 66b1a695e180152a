package network

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/quorum/simnet"
)

// bubble runs a test in a synctest bubble with a server on a network in memory. The
// server is closed when the test returns.
func bubble(t *testing.T, cfg Config, h HandlerFunc, test func(t *testing.T, s *Server, dial func() *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := simnet.New(1)
		here := network.Host("broker")
		cfg.Listen = func(_, address string) (net.Listener, error) { return here.Listen(address) }
		if len(cfg.Listeners) == 0 {
			cfg.Listeners = []Listener{{Name: "L", Protocol: Plaintext}}
		}
		cfg.Listeners[0].Address = "broker:9092"
		if cfg.Logger == nil {
			cfg.Logger = zap.NewNop()
		}
		cfg.APIs = toyAPIs()
		s, err := Listen(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.Start(h)
		var clients []*client
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			for _, c := range clients {
				c.nc.Close()
			}
		}()
		test(t, s, func() *client {
			nc, err := network.Host("client").Dial(context.Background(), "broker:9092")
			if err != nil {
				t.Fatal(err)
			}
			c := &client{t: t, nc: nc}
			clients = append(clients, c)
			return c
		})
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	bubble(t, Config{IdleMillis: 60_000}, echo, func(t *testing.T, s *Server, dial func() *client) {
		c, silent := dial(), dial()
		for range 10 {
			time.Sleep(45 * time.Second)
			c.ask(heartbeat(1))
		}
		silent.closed() // long ago
		begin := time.Now()
		c.closed()
		if d := time.Since(begin); d < 60*time.Second || d > 80*time.Second {
			t.Errorf("closed after %s", d)
		}
		if n := s.Metrics().IdleClosed.Load(); n != 2 {
			t.Errorf("%d were closed for being idle", n)
		}
	})
}

// TestSlowLoris: whoever sends a frame byte by byte is idle, too.
func TestSlowLoris(t *testing.T) {
	bubble(t, Config{IdleMillis: 60_000}, echo, func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		begin := time.Now()
		c.write([]byte{0, 0, 0, 100})
		for time.Since(begin) < 5*time.Minute {
			if _, err := c.nc.Write([]byte{0}); err != nil {
				return
			}
			time.Sleep(10 * time.Second)
		}
		t.Error("after five minutes it still is connected")
	})
}

// TestThrottle: the reply leaves at once, the next request waits.
func TestThrottle(t *testing.T) {
	h := func(ctx context.Context, r *Request) {
		r.ThrottleMillis = 3000
		echo(ctx, r)
	}
	bubble(t, Config{IdleMillis: 1000}, h, func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		begin := time.Now()
		for i := range 4 {
			c.ask(heartbeat(1))
			if d := time.Since(begin); d != time.Duration(i)*3*time.Second {
				t.Fatalf("reply %d came after %s", i, d)
			}
		}
	})
}

// TestThrottledConnectionsCloseAtOnce with the server.
func TestThrottledConnectionsCloseAtOnce(t *testing.T) {
	h := func(ctx context.Context, r *Request) {
		r.ThrottleMillis = 3_600_000
		echo(ctx, r)
	}
	bubble(t, Config{}, h, func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		c.ask(heartbeat(1))
		c.send(heartbeat(2))
		synctest.Wait()
		begin := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d > 0 {
			t.Errorf("took %s", d)
		}
	})
}

// TestStuckReader: a client that does not take its replies is closed when it is idle.
func TestStuckReader(t *testing.T) {
	h := func(_ context.Context, r *Request) {
		resp := kmsg.NewPtrListGroupsResponse()
		for range 30_000 {
			resp.Groups = append(resp.Groups, kmsg.ListGroupsResponseGroup{Group: "a group with a name", ProtocolType: "consumer"})
		}
		r.Reply(resp)
	}
	bubble(t, Config{IdleMillis: 60_000}, h, func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		c.send(kmsg.NewPtrListGroupsRequest())
		c.send(kmsg.NewPtrListGroupsRequest())
		time.Sleep(2 * time.Minute)
		if n := s.Metrics().IdleClosed.Load(); n != 1 {
			t.Errorf("%d were closed", n)
		}
	})
}

func TestCreationRate(t *testing.T) {
	bubble(t, Config{Limits: Limits{CreationRate: 5}}, echo, func(t *testing.T, s *Server, dial func() *client) {
		begin := time.Now()
		for range 20 {
			dial().ask(heartbeat(1))
		}
		// Five at once, then five a second.
		if d := time.Since(begin); d < 2*time.Second || d > 4*time.Second {
			t.Errorf("20 connections took %s", d)
		}
	})
}

func TestMostConnections(t *testing.T) {
	bubble(t, Config{Limits: Limits{Connections: 2}}, echo, func(t *testing.T, s *Server, dial func() *client) {
		a, b, waits := dial(), dial(), dial()
		a.ask(heartbeat(1))
		b.ask(heartbeat(1))
		waits.send(heartbeat(9))
		synctest.Wait()
		if n := s.Metrics().Connections.Load(); n != 2 {
			t.Errorf("%d connections", n)
		}
		a.nc.Close()
		if _, resp := waits.receive(heartbeat(9)); throttleOf(resp) != 9 {
			t.Error("the third does not get its turn")
		}
		more := dial()
		more.send(heartbeat(3))
		synctest.Wait()
		s.SetLimits(Limits{})
		more.receive(heartbeat(3))
	})
}

func TestConnectionsPerIP(t *testing.T) {
	limits := Limits{ConnectionsPerIP: 1, PerIPOverride: map[string]int{"client": 3}}
	bubble(t, Config{Limits: limits}, echo, func(t *testing.T, s *Server, dial func() *client) {
		for range 3 {
			dial().ask(heartbeat(1))
		}
		dial().closed()
		if n := s.Metrics().ConnectionsRefused.Load(); n != 1 {
			t.Errorf("%d were refused", n)
		}
		s.SetLimits(Limits{CreationRatePerIP: 2})
		dial().ask(heartbeat(1))
		dial().ask(heartbeat(1))
		dial().closed()
		time.Sleep(time.Second)
		dial().ask(heartbeat(1))
	})
}
