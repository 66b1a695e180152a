package server

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum/simnet"
	"holt/wire"
)

// testEnsemble is three members on a network in memory. Clients use Dial, which
// no partition of the network touches: a client stays with its member.
type testEnsemble struct {
	t       *testing.T
	net     *simnet.Network
	fs      map[uint64]*vfs.MemFS
	servers map[uint64]*Server
	// configure changes the configuration of a member that starts; may be nil.
	configure func(id uint64, cfg *Config)
}

func newTestEnsemble(t *testing.T) *testEnsemble {
	t.Helper()
	return newTestEnsembleOf(t, nil)
}

func newTestEnsembleOf(t *testing.T, configure func(id uint64, cfg *Config)) *testEnsemble {
	t.Helper()
	e := newTestEnsembleUnready(t, configure)
	for _, s := range e.servers {
		<-s.Ready()
	}
	return e
}

func newTestEnsembleUnready(t *testing.T, configure func(id uint64, cfg *Config)) *testEnsemble {
	t.Helper()
	e := &testEnsemble{t: t, configure: configure, net: simnet.New(1), fs: map[uint64]*vfs.MemFS{}, servers: map[uint64]*Server{}}
	e.net.SetAll(simnet.Link{Delay: 200 * time.Microsecond, Jitter: 200 * time.Microsecond})
	for id := uint64(1); id <= 3; id++ {
		e.fs[id] = vfs.NewMem()
		e.start(id)
	}
	t.Cleanup(func() {
		for _, s := range e.servers {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
	return e
}

func (e *testEnsemble) start(id uint64) {
	e.t.Helper()
	host := e.net.Host(fmt.Sprintf("m%d", id))
	cfg := Config{MemberID: id, DataDir: "data", FS: e.fs[id], ClientAddr: Off, TickMillis: 2000,
		Listen: host.Listen,
		Dial:   func(ctx context.Context, addr string) (net.Conn, error) { return host.Dial(ctx, addr) }}
	for m := uint64(1); m <= 3; m++ {
		cfg.Members = append(cfg.Members, Member{ID: m, Host: fmt.Sprintf("m%d", m), QuorumPort: 1, ElectionPort: 2})
	}
	if e.configure != nil {
		e.configure(id, &cfg)
	}
	s, err := Start(cfg)
	if err != nil {
		e.t.Fatal(err)
	}
	e.servers[id] = s
}

func (e *testEnsemble) stop(id uint64) {
	e.t.Helper()
	if err := e.servers[id].Close(); err != nil {
		e.t.Fatal(err)
	}
	delete(e.servers, id)
}

// leader waits until all members agree on one among the first and returns it.
func (e *testEnsemble) leader(among ...uint64) uint64 {
	e.t.Helper()
	for range 600 {
		seen := map[uint64]int{}
		for _, id := range among {
			seen[e.servers[id].leadership.Load().leader]++
		}
		for l, n := range seen {
			if l != 0 && n == len(among) {
				return l
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	e.t.Fatal("no leader within 30 s")
	return 0
}

// others returns the ids that are not id.
func others(id uint64) []uint64 {
	var ids []uint64
	for m := uint64(1); m <= 3; m++ {
		if m != id {
			ids = append(ids, m)
		}
	}
	return ids
}

func TestLossOfTheLeaderIsAPauseForClientsOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		old := e.leader(1, 2, 3)
		rest := others(old)
		a, b := connect(t, e.servers[rest[0]], wire.ConnectRequest{}), connect(t, e.servers[rest[1]], wire.ConnectRequest{})
		if h := a.call(wire.OpCreate, create("/n", "", 0), nil); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		// A burst of numbered writes is on its way when the leader is cut off;
		// each must be applied once and in order.
		const writes = 300
		for i := range writes {
			a.send(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: fmt.Append(nil, i), Version: int32(i)})
			b.send(wire.OpCreate, create("/n/s-", "", 2))
			if i == writes/2 {
				time.Sleep(time.Millisecond)
				e.net.Isolate(fmt.Sprintf("m%d", old))
			}
		}
		start := time.Now()
		for i := range writes {
			var set wire.SetDataResponse
			if h := a.receive(wire.Xid(i+2), &set); h.Err != wire.OK || set.Stat.Version != int32(i+1) {
				t.Fatalf("set %d: %v version %d", i, h.Err, set.Stat.Version)
			}
			var made wire.CreateResponse
			want := fmt.Sprintf("/n/s-%010d", i)
			if h := b.receive(wire.Xid(i+1), &made); h.Err != wire.OK || made.Path != want {
				t.Fatalf("create %d: %v %q, want %q", i, h.Err, made.Path, want)
			}
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("the pause took %v", took)
		}
		if l := e.leader(rest...); l == old {
			t.Error("the leader that was cut off still leads")
		}
	})
}

func TestMemberWithoutLeaderClosesItsClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		leader := e.leader(1, 2, 3)
		alone := others(leader)[0]
		c := connect(t, e.servers[alone], wire.ConnectRequest{TimeoutMillis: 40_000})
		e.net.Isolate(fmt.Sprintf("m%d", alone))
		start := time.Now()
		if !c.closed() {
			t.Fatal("the client got something else than the end")
		}
		// syncLimit 5 ticks of 2 s, from the moment the loss was noticed.
		if took := time.Since(start); took < 10*time.Second || took > 13*time.Second {
			t.Errorf("closed after %v, want 10 to 13 s", took)
		}
		// Its session lives elsewhere, and comes back once the member is back.
		there := connect(t, e.servers[leader], wire.ConnectRequest{SessionID: c.session.SessionID, Passwd: c.session.Passwd})
		if there.session.SessionID != c.session.SessionID {
			t.Fatalf("session on the leader: %+v", there.session)
		}
		e.net.Rejoin(fmt.Sprintf("m%d", alone))
		e.leader(1, 2, 3)
		back := connect(t, e.servers[alone], wire.ConnectRequest{SessionID: c.session.SessionID, Passwd: c.session.Passwd})
		if back.session.SessionID != c.session.SessionID || !there.closed() {
			t.Fatalf("session back on the member: %+v", back.session)
		}
	})
}

// TestObserverOfALeaderWithoutMajorityClosesItsClients: an observer that is cut off together with the
// leader must not go on serving sessions that the majority expires.
func TestObserverOfALeaderWithoutMajorityClosesItsClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const observer = 3
		e := newTestEnsembleOf(t, func(_ uint64, cfg *Config) { cfg.Members[observer-1].Observer = true })
		leader := e.leader(1, 2, observer)
		c := connect(t, e.servers[observer], wire.ConnectRequest{TimeoutMillis: 40_000})
		e.net.Isolate(fmt.Sprintf("m%d", observer-leader)) // the other voter
		start := time.Now()
		if !c.closed() {
			t.Fatal("the client got something else than the end")
		}
		// The leader notices, then the observer does, then syncLimit begins: 5 ticks of 2 s.
		if took := time.Since(start); took < 10*time.Second || took > 15*time.Second {
			t.Errorf("closed after %v, want 10 to 15 s", took)
		}
	})
}

func TestSessionsOfFollowersLiveWhileTheyAreHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		leader := e.leader(1, 2, 3)
		follower := others(leader)[0]
		busy := connect(t, e.servers[follower], wire.ConnectRequest{TimeoutMillis: 5000})
		quiet := connect(t, e.servers[follower], wire.ConnectRequest{TimeoutMillis: 5000})
		busy.call(wire.OpCreate, create("/busy", "", 1), nil)
		quiet.call(wire.OpCreate, create("/quiet", "", 1), nil)
		for range 20 {
			time.Sleep(time.Second)
			busy.call(wire.OpExists, &wire.ExistsRequest{Path: "/busy"}, nil)
		}
		if h := busy.call(wire.OpExists, &wire.ExistsRequest{Path: "/busy"}, nil); h.Err != wire.OK {
			t.Errorf("ephemeral of a session that reads: %v", h.Err)
		}
		if h := busy.call(wire.OpExists, &wire.ExistsRequest{Path: "/quiet"}, nil); h.Err != wire.ErrNoNode {
			t.Errorf("ephemeral of a silent session: %v", h.Err)
		}
		if !quiet.closed() {
			t.Error("the silent session's connection is still open")
		}
	})
}

func TestNewLeaderGivesSessionsTheirFullTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		old := e.leader(1, 2, 3)
		rest := others(old)
		c := connect(t, e.servers[rest[0]], wire.ConnectRequest{TimeoutMillis: 6000})
		c.call(wire.OpCreate, create("/e", "", 1), nil)
		time.Sleep(5 * time.Second) // one more and it would expire
		e.net.Isolate(fmt.Sprintf("m%d", old))
		e.leader(rest...)
		time.Sleep(5 * time.Second)
		if h := c.call(wire.OpExists, &wire.ExistsRequest{Path: "/e"}, nil); h.Err != wire.OK {
			t.Errorf("5 s after the change of leader: %v", h.Err)
		}
	})
}

func TestSyncSeesWhatOthersWereTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		leader := e.leader(1, 2, 3)
		w := connect(t, e.servers[leader], wire.ConnectRequest{})
		r := connect(t, e.servers[others(leader)[0]], wire.ConnectRequest{})
		w.call(wire.OpCreate, create("/n", "", 0), nil)
		for i := range 50 {
			h := w.call(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: fmt.Append(nil, i), Version: -1}, nil)
			sync := r.call(wire.OpSync, &wire.SyncRequest{Path: "/n"}, nil)
			if sync.Zxid < h.Zxid {
				t.Fatalf("sync at %s after a write at %s", sync.Zxid, h.Zxid)
			}
			var get wire.GetDataResponse
			if r.call(wire.OpGetData, &wire.GetDataRequest{Path: "/n"}, &get); string(get.Data) != fmt.Sprint(i) {
				t.Fatalf("read %q after the sync, want %d", get.Data, i)
			}
		}
	})
}

func TestMemberThatWasAwayCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		leader := e.leader(1, 2, 3)
		away := others(leader)[0]
		c := connect(t, e.servers[leader], wire.ConnectRequest{})
		c.call(wire.OpCreate, create("/n", "", 0), nil)
		e.stop(away)
		big := make([]byte, 512<<10)
		for range 200 { // more than the log keeps, also for a member that is away
			c.call(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: big, Version: -1}, nil)
		}
		last := c.call(wire.OpCreate, create("/last", "seen", 0), nil)
		e.start(away)
		<-e.servers[away].Ready()
		back := connect(t, e.servers[away], wire.ConnectRequest{})
		back.call(wire.OpSync, &wire.SyncRequest{Path: "/"}, nil)
		var get wire.GetDataResponse
		if h := back.call(wire.OpGetData, &wire.GetDataRequest{Path: "/last"}, &get); h.Zxid < last.Zxid || string(get.Data) != "seen" {
			t.Fatalf("after it came back: %v %q at %s, want %s", h.Err, get.Data, h.Zxid, last.Zxid)
		}
		if n := e.servers[away].state.number; n < 2 {
			t.Errorf("tree %d: it caught up by the log, not by a checkpoint", n)
		}
		if d := e.servers[leader].machine.Tree().Counts(); d != e.servers[away].machine.Tree().Counts() {
			t.Errorf("counts differ: %+v and %+v", d, e.servers[away].machine.Tree().Counts())
		}
	})
}
