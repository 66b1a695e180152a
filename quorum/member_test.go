package quorum_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"holt/quorum"
	"holt/quorum/quorumtest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *childFlag != "" {
		fmt.Fprintln(os.Stderr, runChild(*childFlag))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func openMachine(t *testing.T, fs vfs.FS) *quorumtest.Machine {
	t.Helper()
	sm, err := quorumtest.OpenMachine(fs, "state")
	if err != nil {
		t.Fatal(err)
	}
	return sm
}

func openAlone(t *testing.T, fs vfs.FS, sm quorum.StateMachine) *quorum.Member {
	t.Helper()
	m, err := quorum.Open(quorum.Config{
		ID: 1, Members: []quorum.MemberConfig{{ID: 1}}, Dir: "quorum", FS: fs, StateMachine: sm,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// barrier waits for a read barrier.
func barrier(t *testing.T, m *quorum.Member) {
	t.Helper()
	done := make(chan error, 1)
	m.ReadBarrier(func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatalf("barrier: %v", err)
	}
}

func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		sm := openMachine(t, fs)
		start := time.Now()
		m := openAlone(t, fs, sm)
		barrier(t, m)
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("ready after %v", took)
		}
		for i := range 100 {
			if err := m.Propose(fmt.Appendf(nil, "entry %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		index, _ := sm.Digest()
		count := sm.Count()
		if count != 100 {
			t.Errorf("%d entries applied, want 100", count)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if err := m.Propose([]byte("late")); !errors.Is(err, quorum.ErrClosed) {
			t.Errorf("propose after close: %v", err)
		}

		// The state machine lost everything; the log brings it back.
		sm = openMachine(t, fs)
		m = openAlone(t, fs, sm)
		barrier(t, m)
		if i, n := sm.Applied(), sm.Count(); i <= index || n != 100 {
			t.Errorf("after restart: index %d, %d entries; before: %d", i, n, index)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
