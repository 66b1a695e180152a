package journal

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"holt/broker/kerror"
)

type state uint8

const (
	absent state = iota
	loading
	owned
)

// shard is one partition of the topic.
type shard[C Core] struct {
	shards    *Shards[C]
	partition int32
	next      atomic.Int64 // when the core has something due, for the clock to see without the lock

	mu    sync.Mutex // guards what follows
	state state
	epoch int32 // leader epoch of the current or last term, -1 before the first
	core  C     // of an owned shard
	out   *Outbox
	// load ends the current attempt to load; term counts them, so that a late one sees that it is
	// not the current one.
	load context.CancelFunc
	term int

	writes   uint64 // number of the last write
	inFlight map[uint64]Done
	queue    []job
	spare    []job // the queue's memory while the other is worked off
	draining bool  // somebody works the queue off
}

// job is an effect with what was true when it was decided.
type job struct {
	Effect
	write uint64 // 0: a Do
	epoch int32
}

// enter locks the shard and returns its core, or why there is none.
func (s *shard[C]) enter() (C, kerror.Code) {
	s.mu.Lock()
	switch s.state {
	case owned:
		return s.core, kerror.OK
	case loading:
		s.mu.Unlock()
		return *new(C), kerror.CoordinatorLoadInProgress
	}
	s.mu.Unlock()
	return *new(C), kerror.NotCoordinator
}

// leave takes over what the core wants done, unlocks the shard and does it, unless somebody does
// already: then that one goes on with it, which keeps the order.
func (s *shard[C]) leave() {
	s.collectLocked()
	if s.draining {
		s.mu.Unlock()
		return
	}
	s.draining = true
	for len(s.queue) > 0 {
		jobs := s.queue
		s.queue = s.spare[:0]
		s.mu.Unlock()
		for i := range jobs {
			s.do(&jobs[i])
			jobs[i] = job{}
		}
		s.mu.Lock()
		s.spare = jobs[:0]
	}
	s.draining = false
	s.mu.Unlock()
}

func (s *shard[C]) collectLocked() {
	if s.out == nil {
		return
	}
	for _, e := range s.out.effects {
		j := job{Effect: e, epoch: s.epoch}
		if e.Do == nil {
			s.writes++
			j.write = s.writes
			s.inFlight[j.write] = e.Done
		}
		s.queue = append(s.queue, j)
	}
	clear(s.out.effects)
	s.out.effects = s.out.effects[:0]
	if s.state == owned {
		s.setNext(int64(s.core.Next()))
	}
}

func (s *shard[C]) setNext(up int64) {
	if s.next.Swap(up) != up {
		s.shards.wakeBefore(up)
	}
}

func (s *shard[C]) do(j *job) {
	if j.write == 0 {
		j.Do()
		return
	}
	id := j.write
	w := Write{Partition: s.partition, LeaderEpoch: j.epoch, Batch: j.Batch, TransactionalID: j.TransactionalID}
	s.shards.c.Log.Append(w, func(offset int64, code kerror.Code) { s.written(id, offset, code) })
}

// written ends a write, unless the end of a term has already.
func (s *shard[C]) written(id uint64, offset int64, code kerror.Code) {
	s.mu.Lock()
	done, ok := s.inFlight[id]
	delete(s.inFlight, id)
	if ok && done != nil {
		done(s.shards.now(), offset, code)
	}
	s.leave()
}

// unloadLocked ends a term: all that wait are answered.
func (s *shard[C]) unloadLocked() {
	if s.load != nil {
		s.load()
		s.load = nil
	}
	s.term++
	if s.state != owned {
		s.state = absent
		return
	}
	for _, id := range slices.Sorted(maps.Keys(s.inFlight)) {
		if done := s.inFlight[id]; done != nil {
			done(s.shards.now(), -1, kerror.NotLeaderOrFollower)
		}
	}
	// What the core appends now is in flight for nobody; answers still go out.
	clear(s.inFlight)
	s.core.Unload()
	s.collectLocked()
	clear(s.inFlight)
	s.state, s.core, s.out = absent, *new(C), nil
	s.setNext(int64(Never))
}
