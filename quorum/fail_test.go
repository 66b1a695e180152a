package quorum_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holt/quorum"
)

// failing makes writes to some files fail from when it is switched on.
type failing struct {
	on   atomic.Bool
	kind func(op errorfs.Op) bool
	err  error
}

func (f *failing) String() string { return "failing" }

func (f *failing) MaybeError(op errorfs.Op) error {
	if f.on.Load() && f.kind(op) {
		return f.err
	}
	return nil
}

// failed waits for a member's failure.
func failed(t *testing.T, m *quorum.Member) error {
	t.Helper()
	select {
	case err := <-m.Failed():
		return err
	case <-time.After(time.Minute):
		t.Fatal("member goes on")
		return nil
	}
}

func TestDiskFails(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		kind func(op errorfs.Op) bool
	}{
		{"fsync of the log", syscall.EIO, func(op errorfs.Op) bool {
			return strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData)
		}},
		{"disk full", syscall.ENOSPC, func(op errorfs.Op) bool {
			return strings.HasPrefix(op.Path, "quorum/log") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite
		}},
		{"state machine", syscall.EIO, func(op errorfs.Op) bool {
			return strings.HasPrefix(op.Path, "state") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := vfs.NewCrashableMem()
				f := &failing{kind: c.kind, err: c.err}
				sm := openMachine(t, errorfs.Wrap(disk, f))
				m, err := quorum.Open(quorum.Config{
					ID: 1, Members: []quorum.MemberConfig{{ID: 1}}, Dir: "quorum", FS: errorfs.Wrap(disk, f), StateMachine: sm,
					FlushInterval: time.Second,
				})
				if err != nil {
					t.Fatal(err)
				}
				barrier(t, m)
				if err := m.Propose([]byte("before")); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				before := sm.Count()
				f.on.Store(true)
				if err := m.Propose([]byte("after")); err != nil {
					t.Fatal(err)
				}
				if err := failed(t, m); !errors.Is(err, c.err) {
					t.Errorf("failed with %v", err)
				}
				if err := m.Propose([]byte("x")); !errors.Is(err, quorum.ErrClosed) {
					t.Errorf("propose after failure: %v", err)
				}
				if c.name != "state machine" && sm.Count() != before {
					t.Errorf("%d entries applied, want %d", sm.Count(), before)
				}
				m.Close() // its error says the same again

				// When the disk is mended the member starts again.
				image := disk.CrashClone(vfs.CrashCloneCfg{})
				sm = openMachine(t, image)
				m = openAlone(t, image, sm)
				barrier(t, m)
				if sm.Count() < before {
					t.Errorf("%d entries after restart, want at least %d", sm.Count(), before)
				}
				if err := m.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestLogLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewCrashableMem()
		sm := openMachine(t, disk)
		m := openAlone(t, disk, sm)
		barrier(t, m)
		early := disk.CrashClone(vfs.CrashCloneCfg{})
		for range 10 {
			if err := m.Propose([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		barrier(t, m)
		if err := sm.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		// The log of yesterday, the state of today.
		_, err := quorum.Open(quorum.Config{
			ID: 1, Members: []quorum.MemberConfig{{ID: 1}}, Dir: "quorum", FS: early, StateMachine: sm,
		})
		if !errors.Is(err, quorum.ErrLogLost) {
			t.Errorf("open: %v", err)
		}
	})
}

func TestWrongConfig(t *testing.T) {
	disk := vfs.NewMem()
	sm := openMachine(t, disk)
	m := openAlone(t, disk, sm)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	one := []quorum.MemberConfig{{ID: 1}, {ID: 2}}
	for _, c := range []struct {
		want string
		cfg  quorum.Config
	}{
		{"belongs to member 1", quorum.Config{ID: 2, Members: one, Dir: "quorum", FS: disk, StateMachine: sm}},
		{"not among the members", quorum.Config{ID: 3, Members: one, Dir: "other", FS: disk, StateMachine: sm}},
		{"member id 0", quorum.Config{Members: one, Dir: "quorum", FS: disk, StateMachine: sm}},
		{"no state machine", quorum.Config{ID: 1, Members: one, Dir: "quorum", FS: disk}},
		{"no directory", quorum.Config{ID: 1, Members: one, FS: disk, StateMachine: sm}},
		{"used twice", quorum.Config{ID: 1, Members: append(one, one...), Dir: "quorum", FS: disk, StateMachine: sm}},
	} {
		if m, err := quorum.Open(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
			if m != nil {
				m.Close()
			}
		}
	}
}

// faulty is a state machine that fails at one Apply, when told to go on, and would do the next ones.
type faulty struct {
	quorum.StateMachine
	fails atomic.Bool
	goOn  chan struct{}
	after atomic.Int64 // calls of Apply after the failure
}

var errFaulty = errors.New("read of a page failed")

func (f *faulty) Apply(entries []quorum.Entry) error {
	if f.goOn == nil {
		return f.StateMachine.Apply(entries)
	}
	if !f.fails.CompareAndSwap(false, true) {
		f.after.Add(1)
		return nil
	}
	<-f.goOn
	return errFaulty
}

// TestNothingIsAppliedAfterAFailure: an entry that the state machine failed at is missing in its state, whatever comes
// of the next ones, which are committed already and wait.
func TestNothingIsAppliedAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		sm := &faulty{StateMachine: openMachine(t, disk)}
		m := openAlone(t, disk, sm)
		barrier(t, m)
		sm.goOn = make(chan struct{})
		var answered atomic.Int64
		for range 3 {
			if err := m.Propose([]byte("x")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // committed, in a job of its own
		}
		m.ReadBarrier(func(err error) {
			if err == nil {
				answered.Add(1)
			}
		})
		synctest.Wait()
		close(sm.goOn)
		if err := failed(t, m); !errors.Is(err, errFaulty) {
			t.Errorf("failed with %v", err)
		}
		synctest.Wait()
		if n := sm.after.Load(); n != 0 {
			t.Errorf("%d entries were applied to a state that lacks one before them", n)
		}
		if answered.Load() != 0 {
			t.Error("a read was answered from that state")
		}
		m.Close() // its error says the same again
	})
}
