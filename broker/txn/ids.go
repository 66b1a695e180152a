package txn

import "sync"

// Producer ids are taken from a block; the next one is fetched before it is used up.
const (
	idsLow        = 100    // left of a block when the next is fetched
	idWaitersMax  = 10_000 // who waits for a block; more are refused
	noID          = int64(-1)
	noEpoch       = int16(-1)
	epochLastUsed = int16(1<<15 - 2) // above it there is one left, to fence with
)

// ids hands out producer ids.
type ids struct {
	source ProducerIDs

	mu       sync.Mutex // guards what follows
	block    [2]int64   // next and last
	spare    [2]int64   // the block after
	hasSpare bool
	fetching bool
	waiters  []func(id int64, ok bool)
	closed   bool
}

func newIDs(source ProducerIDs) *ids { return &ids{source: source, block: [2]int64{1, 0}} }

// get calls f once with an id that nobody else gets, from any goroutine; ok is false if none could be
// had.
func (s *ids) get(f func(id int64, ok bool)) {
	s.mu.Lock()
	id, ok := s.takeLocked()
	wait := !ok && !s.closed && len(s.waiters) < idWaitersMax
	if wait {
		s.waiters = append(s.waiters, f)
	}
	fetch := s.wantsBlockLocked()
	s.mu.Unlock()
	if fetch {
		s.source.Block(s.fetched)
	}
	if !wait {
		f(id, ok)
	}
}

func (s *ids) takeLocked() (int64, bool) {
	if s.closed {
		return noID, false
	}
	if s.block[0] > s.block[1] && s.hasSpare {
		s.block, s.hasSpare = s.spare, false
	}
	if s.block[0] > s.block[1] {
		return noID, false
	}
	s.block[0]++
	return s.block[0] - 1, true
}

func (s *ids) wantsBlockLocked() bool {
	want := !s.fetching && !s.closed && !s.hasSpare && s.block[1]-s.block[0] < idsLow
	s.fetching = s.fetching || want
	return want
}

// fetched takes a block in. With an error, or a block of nothing, those who wait are refused and the
// next who asks tries again.
func (s *ids) fetched(first, last int64, err error) {
	s.mu.Lock()
	s.fetching = false
	if err == nil && first >= 0 && first <= last {
		s.spare, s.hasSpare = [2]int64{first, last}, true
	}
	waiters := s.waiters
	s.waiters = nil
	given := make([]int64, 0, len(waiters))
	for range waiters {
		id, ok := s.takeLocked()
		if !ok {
			break
		}
		given = append(given, id)
	}
	// More waited than the block has: they wait for another.
	if len(given) > 0 && len(given) < len(waiters) {
		s.waiters, waiters = waiters[len(given):], waiters[:len(given)]
	}
	fetch := len(given) > 0 && s.wantsBlockLocked()
	s.mu.Unlock()
	if fetch {
		s.source.Block(s.fetched)
	}
	for i, f := range waiters {
		if i < len(given) {
			f(given[i], true)
		} else {
			f(noID, false)
		}
	}
}

// close refuses whoever waits and whoever comes.
func (s *ids) close() {
	s.mu.Lock()
	s.closed = true
	waiters := s.waiters
	s.waiters = nil
	s.mu.Unlock()
	for _, f := range waiters {
		f(noID, false)
	}
}
