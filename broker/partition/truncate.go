package partition

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"holt/broker/record"
)

// TruncateTo takes the batches away that have offset or a later one, which a follower does with what its
// leader does not have, and the leader epochs that begin at offset or later. A log that begins behind offset
// begins anew there. What is taken away is so durably on return.
func (l *Log) TruncateTo(offset int64) error {
	if offset < l.start.Load() {
		return l.TruncateFullyAt(offset)
	}
	if offset >= l.end.Load() {
		return l.cutEpochs(offset)
	}
	return l.truncate(offset, func() error { return l.cut(offset) })
}

// cutEpochs drops leader epochs without a record: the next leader need not have heard of them, and would find the
// logs to part for ever.
func (l *Log) cutEpochs(offset int64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	l.epochs, l.epochsDirty = l.epochs.cutEnd(offset), true
	l.mu.Unlock()
	return nil
}

// TruncateFullyAt takes everything away; the log begins and ends at offset then.
func (l *Log) TruncateFullyAt(offset int64) error {
	return l.truncate(min(offset, l.start.Load()), func() error { return l.restart(offset, offset) })
}

// truncate runs f while nothing is written or synced, to which the log ends at end. Before, recovery is made to
// begin no later: batches that are appended afterwards would pass for durable, or their loss for a compaction.
func (l *Log) truncate(end int64, f func() error) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if l.isClosed() {
		return ErrClosed
	}
	lower(&l.flushed, end)
	lower(&l.recovery, end)
	for _, k := range []kind{kindRecovery, kindCleaner} {
		if err := l.dir.checkpoints.lower(l.dir, k, l.name, end); err != nil {
			return l.fail(fmt.Errorf("truncate: %w", err))
		}
	}
	if err := f(); err != nil {
		return l.fail(fmt.Errorf("truncate: %w", err))
	}
	l.tellTruncated(end)
	return nil
}

// cut drops all batches from offset on: snapshots first, then segments from the last on, so that a crash
// leaves a log without gaps.
func (l *Log) cut(offset int64) error {
	segments := l.view()
	i := l.segmentOf(segments, offset)
	s := segments[i]
	pos, err := s.place(offset)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.segments = segments[: i+1 : i+1]
	l.snapshots = nil
	l.epochs, l.epochsDirty = l.epochs.cutEnd(offset), true
	l.truncations++
	l.end.Store(offset)
	l.mu.Unlock()
	l.tail.reset()
	lower(&l.highWatermark, offset)
	lower(&l.cleaned, offset)
	if err := l.dropSnapshots(func(at int64) bool { return at > offset }); err != nil {
		return err
	}
	for _, dropped := range slices.Backward(segments[i+1:]) {
		if err := errors.Join(dropped.retire(), dropped.remove(""), l.fs.syncDir(l.path)); err != nil {
			return err
		}
	}
	if err := s.cut(offset, pos); err != nil {
		return err
	}
	if err := l.loadProducers(); err != nil {
		return err
	}
	if _, err := s.resume(); err != nil {
		return err
	}
	return errors.Join(l.writeEpochs(), l.fs.syncDir(l.path))
}

// writeEpochs writes the epochs if the file does not have them.
func (l *Log) writeEpochs() error {
	l.mu.Lock()
	e, dirty := l.epochs, l.epochsDirty
	l.epochsDirty = false
	l.mu.Unlock()
	if !dirty {
		return nil
	}
	return l.fs.replace(l.file(fileEpochs), e.encode())
}

// place returns where the first batch is that has offset or a later one.
func (s *segment) place(offset int64) (int64, error) {
	size := s.size.Load()
	pos, err := s.near(offset)
	if err != nil || size == 0 {
		return 0, err
	}
	h, err := s.open()
	if err != nil {
		return 0, err
	}
	_, at, err := locate(h, offset, pos, size)
	return at, errors.Join(err, h.release())
}

// lower makes v at most max.
func lower(v interface {
	Load() int64
	Store(int64)
}, max int64) {
	if v.Load() > max {
		v.Store(max)
	}
}

// restart makes the log an empty one that ends at end and can be read from start on.
func (l *Log) restart(start, end int64) error {
	if err := l.dir.checkpoints.set(l.dir, kindStart, l.name, start); err != nil {
		return err
	}
	for _, s := range slices.Backward(l.view()) {
		if err := errors.Join(s.retire(), s.remove("")); err != nil {
			return err
		}
	}
	if err := l.dropSnapshots(func(int64) bool { return true }); err != nil {
		return err
	}
	s := newSegment(l, end)
	if err := l.create(s, time.Now().UnixMilli()); err != nil {
		return err
	}
	l.mu.Lock()
	l.segments = []*segment{s}
	l.snapshots = nil
	l.epochs, l.epochsDirty = nil, true
	l.truncations++
	l.namesDirty = false
	l.start.Store(start)
	l.end.Store(end)
	l.mu.Unlock()
	l.tail.reset()
	l.producers = producers{next: end}
	l.unstable.Store(noOffset)
	l.highWatermark.Store(start)
	l.flushed.Store(end)
	l.cleaned.Store(0)
	return errors.Join(l.writeEpochs(), l.fs.syncDir(l.path))
}

// startsInside reports whether a batch contains the log's start, and the log is empty.
func (l *Log) startsInside(b record.Batch) bool {
	end := l.end.Load()
	return l.start.Load() == end && b.BaseOffset() < end && b.NextOffset() > end
}

// restartInside makes room for a batch that contains the start of the log, which is empty.
func (l *Log) restartInside(b record.Batch) error {
	return l.truncate(b.BaseOffset(), func() error {
		if !l.startsInside(b) {
			return nil
		}
		return l.restart(l.start.Load(), b.BaseOffset())
	})
}

// AdvanceStart has the log begin at offset, which is not above the high watermark (DeleteRecords). Segments
// that are below it as a whole go. An offset below the start changes nothing.
func (l *Log) AdvanceStart(offset int64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if offset <= l.start.Load() {
		return nil
	}
	if err := l.begin(offset); err != nil {
		return err
	}
	return l.dropBelowStart()
}

// begin moves the log's start up, for good: what was deleted does not come back by a crash. l.writing is
// held.
func (l *Log) begin(offset int64) error {
	l.mu.Lock()
	l.start.Store(offset)
	l.epochs, l.epochsDirty = l.epochs.cutStart(offset), true
	l.mu.Unlock()
	l.producers.cutStart(offset)
	l.unstable.Store(l.producers.unstable())
	if err := l.dir.checkpoints.set(l.dir, kindStart, l.name, offset); err != nil {
		return l.fail(err)
	}
	return nil
}

// dropBelowStart removes the segments of which nothing is readable any more; the active one stays.
func (l *Log) dropBelowStart() error {
	segments := l.view()
	n := 0
	for n+1 < len(segments) && segments[n+1].base <= l.start.Load() {
		n++
	}
	return l.dropFirst(n)
}

// dropFirst removes the first n segments. Who is reading them goes on. l.writing is held.
func (l *Log) dropFirst(n int) error {
	if n == 0 {
		return nil
	}
	l.mu.Lock()
	dropped := l.segments[:n]
	l.segments = l.segments[n:len(l.segments):len(l.segments)]
	first := l.segments[0].base
	l.mu.Unlock()
	for _, s := range dropped {
		if err := errors.Join(s.retire(), s.remove("")); err != nil {
			return l.fail(err)
		}
	}
	if err := l.dropSnapshots(func(at int64) bool { return at < first }); err != nil {
		return l.fail(err)
	}
	return nil
}
