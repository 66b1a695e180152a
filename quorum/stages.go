package quorum

import (
	"sync"
	"time"
)

// now is the time since the member was opened. It is for measuring: it costs half of what time.Now does.
func (m *Member) now() time.Duration { return time.Since(m.opened) }

// stagesMax bounds the jobs whose way to their commit is measured at the same time; those beyond
// are not.
const stagesMax = 4096

// stages measures how long entries take on their way, job by job: what is written together or
// committed together is one sample.
//
//	Propose ─▶ handed to the log ──save──▶ durable here ──commit──▶ committed ──apply──▶ applied
//
// A job that was committed before it was durable here (the others were faster) has a commit
// of 0.
type stages struct {
	mu        sync.Mutex
	committed uint64
	waiting   []savedJob // durable and not committed, ascending by index
}

// savedJob is the last entry of a job.
type savedJob struct {
	index         uint64
	handed, saved time.Duration // since the member was opened
}

// durable notes that a job whose last entry is index is on disk, and measures its save.
func (s *stages) durable(m *Metrics, index uint64, handed, now time.Duration) {
	m.SaveNanos.Observe(int64(now - handed))
	s.mu.Lock()
	defer s.mu.Unlock()
	if index <= s.committed {
		m.CommitNanos.Observe(0)
		m.QuorumNanos.Observe(int64(now - handed))
		return
	}
	// A new leader's entries may take the place of some that were never committed.
	for len(s.waiting) > 0 && s.waiting[len(s.waiting)-1].index >= index {
		s.waiting = s.waiting[:len(s.waiting)-1]
	}
	if len(s.waiting) < stagesMax {
		s.waiting = append(s.waiting, savedJob{index, handed, now})
	}
}

// commit notes that all up to index is known to be committed, and measures what waited for it.
func (s *stages) commit(m *Metrics, index uint64, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = max(s.committed, index)
	n := 0
	for n < len(s.waiting) && s.waiting[n].index <= s.committed {
		m.CommitNanos.Observe(int64(now - s.waiting[n].saved))
		m.QuorumNanos.Observe(int64(now - s.waiting[n].handed))
		n++
	}
	s.waiting = append(s.waiting[:0], s.waiting[n:]...)
}
