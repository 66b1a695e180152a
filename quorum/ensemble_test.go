package quorum_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"holt/quorum"
	"holt/quorum/quorumtest"
	"holt/quorum/simnet"
)

// ensemble is a set of members over a simulated network.
type ensemble struct {
	t       *testing.T
	net     *simnet.Network
	members map[uint64]*node
	config  []quorum.MemberConfig
	adjust  func(*quorum.Config) // applied to each member's configuration
	log     *zap.Logger
}

type node struct {
	*quorum.Member
	sm *quorumtest.Machine
	fs *vfs.MemFS
}

func newEnsemble(t *testing.T, n int, adjust func(*quorum.Config)) *ensemble {
	e := &ensemble{t: t, net: simnet.New(1), members: map[uint64]*node{}, adjust: adjust}
	e.log = zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	e.net.SetAll(simnet.Link{Delay: 200 * time.Microsecond, Jitter: 200 * time.Microsecond})
	for id := range uint64(n) {
		e.config = append(e.config, quorum.MemberConfig{ID: id + 1, Addr: addr(id + 1)})
	}
	for id := range uint64(n) {
		e.start(id+1, vfs.NewCrashableMem())
	}
	return e
}

func addr(id uint64) string { return fmt.Sprintf("m%d:1", id) }

func (e *ensemble) start(id uint64, fs *vfs.MemFS) *node {
	e.t.Helper()
	host := e.net.Host(fmt.Sprintf("m%d", id))
	sm, err := quorumtest.OpenMachine(fs, "state")
	if err != nil {
		e.t.Fatal(err)
	}
	cfg := quorum.Config{
		ID: id, Members: e.config, Dir: "quorum", FS: fs, StateMachine: sm,
		Listen: func() (net.Listener, error) { return host.Listen(addr(id)) },
		Dial:   func(ctx context.Context, a string) (net.Conn, error) { return host.Dial(ctx, a) },
		Logger: e.log,
	}
	if e.adjust != nil {
		e.adjust(&cfg)
	}
	m, err := quorum.Open(cfg)
	if err != nil {
		e.t.Fatal(err)
	}
	n := &node{Member: m, sm: sm, fs: fs}
	e.members[id] = n
	return n
}

// kill ends a member as kill -9 does, and with the unsynced part of its disk
// gone. The member's goroutines end afterwards, cut off from everything.
func (e *ensemble) kill(id uint64) *vfs.MemFS {
	e.t.Helper()
	n := e.members[id]
	fs := n.fs.CrashClone(vfs.CrashCloneCfg{})
	e.net.Host(fmt.Sprintf("m%d", id)).Crash()
	delete(e.members, id)
	go n.Close()
	return fs
}

func (e *ensemble) close() {
	for _, n := range e.members {
		go n.Close()
	}
	for _, n := range e.members {
		if err := n.Close(); err != nil {
			e.t.Errorf("close: %v", err)
		}
	}
	time.Sleep(time.Minute) // killed members end, too
}

// leader waits for one that most members agree on.
func (e *ensemble) leader() *node {
	e.t.Helper()
	for range 1000 {
		leads := map[quorum.Leadership]int{}
		for _, n := range e.members {
			l := n.Leadership()
			l.Self = false
			leads[l]++
		}
		for l, votes := range leads {
			if votes > len(e.members)/2 && e.members[l.Leader] != nil {
				return e.members[l.Leader]
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	for id, n := range e.members {
		e.t.Logf("member %d: %+v", id, n.Status())
	}
	e.t.Fatal("no leader")
	return nil
}

// propose proposes n entries to whoever leads.
func (e *ensemble) propose(n int) {
	e.t.Helper()
	for range n {
		for e.leader().Propose([]byte("some entry")) != nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// settle waits until all members have applied everything, and compares them.
func (e *ensemble) settle() (index, count uint64) {
	e.t.Helper()
	barrier(e.t, e.leader().Member)
	for range 2000 {
		type facts struct{ index, digest, count uint64 }
		all := map[facts]bool{}
		var f facts
		for _, n := range e.members {
			f.index, f.digest = n.sm.Digest()
			f.count = n.sm.Count()
			all[f] = true
		}
		if len(all) == 1 {
			return f.index, f.count
		}
		time.Sleep(5 * time.Millisecond)
	}
	for id, n := range e.members {
		index, digest := n.sm.Digest()
		e.t.Errorf("member %d: index %d digest %x count %d; %+v", id, index, digest, n.sm.Count(), n.Status())
	}
	e.t.Fatal("members do not agree")
	return 0, 0
}

func TestThree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, nil)
		defer e.close()
		start := time.Now()
		l := e.leader()
		t.Logf("member %d leads after %v", l.Leadership().Leader, time.Since(start))
		e.propose(200)
		if _, count := e.settle(); count != 200 {
			t.Errorf("%d entries, want 200", count)
		}
		for id, n := range e.members {
			barrier(t, n.Member)
			if id != l.Leadership().Leader {
				if err := n.Propose([]byte("x")); !errors.Is(err, quorum.ErrNotLeader) {
					t.Errorf("propose on follower: %v", err)
				}
			}
		}
	})
}

func TestLeaderKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, nil)
		defer e.close()
		count := uint64(0)
		for round := range 10 {
			e.propose(20)
			count += 20
			e.settle()
			id := e.leader().Leadership().Leader
			fs := e.kill(id)
			start := time.Now()
			e.leader()
			took := time.Since(start)
			if took > 300*time.Millisecond {
				t.Errorf("round %d: new leader after %v", round, took)
			}
			e.propose(10)
			count += 10
			e.start(id, fs)
			if _, n := e.settle(); n != count {
				t.Errorf("round %d: %d entries, want %d", round, n, count)
			}
		}
	})
}

// small makes logs so short that a member which is away needs a snapshot.
func small(c *quorum.Config) {
	c.FlushBytes, c.LogBytes, c.LogBytesMax = 4<<10, 16<<10, 64<<10
	c.FlushInterval = time.Second
}

func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, small)
		defer e.close()
		e.propose(10)
		e.settle()
		away := e.leader().Leadership().Leader%3 + 1
		fs := e.kill(away)
		for range 50 {
			e.propose(100)
			time.Sleep(100 * time.Millisecond)
		}
		s := e.leader().Status()
		if s.First < 1000 || s.LogBytes > 70<<10 {
			t.Errorf("log was not truncated: %+v", s)
		}
		n := e.start(away, fs)
		if _, count := e.settle(); count != 5010 {
			t.Errorf("%d entries, want 5010", count)
		}
		if n.Metrics().SnapshotsInstalled.Load() != 1 {
			t.Errorf("%d snapshots installed", n.Metrics().SnapshotsInstalled.Load())
		}
		e.propose(10)
		e.settle()
		if names, err := n.fs.List("quorum/snapshots"); err != nil || len(names) > 0 {
			t.Errorf("left over: %v %v", names, err)
		}
	})
}

// TestShortAbsence: the log is kept for a member that was away for a moment.
func TestShortAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, small)
		defer e.close()
		e.propose(1000)
		e.settle()
		away := e.leader().Leadership().Leader%3 + 1
		fs := e.kill(away)
		e.propose(1000)
		time.Sleep(5 * time.Second)
		n := e.start(away, fs)
		if _, count := e.settle(); count != 2000 {
			t.Errorf("%d entries, want 2000", count)
		}
		if n.Metrics().SnapshotsInstalled.Load() != 0 {
			t.Error("a snapshot was needed")
		}
	})
}

// TestEndOneByOne: a leader that ends hands over to a member that is there, not to one that has
// just ended, and to nobody when it is the last.
func TestEndOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, nil)
		l := e.leader()
		order := []*node{l}
		for _, n := range e.members {
			if n != l {
				order = append([]*node{n}, order...)
			}
		}
		order[1], order[2] = order[2], order[1] // a follower, the leader, the rest
		for i, n := range order {
			began := time.Now()
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("member %d of three took %v to end", i+1, took)
			}
		}
		e.members = nil
		e.close()
	})
}
