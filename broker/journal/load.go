package journal

import (
	"context"
	"time"

	"holt/broker/record"
)

// startLoadLocked begins to load a shard for its current epoch.
func (s *Shards[C]) startLoadLocked(sh *shard[C]) {
	if s.ctx.Err() != nil {
		return // Close has been here already, and waits for the goroutines there are
	}
	ctx, cancel := context.WithCancel(s.ctx)
	sh.state, sh.load = loading, cancel
	term, epoch := sh.term, sh.epoch
	s.wg.Go(func() {
		defer cancel()
		s.load(ctx, sh, term, epoch)
	})
}

// load reads until it succeeds or the term is over.
func (s *Shards[C]) load(ctx context.Context, sh *shard[C], term int, epoch int32) {
	for {
		select {
		case s.loads <- struct{}{}:
		case <-ctx.Done():
			return
		}
		core, out, r := s.read(ctx, sh.partition, epoch)
		<-s.loads
		if ctx.Err() != nil {
			return
		}
		if r.Err == nil && !s.install(sh, term, core, out) {
			return
		}
		if s.c.OnLoad != nil {
			s.c.OnLoad(r)
		}
		if r.Err == nil {
			return
		}
		select {
		case <-time.After(s.c.RetryLoad):
		case <-ctx.Done():
			return
		}
	}
}

func (s *Shards[C]) read(ctx context.Context, partition, epoch int32) (C, *Outbox, LoadResult) {
	r := LoadResult{Partition: partition, LeaderEpoch: epoch}
	begin := time.Now()
	out := new(Outbox)
	core := s.c.New(partition, epoch, out)
	r.Err = s.c.Log.Load(ctx, partition, epoch, func(b record.Batch) error {
		r.Batches++
		r.Bytes += int64(b.Size())
		return core.Replay(b)
	})
	r.Took = time.Since(begin)
	return core, out, r
}

// install makes a shard owned, unless its term is over.
func (s *Shards[C]) install(sh *shard[C], term int, core C, out *Outbox) bool {
	sh.mu.Lock()
	if sh.term != term || sh.state != loading {
		sh.mu.Unlock()
		return false
	}
	sh.state, sh.core, sh.out, sh.load = owned, core, out, nil
	core.Loaded(s.now())
	sh.leave()
	return true
}
