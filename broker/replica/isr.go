package replica

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"holt/broker/metadata"
)

// isrWriters is how many states are written at a time; the tree's client pipelines them.
const isrWriters = 16

// isrRetry is the pause after a write whose outcome is not known, isrNotify that between notes to
// tools of what was changed (Kafka: isr.change.notification).
const (
	isrRetry  = 200 * time.Millisecond
	isrNotify = 2500 * time.Millisecond
)

// isrQueue has the changes that wait to be written. There is at most one of a partition, which bounds it.
type isrQueue struct {
	set *Set
	wg  sync.WaitGroup

	mu      sync.Mutex
	waiting []*isrWrite
	writers int
	changed []metadata.TopicPartition // to be told to tools
	telling bool                      // somebody will
	closed  bool
}

// isrWrite is a change on its way into the tree.
type isrWrite struct {
	r      *replica
	core   *core
	change *change
	state  metadata.PartitionState
}

func (q *isrQueue) init(s *Set) { q.set = s }

// propose has the tree store another ISR if there is reason for it; shrink also looks for
// followers that lag.
func (r *replica) propose(shrink bool) {
	image := r.set.image.Load()
	if image == nil {
		return
	}
	r.as.RLock()
	r.mu.Lock()
	var w *isrWrite
	if c := r.core; c != nil && !r.sent {
		if ch, ok := c.propose(r.set.now(), livesOf(image, r.tp), shrink); ok {
			r.sent = true
			w = &isrWrite{r: r, core: c, change: ch, state: metadata.PartitionState{
				Leader: c.self, LeaderEpoch: c.epoch, ISR: ch.isr, ControllerEpoch: r.ctlEpoch.Load(),
			}}
			r.note(c.isr, ch)
		}
	}
	r.mu.Unlock()
	r.as.RUnlock()
	if w != nil {
		r.set.isrs.push(w)
	}
}

// note logs and counts a change that is proposed.
func (r *replica) note(now []int32, ch *change) {
	grown := slices.ContainsFunc(ch.isr, func(id int32) bool { return !slices.Contains(now, id) })
	shrunk := slices.ContainsFunc(now, func(id int32) bool { return !slices.Contains(ch.isr, id) })
	if grown {
		r.set.metrics.ISRExpands.Add(1)
	}
	if shrunk {
		r.set.metrics.ISRShrinks.Add(1)
	}
	r.logger().Info("in-sync replicas change", zap.Int32s("from", now), zap.Int32s("to", ch.isr), zap.Int32("version", ch.version))
}

func (q *isrQueue) push(w *isrWrite) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.waiting = append(q.waiting, w)
	if q.writers < isrWriters {
		q.writers++
		q.wg.Go(q.work)
	}
}

// work writes changes until there are none.
func (q *isrQueue) work() {
	for {
		q.mu.Lock()
		if q.closed || len(q.waiting) == 0 {
			q.writers--
			q.mu.Unlock()
			return
		}
		w := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		q.write(w)
	}
}

// write writes one change and tells the leader what became of it.
func (q *isrQueue) write(w *isrWrite) {
	for {
		version, err := q.set.cfg.ISRs.SetPartitionState(q.set.ctx, w.r.tp, w.state, w.change.version)
		switch {
		case err == nil:
			w.r.confirmed(w, version)
			q.tell(w.r.tp)
			return
		case errors.Is(err, metadata.ErrBadVersion), errors.Is(err, metadata.ErrNoNode):
			// The image will show what is there instead: another version, or no topic.
			w.r.answered(w)
			return
		case q.set.ctx.Err() != nil || !w.r.pends(w):
			return
		}
		w.r.logger().Warn("in-sync replicas are not written, trying again", zap.Error(err))
		select {
		case <-time.After(isrRetry):
		case <-q.set.ctx.Done():
			return
		}
	}
}

// pends reports whether the change still waits for an answer.
func (r *replica) pends(w *isrWrite) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core == w.core && w.core.pending == w.change
}

// confirmed takes the tree's answer that a change is stored.
func (r *replica) confirmed(w *isrWrite, version int32) {
	r.reconsider(func(c *core) bool {
		if c != w.core {
			return false
		}
		r.sent = false
		return c.confirmed(r.set.now(), w.change, version)
	})
	r.propose(false)
}

// answered notes that nothing of a change is under way any more.
func (r *replica) answered(w *isrWrite) {
	r.mu.Lock()
	if r.core == w.core {
		r.sent = false
	}
	r.mu.Unlock()
}

// tell notes a change for tools.
func (q *isrQueue) tell(tp metadata.TopicPartition) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changed = append(q.changed, tp)
	if q.telling || q.closed {
		return
	}
	q.telling = true
	q.wg.Go(func() {
		select {
		case <-time.After(isrNotify):
		case <-q.set.ctx.Done():
			return
		}
		q.mu.Lock()
		tps := q.changed
		q.changed, q.telling = nil, false
		q.mu.Unlock()
		ctx, cancel := context.WithTimeout(q.set.ctx, 10*time.Second)
		defer cancel()
		if err := q.set.cfg.ISRs.NotifyISR(ctx, tps); err != nil && q.set.ctx.Err() == nil {
			q.set.log.Warn("tools are not told of changed ISRs", zap.Error(err))
		}
	})
}

// close waits for all writers; the set's context has ended.
func (q *isrQueue) close() {
	q.mu.Lock()
	q.closed, q.waiting = true, nil
	q.mu.Unlock()
	q.wg.Wait()
}

// scanLagging looks for followers that lag, twice in the time that they may.
func (s *Set) scanLagging() {
	t := time.NewTicker(max(s.cfg.LagMax/2, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			for _, r := range s.all() {
				r.reconsider(func(c *core) bool { return c.advance(s.now()) })
				r.propose(true)
			}
		case <-s.ctx.Done():
			return
		}
	}
}
