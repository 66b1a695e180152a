package journal

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"holt/broker/kerror"
)

// Config says what Shards is the shell of.
type Config[C Core] struct {
	Log Log
	// New returns the empty core of a partition for a term. It is called without a lock.
	New func(partition, leaderEpoch int32, out *Outbox) C
	// Partitions is the number of the topic's partitions, at least 1; see SetPartitions.
	Partitions int32
	// LoadsMax is how many partitions are read at the same time. Default 4.
	LoadsMax int
	// RetryLoad is how long after a load that failed the next begins. Default 1 s.
	RetryLoad time.Duration
	// OnLoad, if set, is told of each end of a load that was not cut off by losing the partition.
	OnLoad func(LoadResult)
}

// LoadResult says how the load of a partition ended.
type LoadResult struct {
	Partition, LeaderEpoch int32
	Batches                int
	Bytes                  int64
	Took                   time.Duration
	Err                    error // nil: the partition is owned; else it is tried again
}

func (c Config[C]) withDefaults() Config[C] {
	if c.LoadsMax == 0 {
		c.LoadsMax = 4
	}
	if c.RetryLoad == 0 {
		c.RetryLoad = time.Second
	}
	return c
}

// Shards is the partitions of one topic that this broker coordinates, and the shell around their
// cores. See the package.
type Shards[C Core] struct {
	c          Config[C]
	begin      time.Time
	partitions atomic.Int32
	loads      chan struct{} // one element per load that reads

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // clock and loaders
	wake   chan struct{}  // the clock has to look again
	sleep  atomic.Int64   // until when the clock sleeps

	mu     sync.RWMutex // guards what follows
	shards map[int32]*shard[C]
	closed bool
}

// NewShards returns Shards that own nothing yet. Close ends its goroutines.
func NewShards[C Core](c Config[C]) *Shards[C] {
	c = c.withDefaults()
	s := &Shards[C]{
		c: c, begin: time.Now(), loads: make(chan struct{}, c.LoadsMax),
		wake: make(chan struct{}, 1), shards: make(map[int32]*shard[C]),
	}
	s.partitions.Store(c.Partitions)
	s.sleep.Store(int64(Never))
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(s.clock)
	return s
}

// SetPartitions says how many partitions the topic really has, before the first is Gained. It does
// not change in a topic's life: what hashes where would.
func (s *Shards[C]) SetPartitions(n int32) { s.partitions.Store(n) }

// PartitionFor returns the partition of a name.
func (s *Shards[C]) PartitionFor(name string) int32 { return PartitionFor(name, s.partitions.Load()) }

// Do calls f with the core that a name belongs to, under its lock. Any code but OK says that f was
// not called, and is the answer to whoever asked.
func (s *Shards[C]) Do(name string, f func(c C, now Instant)) kerror.Code {
	return s.At(s.PartitionFor(name), f)
}

// At is Do for a partition.
func (s *Shards[C]) At(partition int32, f func(c C, now Instant)) kerror.Code {
	s.mu.RLock()
	sh, closed := s.shards[partition], s.closed
	s.mu.RUnlock()
	if closed {
		return kerror.CoordinatorNotAvailable
	}
	if sh == nil {
		return kerror.NotCoordinator
	}
	core, code := sh.enter()
	if code != kerror.OK {
		return code
	}
	f(core, s.now())
	sh.leave()
	return kerror.OK
}

// Each calls f with each owned core in turn, under its lock. The code is OK,
// CoordinatorLoadInProgress when some partition is not loaded yet (the others were visited), or
// CoordinatorNotAvailable after Close.
func (s *Shards[C]) Each(f func(partition int32, c C, now Instant)) kerror.Code {
	code := kerror.OK
	for _, sh := range s.all() {
		core, c := sh.enter()
		switch c {
		case kerror.OK:
			f(sh.partition, core, s.now())
			sh.leave()
		case kerror.CoordinatorLoadInProgress:
			code = c
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return kerror.CoordinatorNotAvailable
	}
	return code
}

func (s *Shards[C]) all() []*shard[C] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*shard[C], 0, len(s.shards))
	for _, sh := range s.shards {
		all = append(all, sh)
	}
	return all
}

// Gained tells that this broker leads a partition from leaderEpoch on. It returns at once. Epochs
// that are not later than the last one are late news and ignored.
func (s *Shards[C]) Gained(partition, leaderEpoch int32) {
	sh := s.shardOf(partition)
	if sh == nil {
		return
	}
	sh.mu.Lock()
	switch {
	case leaderEpoch <= sh.epoch:
	case sh.state == owned && leaderEpoch == sh.epoch+1:
		sh.epoch = leaderEpoch
		sh.core.SetEpoch(leaderEpoch)
	default:
		sh.unloadLocked()
		sh.epoch = leaderEpoch
		s.startLoadLocked(sh)
	}
	sh.leave()
}

// Lost tells that this broker does not lead a partition any more, at leaderEpoch. It returns after
// all waiting requests have been given to whoever answers them. An epoch before that of the current
// term is late news and ignored.
func (s *Shards[C]) Lost(partition, leaderEpoch int32) {
	sh := s.shardOf(partition)
	if sh == nil {
		return
	}
	sh.mu.Lock()
	if leaderEpoch >= sh.epoch {
		sh.unloadLocked()
		sh.epoch = leaderEpoch
	}
	sh.leave()
}

// shardOf returns a partition's shard, made if need be, or nil after Close.
func (s *Shards[C]) shardOf(partition int32) *shard[C] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	sh := s.shards[partition]
	if sh == nil {
		sh = &shard[C]{shards: s, partition: partition, epoch: -1, inFlight: make(map[uint64]Done)}
		sh.next.Store(int64(Never))
		s.shards[partition] = sh
	}
	return sh
}

// Close gives up all partitions, so that every waiting request is answered, and returns when the
// goroutines have ended. It may be called twice. The Log's done functions may still be called.
func (s *Shards[C]) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	for _, sh := range s.all() {
		sh.mu.Lock()
		sh.unloadLocked()
		sh.leave()
	}
	s.wg.Wait()
}
