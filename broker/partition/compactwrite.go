package partition

import (
	"errors"
	"fmt"
	"slices"

	"holt/broker/record"
)

// rewritten is a segment that is being written to take the place of others.
type rewritten struct {
	*segment
	buf []byte
	pos int64 // of what is not written yet
}

// newRewritten makes the files of a segment, with names of their own until it is put in place.
func (c *compaction) newRewritten(base int64) (*rewritten, error) {
	w := &rewritten{segment: newSegment(c.log, base)}
	for _, x := range []*index{&w.offsets, &w.times, &w.txns} {
		x.loaded = true
	}
	fs := c.log.fs
	for i, file := range w.files() {
		name := w.name(segmentSuffixes[i]) + suffixCleaned
		f, err := fs.Create(name, category)
		if err == nil {
			err = f.Close()
		}
		if err == nil {
			f, err = fs.OpenReadWrite(name, category)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create %s: %w", name, err), w.retire())
		}
		file.h = &handle{File: f} // stays open until the files have their names
		file.h.refs.Store(1)
		file.h.used.Store(true)
	}
	return w, nil
}

// add appends a batch.
func (w *rewritten) add(b record.Batch, interval int) error {
	if err := w.index(b, w.pos+int64(len(w.buf)), interval); err != nil {
		return err
	}
	w.buf = append(w.buf, b...)
	if len(w.buf) < scanWhole {
		return nil
	}
	return w.drain()
}

func (w *rewritten) drain() error {
	if err := w.log.write(w.segment, w.buf, w.pos, 0); err != nil {
		return err
	}
	w.pos += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

// finish makes all that was written durable.
func (w *rewritten) finish() error {
	if err := errors.Join(w.drain(), w.seal(true)); err != nil {
		return err
	}
	w.size.Store(w.pos)
	w.hard.Store(true)
	h, err := w.open()
	if err != nil {
		return err
	}
	return errors.Join(h.SyncData(), h.release())
}

// rewrite puts one segment in the place of n from the i-th on, with what is left of their records.
func (c *compaction) rewrite(i, n int) error {
	w, err := c.newRewritten(c.segments[i].base)
	if err != nil {
		return err
	}
	old := c.segments[i : i+n]
	var size int64
	for j, s := range old {
		size += s.size.Load()
		if err = c.copy(w, s, j == n-1); err != nil {
			break
		}
	}
	if err == nil {
		err = w.finish()
	}
	if err == nil && (n > 1 || w.pos != size) {
		if err = c.log.fs.syncDir(c.log.path); err == nil {
			return c.swap(w.segment, old)
		}
	}
	return errors.Join(err, w.retire(), w.remove(suffixCleaned))
}

// copy appends what is left of s. The last batch of all stays, without records perhaps, so that the segment ends
// where the next one begins.
func (c *compaction) copy(w *rewritten, s *segment, last bool) error {
	var held record.Batch // the last batch so far if it has no records and goes, unless it is the last of all
	interval := c.config.IndexIntervalBytes
	err := s.scan(func(b record.Batch) error {
		if err := c.pace.spend(c.ctx, len(b)); err != nil {
			return err
		}
		held = nil
		kept, err := c.filter(b)
		if err != nil {
			return err
		}
		if kept.Count() == 0 && !c.isLast(b) {
			held = kept
			return nil
		}
		if err := c.pace.spend(c.ctx, len(kept)); err != nil {
			return err
		}
		return w.add(kept, interval)
	})
	if err == nil && last && held != nil {
		err = w.add(held, interval)
	}
	if err != nil {
		return fmt.Errorf("compact %s: %w", s.name(suffixLog), err)
	}
	entries, err := s.txns.entries(s.log.fs, s.name(suffixTxnIndex), 0)
	if err == nil && len(entries) > 0 {
		err = w.txns.add(s.log.fs, w.name(suffixTxnIndex), entries)
	}
	s.stamps.Lock()
	w.stamps.modified = max(w.stamps.modified, s.stamps.modified)
	s.stamps.Unlock()
	return err
}

// filter returns what is left of a batch; b itself if that is all.
func (c *compaction) filter(b record.Batch) (record.Batch, error) {
	if b.BaseOffset() >= c.upper {
		return b, nil
	}
	horizon, stamped := b.DeleteHorizon()
	expired := stamped && c.now >= horizon
	if b.IsControl() {
		return c.filterMarker(b, stamped, expired)
	}
	aborted := c.isAborted(b)
	keep := func(r record.Record) bool {
		return !aborted && r.Key != nil && !c.latest.hides(r.Key, r.Offset) && (r.Value != nil || !expired)
	}
	kept, tombstones := int32(0), false
	for r, err := range b.Records(c.log.dir.options.Decompressor) {
		if err != nil {
			return nil, err
		}
		if keep(r) {
			kept++
			tombstones = tombstones || r.Value == nil
		}
	}
	if b.IsTransactional() { // even if it goes: it may have to stay without records, and must not be without its marker then
		c.open[b.ProducerID()] = true
	}
	if kept == b.Count() && (stamped || !tombstones) {
		return b, nil
	}
	return record.Filter(b, keep, c.filterOptions(!stamped && tombstones))
}

// filterMarker lets a marker go some time after the last record of its transaction has gone.
func (c *compaction) filterMarker(b record.Batch, stamped, expired bool) (record.Batch, error) {
	data := c.open[b.ProducerID()]
	delete(c.open, b.ProducerID())
	switch m, err := b.Marker(); {
	case err != nil:
		return nil, err
	case m == nil && b.Count() > 0, data, c.isLast(b), stamped && !expired:
		return b, nil
	}
	return record.Filter(b, func(record.Record) bool { return !expired }, c.filterOptions(!stamped))
}

func (c *compaction) filterOptions(stamp bool) record.FilterOptions {
	o := &c.log.dir.options
	f := record.FilterOptions{DeleteHorizon: record.NoTimestamp, Compressor: o.Compressor, Decompressor: o.Decompressor}
	if stamp {
		f.DeleteHorizon = c.now + c.config.DeleteRetentionMillis
	}
	return f
}

// swap puts w in the place of old. A crash before the log's file is named .swap, durably, leaves what was; one
// after it is finished when the log is opened (see tidy). Appends wait meanwhile.
func (c *compaction) swap(w *segment, old []*segment) error {
	l := c.log
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return errors.Join(err, w.retire())
	}
	if l.isClosed() {
		return errors.Join(ErrClosed, w.retire())
	}
	segments := l.view()
	i := slices.Index(segments, old[0])
	if i < 0 || l.seenTruncations() != c.truncations {
		return errors.Join(errGone, w.retire(), w.remove(suffixCleaned))
	}
	// Recovery must not take what is left out for what a crash has lost.
	if err := l.dir.checkpoints.set(l.dir, kindRecovery, l.name, l.recovery.Load()); err != nil {
		return errors.Join(err, w.retire())
	}
	if err := w.promote(suffixCleaned, suffixSwap); err != nil {
		return errors.Join(err, w.retire()) // the files stay: which name they have on disk is not known
	}
	l.mu.Lock()
	l.segments = slices.Concat(segments[:i:i], []*segment{w}, segments[i+len(old):])
	l.mu.Unlock()
	l.tail.dropBefore(l.segmentEnd(segments, i+len(old)-1)) // it has what was
	for j, s := range old {
		err := s.retire()
		if j > 0 {
			err = errors.Join(err, s.remove(""))
		}
		if err != nil {
			return err
		}
	}
	return w.promote(suffixSwap, "")
}

// promote renames the segment's files, durably, the log's last: where that is the others are too.
func (s *segment) promote(from, to string) error {
	for _, suffix := range segmentSuffixes[1:] {
		if err := s.log.fs.rename(s.name(suffix)+from, s.name(suffix)+to); err != nil {
			return err
		}
	}
	if err := s.log.fs.syncDir(s.log.path); err != nil {
		return err
	}
	if err := s.log.fs.rename(s.name(suffixLog)+from, s.name(suffixLog)+to); err != nil {
		return err
	}
	return s.log.fs.syncDir(s.log.path)
}

// finishSwaps does what a crash has left of compaction: segments whose logs are named .swap are put in place.
func (l *Log) finishSwaps(names []string) error {
	for _, name := range names {
		base, suffix, ok := parseOffsetName(name)
		if !ok || suffix != suffixLog+suffixSwap {
			continue
		}
		next, err := l.endOfFile(name)
		if err != nil {
			return err
		}
		for _, other := range names {
			if at, suffix, ok := parseOffsetName(other); ok && suffix == suffixLog && at > base && at < next {
				if err := newSegment(l, at).remove(""); err != nil {
					return err
				}
			}
		}
		if err := newSegment(l, base).promote(suffixSwap, ""); err != nil {
			return err
		}
	}
	return nil
}

// endOfFile returns the offset after the last batch of a segment's file.
func (l *Log) endOfFile(name string) (next int64, err error) {
	size, err := l.fs.size(l.file(name))
	if err != nil {
		return 0, err
	}
	f, err := l.fs.Open(l.file(name))
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", name, err)
	}
	for sc := scanHeaders(f, 0, size); sc.pos < size; {
		b, at, err := sc.next()
		if err != nil {
			return 0, errors.Join(fmt.Errorf("read %s at %d: %w", name, at, err), f.Close())
		}
		next = b.NextOffset()
	}
	return next, f.Close()
}
