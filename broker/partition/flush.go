package partition

import (
	"errors"
	"sync"
	"time"
)

// flushWorkers is how many logs of a directory are flushed at a time: their
// fsyncs share what the file system's journal costs.
const flushWorkers = 4

// flusher flushes logs that ask for it, each by one worker at a time, so that a
// busy log does not keep workers from others. What asks while its log is being
// flushed waits for the next flush together: group commit. The queue has each
// log at most once.
type flusher struct {
	mu      sync.Mutex
	wake    sync.Cond
	queue   []*Log
	asked   map[*Log]asked // logs in the queue, or with a worker
	closed  bool
	workers sync.WaitGroup
}

// asked is how far a log is that asked to be flushed.
type asked uint8

const (
	queued   asked = iota + 1
	flushing       // by a worker
	anew           // by a worker, and to be queued again when that is done
)

func (f *flusher) init() {
	f.wake.L = &f.mu
	f.asked = make(map[*Log]asked)
}

func (f *flusher) start(n int) {
	for range n {
		f.workers.Go(f.work)
	}
}

// harden has a log flushed soon. It reports false once the flusher has stopped.
func (f *flusher) harden(l *Log) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	switch f.asked[l] {
	case 0:
		f.queueLocked(l)
	case flushing:
		f.asked[l] = anew
	}
	return true
}

func (f *flusher) queueLocked(l *Log) {
	f.asked[l] = queued
	f.queue = append(f.queue, l)
	f.wake.Signal()
}

func (f *flusher) work() {
	for {
		f.mu.Lock()
		for len(f.queue) == 0 && !f.closed {
			f.wake.Wait()
		}
		if len(f.queue) == 0 {
			f.mu.Unlock()
			return
		}
		l := f.queue[0]
		f.queue[0] = nil
		f.queue = f.queue[1:]
		f.asked[l] = flushing
		f.mu.Unlock()
		if err := l.Flush(); err != nil {
			l.tell(err)
		}
		f.mu.Lock()
		if f.asked[l] == anew {
			f.queueLocked(l)
		} else {
			delete(f.asked, l)
		}
		f.mu.Unlock()
	}
}

// stop lets the workers flush what is queued and waits for them.
func (f *flusher) stop() {
	f.mu.Lock()
	f.closed = true
	f.wake.Broadcast()
	f.mu.Unlock()
	f.workers.Wait()
}

// flushWaiters wait for a log's records to be durable. There are no more of them
// than requests in the hands of whoever acknowledges, who bounds them.
type flushWaiters struct {
	mu    sync.Mutex
	all   []flushWaiter
	ended error // for whoever comes too late
}

type flushWaiter struct {
	offset int64
	done   func(error)
}

// OnFlushed calls done once everything before offset is on stable storage, or
// with the reason why it is not going to be: a *FailedError, ErrClosed,
// ErrTruncated. Many calls share a sync. done is called by the caller itself if
// there is nothing to wait for, and by a goroutine of the directory otherwise;
// it must not block.
func (l *Log) OnFlushed(offset int64, done func(error)) {
	if l.flushed.Load() >= offset {
		done(nil)
		return
	}
	w := &l.waiters
	w.mu.Lock()
	err := w.ended
	if err == nil {
		err = l.dir.Err()
	}
	if err == nil {
		w.all = append(w.all, flushWaiter{offset, done})
	}
	w.mu.Unlock()
	switch {
	case err != nil:
		done(err)
	case !l.dir.flusher.harden(l):
		l.tell(ErrClosed)
	}
}

// tell calls those whose records are durable, and with an error all others too.
func (l *Log) tell(err error) {
	w := &l.waiters
	flushed := l.flushed.Load()
	var ready, failed []flushWaiter
	w.mu.Lock()
	rest := w.all[:0]
	for _, x := range w.all {
		switch {
		case x.offset <= flushed:
			ready = append(ready, x)
		case err != nil:
			failed = append(failed, x)
		default:
			rest = append(rest, x)
		}
	}
	clear(w.all[len(rest):])
	w.all = rest
	if errors.Is(err, ErrClosed) {
		w.ended = err
	}
	w.mu.Unlock()
	for _, x := range ready {
		x.done(nil)
	}
	for _, x := range failed {
		x.done(err)
	}
}

// tellTruncated calls those whose records are not there any more.
func (l *Log) tellTruncated(end int64) {
	w := &l.waiters
	var cut []flushWaiter
	w.mu.Lock()
	rest := w.all[:0]
	for _, x := range w.all {
		if x.offset > end {
			cut = append(cut, x)
		} else {
			rest = append(rest, x)
		}
	}
	clear(w.all[len(rest):])
	w.all = rest
	w.mu.Unlock()
	for _, x := range cut {
		x.done(ErrTruncated)
	}
}

// Flush makes everything durable that was appended before the call.
func (l *Log) Flush() error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	return l.flushLocked()
}

// flushing is what a flush has to do, as it was when it began.
type pendingFlush struct {
	segments []*segment
	end      int64
	names    bool
	epochs   epochs
	dirty    bool // epochs
	pending  []pendingSnapshot
}

func (l *Log) flushLocked() error {
	if err := l.Err(); err != nil {
		return err
	}
	p := l.pendingFlush()
	if err := l.flushRecords(p); err != nil {
		return l.fail(err)
	}
	l.flushed.Store(max(l.flushed.Load(), p.end))
	l.lastFlush.Store(time.Now().UnixMilli())
	l.tell(nil)
	if err := l.flushRest(p); err != nil {
		return l.fail(err)
	}
	l.recovery.Store(max(l.recovery.Load(), p.end))
	return nil
}

func (l *Log) pendingFlush() *pendingFlush {
	l.unflushed.Store(0) // those that come in meanwhile may be counted out too soon; see flushIfDue
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &pendingFlush{
		segments: l.segments, end: l.end.Load(), names: l.namesDirty,
		epochs: l.epochs, dirty: l.epochsDirty, pending: l.snapshots,
	}
	l.namesDirty, l.epochsDirty, l.snapshots = false, false, nil
	return p
}

// flushRecords makes the batches themselves durable.
func (l *Log) flushRecords(p *pendingFlush) error {
	flushed := l.flushed.Load()
	for i, s := range p.segments {
		end := p.end
		if i+1 < len(p.segments) {
			end = p.segments[i+1].base
		}
		if s.hard.Load() || end <= flushed {
			continue
		}
		if err := s.sync(); err != nil && !errors.Is(err, errGone) { // dropped meanwhile: nobody misses it
			return err
		}
	}
	if p.names {
		return l.fs.syncDir(l.path)
	}
	return nil
}

// flushRest makes durable what recovery would have to make anew otherwise.
func (l *Log) flushRest(p *pendingFlush) error {
	for i, s := range p.segments {
		if s.hard.Load() || i+1 == len(p.segments) {
			continue
		}
		if err := s.settle(true); err != nil && !errors.Is(err, errGone) {
			return err
		}
		s.hard.Store(true)
	}
	if p.dirty {
		if err := l.fs.replace(l.file(fileEpochs), p.epochs.encode()); err != nil {
			return err
		}
	}
	for _, snapshot := range p.pending {
		if err := l.writeSnapshot(snapshot); err != nil {
			return err
		}
	}
	if len(p.segments) > 1 || p.dirty || len(p.pending) > 0 {
		return l.fs.syncDir(l.path)
	}
	return nil
}

// flushIfDue flushes if the settings ask for it.
func (l *Log) flushIfDue(c *Config) error {
	if c.FlushMessages == Never || l.unflushed.Load() < c.FlushMessages {
		return nil
	}
	return l.Flush()
}
