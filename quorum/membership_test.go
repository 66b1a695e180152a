package quorum_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum"
)

// change makes a change on whoever leads.
func (e *ensemble) change(c quorum.MembershipChange) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		err := e.leader().ChangeMembership(ctx, c)
		if err == nil {
			return
		}
		if !errors.Is(err, quorum.ErrChangePending) && !errors.Is(err, quorum.ErrNotLeader) {
			e.t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// join starts a member that was not among the founders.
func (e *ensemble) join(id uint64) {
	adjust := e.adjust
	e.adjust = func(c *quorum.Config) {
		if adjust != nil {
			adjust(c)
		}
		c.Join = true
	}
	e.start(id, vfs.NewCrashableMem())
	e.adjust = adjust
}

func TestMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, small)
		defer e.close()
		e.propose(100)
		e.settle()

		// A member joins as a learner and becomes a voter.
		e.join(4)
		e.change(quorum.MembershipChange{
			Add: []quorum.MemberConfig{{ID: 4, Addr: addr(4), Learner: true}}, Data: []byte("add 4"),
		})
		if _, count := e.settle(); count != 101 {
			t.Errorf("%d entries, want 101 with the change", count)
		}
		e.change(quorum.MembershipChange{Add: []quorum.MemberConfig{{ID: 4, Addr: addr(4)}}})

		// Two are replaced at once: joint consensus.
		e.join(5)
		e.join(6)
		leader := e.leader().Leadership().Leader
		var gone []uint64
		for id := uint64(1); len(gone) < 2; id++ {
			if id != leader {
				gone = append(gone, id)
			}
		}
		e.change(quorum.MembershipChange{
			Add:    []quorum.MemberConfig{{ID: 5, Addr: addr(5)}, {ID: 6, Addr: addr(6)}},
			Remove: gone,
		})
		for _, id := range gone {
			n := e.members[id]
			delete(e.members, id)
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
		e.propose(10)
		e.settle()

		// The leader removes itself.
		leader = e.leader().Leadership().Leader
		removed := e.members[leader]
		if err := removed.StartChange(quorum.MembershipChange{Remove: []uint64{leader}}); err != nil {
			t.Fatal(err)
		}
		delete(e.members, leader)
		e.role(leader, "")
		e.propose(10)
		e.settle()
		if err := removed.Close(); err != nil {
			t.Error(err)
		}

		// The change survives a restart of everybody.
		want := e.leader().Status().Members
		disks := map[uint64]*vfs.MemFS{}
		for id := range e.members {
			disks[id] = e.kill(id)
		}
		for id, disk := range disks {
			e.start(id, disk)
		}
		e.propose(10)
		e.settle()
		if got := e.leader().Status().Members; !slices.Equal(got, want) {
			t.Errorf("members %v, want %v", got, want)
		}
	})
}

func TestRefusedChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, nil)
		defer e.close()
		ctx := context.Background()
		l := e.leader()
		barrier(t, l.Member)
		for name, c := range map[string]quorum.MembershipChange{
			"nothing":        {},
			"no voters left": {Remove: []uint64{1, 2, 3}},
			"id 0":           {Add: []quorum.MemberConfig{{Addr: "x"}}},
			"both":           {Add: []quorum.MemberConfig{{ID: 3}}, Remove: []uint64{3}},
		} {
			if err := l.ChangeMembership(ctx, c); err == nil || errors.Is(err, quorum.ErrChangePending) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for id, n := range e.members {
			if n == l {
				continue
			}
			if err := n.ChangeMembership(ctx, quorum.MembershipChange{Remove: []uint64{id}}); !errors.Is(err, quorum.ErrNotLeader) {
				t.Errorf("on follower: %v", err)
			}
		}
		// The members are unharmed.
		e.propose(1)
		e.settle()
	})
}

func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, func(c *quorum.Config) { c.Members = withLearner(c.Members, 3) })
		defer e.close()
		e.propose(20)
		e.settle()
		barrier(t, e.members[3].Member)
		if s := e.members[3].Status(); s.Role != "learner" {
			t.Errorf("member 3 is %s", s.Role)
		}
		// Both voters are needed, the learner is not.
		e.net.Isolate("m3")
		e.propose(5)
		e.net.Rejoin("m3")
		e.settle()
	})
}

func withLearner(members []quorum.MemberConfig, id uint64) []quorum.MemberConfig {
	members = slices.Clone(members)
	for i := range members {
		members[i].Learner = members[i].ID == id
	}
	return members
}
