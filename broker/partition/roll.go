package partition

import (
	"errors"
	"fmt"
	"math"

	"holt/broker/record"
)

// rollIfFull begins a new segment if the active one must not take the batches.
func (l *Log) rollIfFull(batches []appendedBatch, n int, c *Config, now int64) error {
	s := l.active()
	size := s.size.Load()
	if size == 0 {
		if last := batches[len(batches)-1].batch.LastOffset(); last-s.base > math.MaxInt32 {
			return l.moveEmpty(batches[0].batch.BaseOffset(), now)
		}
		return nil
	}
	full := size+int64(n) > int64(c.SegmentBytes) ||
		batches[len(batches)-1].batch.LastOffset()-s.base > math.MaxInt32
	if !full {
		aged, err := l.aged(s, batches, c, now)
		if err != nil {
			return err
		}
		full = aged
	}
	if !full {
		n, err := s.offsets.count(l.fs, s.name(suffixIndex))
		if err != nil {
			return err
		}
		full = n >= c.SegmentIndexBytes/timeWidth // the time index has as many entries at most, and wider ones
	}
	if !full {
		return nil
	}
	return l.roll(now)
}

// aged reports whether the active segment is too old for the batches: by their
// timestamps, or by the wall clock where they have none.
func (l *Log) aged(s *segment, batches []appendedBatch, c *Config, now int64) (bool, error) {
	if c.SegmentMillis == Never {
		return false, nil
	}
	after := c.SegmentMillis - int64(l.jitter*float64(min(c.SegmentJitterMillis, c.SegmentMillis)))
	first, err := s.firstTimestamp()
	if err != nil {
		return false, err
	}
	latest := record.NoTimestamp
	for i := range batches {
		latest = max(latest, batches[i].batch.MaxTimestamp())
	}
	if first >= 0 && latest >= 0 {
		return latest-first > after, nil
	}
	return now-s.created > after, nil
}

// roll seals the active segment, which is not empty, and begins a new one at the
// log's end. What it costs the append is the making of a file: making it all
// durable is left to the directory's flusher. But a segment that lacks offsets has
// to be durable before there is another: see recover, which could not tell an end that
// a crash has lost from what compaction took.
func (l *Log) roll(now int64) error {
	base := l.end.Load()
	old := l.active()
	if err := old.seal(false); err != nil {
		return err
	}
	if old.sparse {
		if err := old.sync(); err != nil {
			return err
		}
	}
	s := newSegment(l, base)
	if err := l.create(s, now); err != nil {
		return err
	}
	snapshot := encodeSnapshot(&l.producers)
	l.mu.Lock()
	l.segments = append(l.segments[:len(l.segments):len(l.segments)], s)
	l.snapshots = append(l.snapshots, pendingSnapshot{base, snapshot})
	l.namesDirty = true
	l.mu.Unlock()
	l.dir.flusher.harden(l)
	return nil
}

// moveEmpty puts a segment that begins at base in the place of the active one,
// which is empty: offsets in a segment are 31 bits, and a leader's log may have
// wide gaps.
func (l *Log) moveEmpty(base, now int64) error {
	old := l.active()
	if err := errors.Join(old.retire(), old.remove("")); err != nil {
		return err
	}
	s := newSegment(l, base)
	if err := l.create(s, now); err != nil {
		return err
	}
	l.mu.Lock()
	n := len(l.segments) - 1
	l.segments = append(l.segments[:n:n], s)
	l.namesDirty = true
	l.mu.Unlock()
	return nil
}

// create makes the file of a new, empty segment.
func (l *Log) create(s *segment, now int64) error {
	f, err := l.fs.Create(s.name(suffixLog), category)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", s.name(suffixLog), err)
	}
	for _, suffix := range segmentSuffixes[1:] { // of an earlier segment of that name, before a truncation
		if err := l.fs.remove(s.name(suffix)); err != nil {
			return err
		}
	}
	s.offsets.reset()
	s.times.reset()
	s.txns.reset()
	s.created = now
	s.stamps.known, s.stamps.modified = true, now
	return nil
}
