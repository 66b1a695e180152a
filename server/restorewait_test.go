package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holt/quorum"
	"holt/server/apply"
	"holt/wire"
)

// slowTree holds up, or fails, the first writes of files of the tree that a member makes of a staged snapshot.
type slowTree struct {
	left atomic.Int64
	each time.Duration
	err  error
}

func (f *slowTree) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || !strings.Contains(op.Path, "tree-2") || f.left.Add(-1) < 0 {
		return nil
	}
	time.Sleep(f.each)
	return f.err
}

func (f *slowTree) String() string { return "slow tree" }

// slowEnsemble is one whose members' trees can be slow, and a snapshot of it.
func slowEnsemble(t *testing.T) (e *testEnsemble, slow map[uint64]*slowTree, snapshot []byte) {
	slow = map[uint64]*slowTree{1: {}, 2: {}, 3: {}}
	e = newTestEnsembleOf(t, func(id uint64, c *Config) { c.FS = errorfs.Wrap(c.FS, slow[id]) })
	leader := e.leader(1, 2, 3)
	e.awaitFormat()
	c := connect(t, e.servers[leader], wire.ConnectRequest{})
	c.call(wire.OpCreate, create("/n", "old", 0), nil)
	snapshot = snapshotOf(t, e.servers[leader])
	c.call(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte("new"), Version: -1}, nil)
	return e, slow, snapshot
}

// TestRestoreAwaitsMembers: members that take long to make a tree of the snapshot do so before the restore, and
// writes go on meanwhile: the leader and a majority whatever it takes, others for a while.
func TestRestoreAwaitsMembers(t *testing.T) {
	const each, ops = 6 * time.Second, 5
	for name, late := range map[string]func(leader uint64) []uint64{
		"the leader":        func(leader uint64) []uint64 { return []uint64{leader} },
		"all but the asked": func(leader uint64) []uint64 { return []uint64{leader, others(leader)[1]} },
		"one of three":      func(leader uint64) []uint64 { return []uint64{others(leader)[1]} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, slow, snapshot := slowEnsemble(t)
				leader := e.leader(1, 2, 3)
				asked := others(leader)[0]
				for _, id := range late(leader) {
					slow[id].each = each
					slow[id].left.Store(ops)
				}
				done := make(chan error, 1)
				began := time.Now()
				go func() {
					_, err := e.servers[asked].restoreSnapshot(context.Background(), bytes.NewReader(snapshot))
					done <- err
				}()
				pauses := map[uint64]<-chan time.Duration{}
				for id, server := range e.servers {
					if name != "one of three" || slow[id].each == 0 {
						pauses[id] = writesUntilRestored(t, server)
					}
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				took := time.Since(began)
				for id, longest := range pauses {
					if p := <-longest; p > time.Second {
						t.Errorf("a write at member %d took %v", id, p)
					}
				}
				if alone := name == "one of three"; took < stragglersWait || alone && took > 2*stragglersWait || !alone && took < ops*each {
					t.Errorf("the restore took %v", took)
				}
				e.same()
			})
		})
	}
}

// TestRestoreOvertaken: while the member that was asked makes its tree, another one restores. The first says that.
func TestRestoreOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, slow, snapshot := slowEnsemble(t)
		leader := e.leader(1, 2, 3)
		first, second := others(leader)[0], others(leader)[1]
		slow[first].each = 2 * time.Second
		slow[first].left.Store(5)
		done := make(chan error, 1)
		go func() {
			_, err := e.servers[first].restoreSnapshot(context.Background(), bytes.NewReader(snapshot))
			done <- err
		}()
		for e.servers[first].rebuilt.Load() == nil {
			time.Sleep(time.Millisecond)
		}
		if _, err := e.servers[second].restoreSnapshot(t.Context(), bytes.NewReader(snapshot)); err != nil {
			t.Errorf("the second: %v", err)
		}
		if err := <-done; err == nil || !strings.Contains(err.Error(), "another restore was begun") {
			t.Errorf("the first: %v", err)
		}
		e.same()
	})
}

// writesUntilRestored writes at a member until that has restored, and yields how long the slowest write took.
func writesUntilRestored(t *testing.T, s *Server) <-chan time.Duration {
	c := connect(t, s, wire.ConnectRequest{})
	longest := make(chan time.Duration, 1)
	go func() {
		var most time.Duration
		for {
			before := time.Now()
			c.xid++
			b, mark := wire.BeginFrame(nil)
			b = (&wire.RequestHeader{Xid: c.xid, Op: wire.OpSetData}).AppendTo(b)
			b = (&wire.SetDataRequest{Path: "/n", Data: []byte("newer"), Version: -1}).AppendTo(b)
			_, err := c.nc.Write(wire.EndFrame(b, mark))
			if err == nil {
				_, err = c.frames.Next()
			}
			most = max(most, time.Since(before))
			if err != nil { // connections end with the restore
				longest <- most
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return longest
}

// TestRestoreRefusedByMember: one member cannot make a tree of the snapshot. The restore is refused, and the member goes on.
func TestRestoreRefusedByMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, slow, snapshot := slowEnsemble(t)
		leader := e.leader(1, 2, 3)
		asked, fails := others(leader)[0], others(leader)[1]
		slow[fails].err = errors.New("no space left")
		slow[fails].left.Store(1)
		_, err := e.servers[asked].restoreSnapshot(context.Background(), bytes.NewReader(snapshot))
		if want := fmt.Sprintf("member %d cannot make a tree of the snapshot", fails); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("restore: %v, want %q", err, want)
		}
		for id, s := range e.servers {
			if got := data(t, connect(t, s, wire.ConnectRequest{}), "/n"); got != "new" {
				t.Errorf("member %d: %q", id, got)
			}
		}
	})
}

// TestTally: who must be ready for a restore to go on, and who is told to be late.
func TestTally(t *testing.T) {
	status := &quorum.Status{ID: 1, Leadership: quorum.Leadership{Leader: 2}}
	for id := uint64(1); id <= 6; id++ {
		status.Members = append(status.Members, quorum.MemberConfig{ID: id, Learner: id == 6})
	}
	d, u, a, o := buildDone, buildUnderway, buildAway, buildUnknown
	for _, tc := range []struct {
		states []buildState
		leader uint64
		ready  bool
		late   string
	}{
		{[]buildState{d, d, d, d, d, d}, 2, true, "[]"},
		{[]buildState{d, d, d, a, a, a}, 2, true, "[]"},
		{[]buildState{d, d, d, u, a, u}, 2, true, "[4 6]"},
		{[]buildState{d, d, u, a, a, d}, 2, false, "[3]"},
		{[]buildState{d, u, d, d, d, d}, 2, false, "[2]"},
		{[]buildState{d, a, d, d, d, d}, 2, false, "[]"},
		{[]buildState{d, o, o, a, a, d}, 2, true, "[]"}, // an upgrade is going on
		{[]buildState{d, d, d, d, d, d}, 0, false, "[]"},
	} {
		states := map[uint64]buildState{}
		for i, s := range tc.states {
			states[uint64(i+1)] = s
		}
		status.Leader = tc.leader
		if ready, late := tally(status, states); ready != tc.ready || fmt.Sprint(late) != tc.late {
			t.Errorf("%v, leader %d: %v, %v, want %v, %s", tc.states, tc.leader, ready, late, tc.ready, tc.late)
		}
	}
}

// TestQuestions: a question that is not known has no answer.
func TestQuestions(t *testing.T) {
	s := newServer(t, nil)
	known := appendBuiltQuestion(nil, apply.StagingID{Member: 1})
	if got := s.onQuestion(2, known); len(got) != 1 || buildState(got[0]) != buildUnderway {
		t.Errorf("answer %v", got)
	}
	for _, q := range [][]byte{nil, known[:len(known)-1], append([]byte("x"), known[1:]...)} {
		if got := s.onQuestion(2, q); got != nil {
			t.Errorf("question %v: answer %v", q, got)
		}
	}
}
