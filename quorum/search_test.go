package quorum_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum"
)

// discovering is how members run where there are changes of membership.
func discovering(c *quorum.Config) {
	small(c)
	c.Discover = true
}

// newcomer starts a member whose configuration lists it besides the founders.
func (e *ensemble) newcomer(id uint64) *node {
	if !slices.ContainsFunc(e.config, func(m quorum.MemberConfig) bool { return m.ID == id }) {
		e.config = append(slices.Clone(e.config), quorum.MemberConfig{ID: id, Addr: addr(id)})
	}
	return e.start(id, vfs.NewCrashableMem())
}

// role waits until a member has it, as the leader sees it: "learner", "voter" or "" for none.
func (e *ensemble) role(id uint64, want string) {
	e.t.Helper()
	var got string
	for range 400 {
		got = ""
		for _, m := range e.leader().Status().Members {
			switch {
			case m.ID != id:
			case m.Learner:
				got = "learner"
			default:
				got = "voter"
			}
		}
		if got == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	e.t.Fatalf("member %d: %q, want %q", id, got, want)
}

// expel ends a member that has to report its removal, and returns its disk.
func (e *ensemble) expel(id uint64) *vfs.MemFS {
	e.t.Helper()
	n := e.members[id]
	if err := failed(e.t, n.Member); !errors.Is(err, quorum.ErrRemoved) {
		e.t.Fatalf("member %d ends with %v, want its removal", id, err)
	}
	delete(e.members, id)
	if err := n.Close(); err != nil {
		e.t.Error(err)
	}
	return n.fs
}

func TestNewcomersAndRemovedMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, discovering)
		defer e.close()
		e.propose(300)
		e.settle()

		// Two newcomers become learners by themselves, and voters when they are told.
		e.newcomer(4)
		e.role(4, "learner")
		e.newcomer(5)
		e.role(5, "learner")
		e.settle()
		e.change(quorum.MembershipChange{Add: []quorum.MemberConfig{{ID: 4, Addr: addr(4)}, {ID: 5, Addr: addr(5)}}})
		e.propose(10)
		e.settle()

		// One that is removed while it is cut off is told when it comes back; with its old log it
		// stays refused, with an empty one it is a newcomer.
		gone := e.leader().Leadership().Leader%3 + 1
		e.net.Isolate("m" + string('0'+rune(gone)))
		e.change(quorum.MembershipChange{Remove: []uint64{gone}})
		e.propose(10)
		e.net.Rejoin("m" + string('0'+rune(gone)))
		old := e.expel(gone)
		e.start(gone, old)
		e.expel(gone)
		e.newcomer(gone)
		e.role(gone, "learner")
		e.settle()
		e.change(quorum.MembershipChange{Add: []quorum.MemberConfig{{ID: gone, Addr: addr(gone)}}})

		// The old log is not let in beside the new one.
		again := e.kill(gone)
		n := e.start(gone, old)
		time.Sleep(5 * time.Second)
		if s := n.Status(); s.Leader != 0 {
			t.Errorf("with an old log: %+v", s)
		}
		e.kill(gone)
		e.start(gone, again)
		e.propose(10)
		e.settle()
	})
}

func TestMemberWithoutItsLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, discovering)
		defer e.close()
		e.propose(100)
		e.settle()
		// Wiped, it waits; removed, it is a newcomer; added, it is back.
		wiped := e.leader().Leadership().Leader%3 + 1
		e.kill(wiped)
		n := e.start(wiped, vfs.NewCrashableMem())
		time.Sleep(5 * time.Second)
		if l := n.Leadership(); l.Leader != 0 {
			t.Fatalf("a member without its log takes part: %+v", l)
		}
		e.change(quorum.MembershipChange{Remove: []uint64{wiped}})
		e.role(wiped, "learner")
		e.settle()
		e.change(quorum.MembershipChange{Add: []quorum.MemberConfig{{ID: wiped, Addr: addr(wiped)}}})
		e.role(wiped, "voter")
		e.propose(10)
		e.settle()
	})
}

// TestLeaderRemovesItself: leadership is handed over first, so that nobody waits for an election.
func TestLeaderRemovesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, discovering)
		defer e.close()
		e.propose(100)
		e.settle()
		old := e.leader().Leadership().Leader
		if err := e.members[old].StartChange(quorum.MembershipChange{Remove: []uint64{old}}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for e.members[old].Leadership().Leader == old {
			time.Sleep(time.Millisecond)
		}
		rest := e.members[old]
		delete(e.members, old)
		e.leader()
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("another leader after %v", took)
		}
		e.role(old, "")
		e.propose(10)
		e.settle()
		e.members[old] = rest
		e.expel(old)
	})
}

// TestAsk: a state machine's question comes to that of another member, whose answer comes back; there is none of a
// member that knows no questions, and an error of one that cannot be reached.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, 3, func(c *quorum.Config) {
			small(c)
			if id := c.ID; id != 3 {
				c.OnQuestion = func(from uint64, q []byte) []byte { return fmt.Appendf(nil, "%d to %d: %s", from, id, q) }
			}
		})
		defer e.close()
		e.leader()
		for id, want := range map[uint64]string{2: "1 to 2: how far", 3: ""} {
			if got, err := e.members[1].Ask(t.Context(), id, []byte("how far")); err != nil || string(got) != want {
				t.Errorf("member %d: %q, %v, want %q", id, got, err, want)
			}
		}
		e.kill(2)
		for _, id := range []uint64{2, 4} {
			if got, err := e.members[1].Ask(t.Context(), id, nil); err == nil {
				t.Errorf("member %d: %q", id, got)
			}
		}
	})
}
