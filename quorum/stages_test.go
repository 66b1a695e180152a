package quorum

import (
	"testing"
	"time"
)

// TestStages walks jobs through the orders in which they can be saved and committed.
func TestStages(t *testing.T) {
	var s stages
	var m Metrics
	at := func(ms int) time.Duration { return time.Duration(1_000_000+ms) * time.Millisecond }
	check := func(what string, saves, commits, commitMillis int64) {
		t.Helper()
		save, commit, quorum := m.SaveNanos.Snapshot(), m.CommitNanos.Snapshot(), m.QuorumNanos.Snapshot()
		if save.Count() != saves || commit.Count() != commits || quorum.Count() != commits || commit.Sum() != commitMillis*1e6 {
			t.Errorf("%s: %d saves, %d commits of %v, %d quorums; want %d, %d of %d ms", what,
				save.Count(), commit.Count(), time.Duration(commit.Sum()), quorum.Count(), saves, commits, commitMillis)
		}
	}
	s.durable(&m, 5, at(0), at(2))
	s.durable(&m, 9, at(1), at(3))
	check("nothing committed", 2, 0, 0)
	s.commit(&m, 7, at(10))
	check("the first", 2, 1, 8)
	s.commit(&m, 12, at(20)) // 10 to 12 are not saved here yet
	check("the second", 2, 2, 25)
	s.durable(&m, 12, at(4), at(30))
	check("committed before it was saved", 3, 3, 25)
	// A new leader overwrites 13 to 20 by other entries.
	s.durable(&m, 20, at(40), at(41))
	s.durable(&m, 15, at(50), at(51))
	s.commit(&m, 15, at(60))
	check("overwritten", 5, 4, 34)
	for i := range uint64(stagesMax + 10) {
		s.durable(&m, 100+i, at(0), at(0))
	}
	if len(s.waiting) != stagesMax {
		t.Errorf("%d jobs wait", len(s.waiting))
	}
	s.commit(&m, 1<<40, at(100))
	if len(s.waiting) != 0 {
		t.Errorf("%d jobs wait after all was committed", len(s.waiting))
	}
}

func BenchmarkStages(b *testing.B) {
	var s stages
	var m Metrics
	now := time.Second
	b.ReportAllocs()
	for i := uint64(1); b.Loop(); i++ {
		s.durable(&m, i, now, now)
		s.commit(&m, i, now)
	}
}
