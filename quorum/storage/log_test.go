package storage

import (
	"errors"
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, abandoned...)
}

// small options make the log read entries from disk.
func small(vol vfs.FS) Options {
	return Options{FS: vol, RecentBytes: 1 << 10, MemTableBytes: 64 << 10, Quiet: true}
}

func mustOpen(t *testing.T, vol vfs.FS) *Log {
	t.Helper()
	l, err := Open("log", small(vol))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLife compares the log with the model after each step, before and after
// it was opened anew.
func TestLife(t *testing.T) {
	vol := vfs.NewMem()
	l := mustOpen(t, vol)
	var m model
	for _, s := range life() {
		if err := s.do(l); err != nil {
			t.Fatalf("%s: %v", s.comment, err)
		}
		m = m.do(s)
		for _, reopened := range []bool{false, true} {
			if reopened {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = mustOpen(t, vol)
			}
			got, err := describe(l)
			if err != nil {
				t.Fatalf("%s: %v", s.comment, err)
			}
			if want := m.describe(); got != want {
				t.Fatalf("%s, reopened %v:\n%s\nwant\n%s", s.comment, reopened, got, want)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(Write{Sync: true}); !errors.Is(err, ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
}

// TestReads asks for every range of entries, from memory and from disk.
func TestReads(t *testing.T) {
	l := mustOpen(t, vfs.NewMem())
	defer l.Close()
	for _, s := range life()[:9] {
		if err := s.do(l); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := l.FirstIndex()
	last, _ := l.LastIndex()
	if first != 13 || last != 40 {
		t.Fatalf("log from %d to %d", first, last)
	}
	if l.mu.recent.first <= first+5 {
		t.Fatalf("entries from %d in memory: too many for this test", l.mu.recent.first)
	}
	for lo := first; lo <= last; lo++ {
		term, err := l.Term(lo)
		for hi := lo + 1; hi <= last+1; hi++ {
			ents, eerr := l.Entries(lo, hi, math.MaxUint64)
			if err != nil || eerr != nil || len(ents) != int(hi-lo) || ents[0].GetIndex() != lo || ents[0].GetTerm() != term {
				t.Fatalf("entries [%d, %d): %d, %v; term %d, %v", lo, hi, len(ents), eerr, term, err)
			}
			if ents, err := l.Entries(lo, hi, 0); err != nil || len(ents) != 1 {
				t.Fatalf("entries [%d, %d) of no size: %d, %v", lo, hi, len(ents), err)
			}
		}
	}
	if _, err := l.Entries(first-1, last, math.MaxUint64); !errors.Is(err, raft.ErrCompacted) {
		t.Errorf("entries before the beginning: %v", err)
	}
	if _, err := l.Term(first - 2); !errors.Is(err, raft.ErrCompacted) {
		t.Errorf("term before the beginning: %v", err)
	}
	if _, err := l.Entries(last, last+2, math.MaxUint64); !errors.Is(err, raft.ErrUnavailable) {
		t.Errorf("entries after the end: %v", err)
	}
	if _, err := l.Term(last + 1); !errors.Is(err, raft.ErrUnavailable) {
		t.Errorf("term after the end: %v", err)
	}
}

func TestRefusedWrites(t *testing.T) {
	for _, c := range []struct {
		name string
		w    Write
	}{
		{"gap", Write{Entries: entriesOf(42, 43, 4)}},
		{"before the beginning", Write{Entries: entriesOf(12, 13, 4)}},
		{"hole inside", Write{Entries: append(entriesOf(41, 42, 4), entriesOf(44, 44, 4)...)}},
		{"truncate past the commit index", Write{Truncate: 20}},
		{"truncate past the end", Write{Truncate: 50, Hard: &Hard{Term: 4, Commit: 40}}},
		{"snapshot without configuration", Write{Install: &Install{Index: 90, Term: 9, Dir: "x"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := mustOpen(t, vfs.NewMem())
			for _, s := range life()[:9] {
				if err := s.do(l); err != nil {
					t.Fatal(err)
				}
			}
			err := l.Write(c.w)
			if err == nil {
				t.Fatal("accepted")
			}
			if again := l.Write(Write{Sync: true}); again == nil || again != l.Err() {
				t.Errorf("next write: %v, Err: %v", again, l.Err())
			}
		})
	}
}
