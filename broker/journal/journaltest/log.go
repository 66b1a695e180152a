// Package journaltest is a journal.Log in memory, whose replicas acknowledge when the test says.
//
// A [Log] may be used by any goroutine. It starts none: what it delays it gives to time.AfterFunc, so
// that in a synctest bubble nothing is left over once time has passed.
package journaltest

import (
	"context"
	"sync"
	"time"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// Log is partitions in memory. The zero value acknowledges at once, for any leader epoch.
type Log struct {
	// Delay is how long after an append it is acknowledged. 0: within the call.
	Delay time.Duration
	// Forget: batches are acknowledged and not kept.
	Forget bool
	// Fail, if set, is asked before each append; a code but OK refuses it.
	Fail func(journal.Write) kerror.Code
	// FailLoad, if set, is asked before each load.
	FailLoad func(partition int32) error

	mu         sync.Mutex // guards what follows
	partitions map[int32]*partition
	held       []func()
	hold       bool
}

type partition struct {
	epoch   int32 // only writes of this epoch are taken, if it is set
	next    int64
	batches []record.Batch
}

func (l *Log) partitionLocked(p int32) *partition {
	if l.partitions == nil {
		l.partitions = make(map[int32]*partition)
	}
	if l.partitions[p] == nil {
		l.partitions[p] = &partition{epoch: -1}
	}
	return l.partitions[p]
}

// SetEpoch has a partition take writes of one leader epoch only.
func (l *Log) SetEpoch(p, epoch int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partitionLocked(p).epoch = epoch
}

// Hold has appends wait for Release, or not.
func (l *Log) Hold(hold bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = hold
}

// Release acknowledges what is held, in order, and returns how much that was.
func (l *Log) Release() int {
	l.mu.Lock()
	held := l.held
	l.held = nil
	l.mu.Unlock()
	for _, f := range held {
		f()
	}
	return len(held)
}

// Append implements journal.Log.
func (l *Log) Append(w journal.Write, done func(int64, kerror.Code)) {
	code := kerror.OK
	if l.Fail != nil {
		code = l.Fail(w)
	}
	l.mu.Lock()
	p := l.partitionLocked(w.Partition)
	if p.epoch >= 0 && p.epoch != w.LeaderEpoch {
		code = kerror.NotLeaderOrFollower
	}
	at := int64(-1)
	if code == kerror.OK {
		at = p.next
		w.Batch.SetBaseOffset(at)
		p.next = w.Batch.NextOffset()
		if !l.Forget {
			p.batches = append(p.batches, w.Batch)
		}
	}
	f := func() { done(at, code) }
	if l.hold {
		l.held = append(l.held, f)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	if l.Delay > 0 {
		time.AfterFunc(l.Delay, f)
		return
	}
	f()
}

// Load implements journal.Log.
func (l *Log) Load(ctx context.Context, p, _ int32, visit func(record.Batch) error) error {
	if l.FailLoad != nil {
		if err := l.FailLoad(p); err != nil {
			return err
		}
	}
	for _, b := range l.Batches(p) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(b); err != nil {
			return err
		}
	}
	return nil
}

// Batches returns what a partition holds.
func (l *Log) Batches(p int32) []record.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	part := l.partitionLocked(p)
	return part.batches[:len(part.batches):len(part.batches)]
}
