package quorum

import (
	"errors"
	"fmt"
	"time"
)

// applyTask is one thing for the state machine's goroutine to do.
type applyTask struct {
	job      *Apply
	read     Read
	restore  string // directory of a snapshot
	restored chan<- error
	abandon  []func(error) // barriers that will get no index

	checkpoint bool // make one
}

// errStateFailed answers what comes for a state machine that has failed.
var errStateFailed = errors.New("state machine has failed")

// runApply is the only goroutine that changes the state machine. It also
// releases read barriers, in between. After a failure it does neither: an entry that the state
// machine failed at is missing in its state, and what was committed behind it must not be applied there,
// let alone become durable or be told to anybody. Bounds of its queue: MaxApplyBytes,
// MaxBarriers.
func (m *Member) runApply() {
	sm := m.cfg.StateMachine
	m.applied.Store(sm.Applied())
	var waiting []Read
	var batch []applyTask
	failed := false
	for ok := true; ok; {
		batch, ok = m.applies.take(batch)
		for i := range batch {
			t := &batch[i]
			if t.read.Done != nil {
				waiting = append(waiting, t.read)
			}
			m.barriersDone(t.abandon, ErrClosed)
			if failed {
				t.refuse()
				continue
			}
			if err := m.applyOne(t); err != nil {
				failed = true
				m.fail(err)
				continue
			}
			waiting = m.release(waiting)
		}
	}
	for _, r := range waiting {
		m.barriersDone(r.Done, ErrClosed)
	}
}

// refuse answers whoever waits for a task that is not done any more.
func (t *applyTask) refuse() {
	if t.restored != nil {
		t.restored <- errStateFailed
	}
}

func (m *Member) applyOne(t *applyTask) error {
	switch {
	case t.job != nil:
		return m.applyJob(t.job)
	case t.restore != "":
		err := m.cfg.StateMachine.Restore(t.restore)
		if err != nil {
			err = fmt.Errorf("restore snapshot %s: %w", t.restore, err)
		} else {
			m.applied.Store(m.cfg.StateMachine.Applied())
		}
		t.restored <- err
		return err
	case t.checkpoint:
		return m.makeCheckpoint()
	}
	return nil
}

func (m *Member) applyJob(a *Apply) error {
	ents := a.Entries
	// A snapshot may have overtaken entries that were waiting for their
	// configuration to be saved.
	for len(ents) > 0 && ents[0].Index <= m.applied.Load() {
		ents = ents[1:]
	}
	if len(ents) > 0 {
		start := m.now()
		if err := m.cfg.StateMachine.Apply(ents); err != nil {
			return fmt.Errorf("apply entries %d to %d: %w", ents[0].Index, ents[len(ents)-1].Index, err)
		}
		now := m.now()
		m.metrics.ApplyNanos.Observe(int64(now - start))
		m.metrics.CommitApplyNanos.Observe(int64(now - a.committed))
		m.metrics.ApplyEntries.Observe(int64(len(ents)))
		m.applied.Store(ents[len(ents)-1].Index)
	}
	m.in.add(func(ev *events) { ev.applied = append(ev.applied, a) })
	return nil
}

// release runs the barriers whose index is reached and returns the others.
func (m *Member) release(waiting []Read) []Read {
	applied := m.applied.Load()
	rest := waiting[:0]
	for _, r := range waiting {
		if r.Index <= applied {
			m.barriersDone(r.Done, nil)
		} else {
			rest = append(rest, r)
		}
	}
	clear(waiting[len(rest):])
	return rest
}

// flush makes the state machine durable and tells the core how far.
func (m *Member) flush() {
	sm := m.cfg.StateMachine
	start := time.Now()
	if err := sm.Flush(); err != nil {
		m.fail(fmt.Errorf("flush state machine: %w", err))
		return
	}
	m.metrics.FlushNanos.Observe(int64(time.Since(start)))
	durable := sm.Durable()
	m.in.add(func(ev *events) {
		ev.calls = append(ev.calls, func(c *Core) { c.Flushed(durable) })
	})
}
