package partition

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"holt/broker/record"
)

// segment is one file of batches with its indexes. The last one of a log, the
// active one, is written to; the others only change as a whole.
type segment struct {
	log  *Log
	base int64

	file    lazyFile
	offsets index
	times   index
	txns    index

	size atomic.Int64 // bytes of whole batches
	hard atomic.Bool  // sealed, and its files are durable

	// Written under the log's write lock (of the active segment, or once when looked up).
	stamps struct {
		sync.Mutex
		known      bool
		max        int64 // greatest timestamp, record.NoTimestamp none
		maxOffset  int64 // last offset of the batch that has it; noOffset none
		modified   int64 // wall clock of the last change, ms
		firstKnown bool
		first      int64 // first batch's greatest timestamp
	}

	// Of the active segment, guarded by the log's write lock.
	sinceIndex  int   // bytes since the last index entry
	created     int64 // wall clock, ms
	timeIndexed int64 // timestamp of the last time index entry
	sparse      bool  // offsets are missing in it, or may be
	reserved    int64 // bytes that the file has blocks for, see reserve; fewer than size: none behind its end
}

func newSegment(l *Log, base int64) *segment {
	s := &segment{log: l, base: base}
	s.offsets.init(offsetWidth)
	s.times.init(timeWidth)
	s.txns.init(txnWidth)
	s.stamps.max, s.stamps.maxOffset = record.NoTimestamp, noOffset
	s.timeIndexed = record.NoTimestamp
	return s
}

func (s *segment) name(suffix string) string {
	return s.log.fs.PathJoin(s.log.path, offsetName(s.base, suffix))
}

func (s *segment) open() (*handle, error) { return s.file.acquire(s.log.fs, s.name(suffixLog)) }

// index adds the entries for a batch of the active segment that was written at
// pos.
func (s *segment) index(b record.Batch, pos int64, interval int) error {
	rel := b.LastOffset() - s.base
	s.stamps.Lock()
	if ts := b.MaxTimestamp(); ts > s.stamps.max {
		s.stamps.max, s.stamps.maxOffset = ts, b.LastOffset()
	}
	if !s.stamps.firstKnown {
		s.stamps.firstKnown, s.stamps.first = true, b.MaxTimestamp()
	}
	s.stamps.known = true
	ts, tsOffset := s.stamps.max, s.stamps.maxOffset
	s.stamps.Unlock()
	if s.sinceIndex > interval {
		var e [timeWidth]byte
		if err := s.offsets.add(s.log.fs, s.name(suffixIndex), offsetEntry(e[:0], rel, pos)); err != nil {
			return err
		}
		if err := s.indexTime(ts, tsOffset); err != nil {
			return err
		}
		s.sinceIndex = 0
	}
	s.sinceIndex += b.Size()
	return nil
}

// indexTime adds an entry to the time index unless it says nothing new.
func (s *segment) indexTime(ts, offset int64) error {
	if ts <= s.timeIndexed || ts < 0 {
		return nil
	}
	var e [timeWidth]byte
	if err := s.times.add(s.log.fs, s.name(suffixTimeIndex), timeEntry(e[:0], ts, offset-s.base)); err != nil {
		return err
	}
	s.timeIndexed = ts
	return nil
}

// sync makes the batches durable.
func (s *segment) sync() error {
	h, err := s.open()
	if err == nil {
		err = errors.Join(h.SyncData(), h.release())
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", s.name(suffixLog), err)
	}
	return nil
}

// seal writes the indexes of a segment that gets no more batches, or none until
// the log is opened again, and gives back what it has reserved.
func (s *segment) seal(sync bool) error {
	s.stamps.Lock()
	known, ts, offset := s.stamps.known, s.stamps.max, s.stamps.maxOffset
	s.stamps.Unlock()
	if known {
		if err := s.indexTime(ts, offset); err != nil {
			return err
		}
	}
	if err := s.unreserve(); err != nil {
		return err
	}
	return s.settle(sync)
}

// settle writes the indexes' pending entries.
func (s *segment) settle(sync bool) error {
	return errors.Join(
		s.offsets.settle(s.log.fs, s.name(suffixIndex), sync, true),
		s.times.settle(s.log.fs, s.name(suffixTimeIndex), sync, true),
		s.txns.settle(s.log.fs, s.name(suffixTxnIndex), sync, false),
	)
}

// near returns a place at or before the batch that has offset, or the first one
// after it, from the index.
func (s *segment) near(offset int64) (int64, error) {
	rel := offset - s.base
	_, e, err := s.offsets.search(s.log.fs, s.name(suffixIndex), func(e []byte) bool { return entryOffset(e) <= rel })
	if err != nil {
		return 0, fmt.Errorf("look up offset %d in %s: %w", offset, s.name(suffixIndex), err)
	}
	if e == nil {
		return 0, nil
	}
	return entryPosition(e), nil
}

// nearPosition returns the last batch's beginning that the index knows at or
// before pos.
func (s *segment) nearPosition(pos int64) (int64, error) {
	_, e, err := s.offsets.search(s.log.fs, s.name(suffixIndex), func(e []byte) bool { return entryPosition(e) <= pos })
	if err != nil {
		return 0, fmt.Errorf("look up position %d in %s: %w", pos, s.name(suffixIndex), err)
	}
	if e == nil {
		return 0, nil
	}
	return entryPosition(e), nil
}

// locate returns the header and the place of the first batch whose last offset
// is at least offset, looking from the batch at pos on up to end; a nil header
// and end if there is none.
func locate(f io.ReaderAt, offset, pos, end int64) (record.Batch, int64, error) {
	sc := scanHeaders(f, pos, end)
	for {
		b, at, err := sc.next()
		if err == io.EOF {
			return nil, end, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if b.LastOffset() >= offset {
			return b, at, nil
		}
	}
}

// resume prepares a segment to be written to that is not new: it looks at the
// batches behind the last index entry. It returns the offset after the last one.
func (s *segment) resume() (next int64, err error) {
	e, err := s.offsets.last(s.log.fs, s.name(suffixIndex))
	if err != nil {
		return 0, err
	}
	te, err := s.times.last(s.log.fs, s.name(suffixTimeIndex))
	if err != nil {
		return 0, err
	}
	pos, next := int64(0), s.base
	if e != nil {
		pos = entryPosition(e)
	}
	ts, tsOffset := record.NoTimestamp, noOffset
	if te != nil {
		ts, tsOffset = entryTime(te), s.base+entryTimeOffset(te)
	}
	s.timeIndexed = ts
	h, err := s.open()
	if err != nil {
		return 0, err
	}
	s.sinceIndex, s.sparse = 0, true // it is not looked at as a whole
	for sc := scanHeaders(h, pos, s.size.Load()); ; {
		b, at, err := sc.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, errors.Join(fmt.Errorf("read %s at %d: %w", s.name(suffixLog), at, err), h.release())
		}
		if b.MaxTimestamp() > ts {
			ts, tsOffset = b.MaxTimestamp(), b.LastOffset()
		}
		next = b.NextOffset()
		s.sinceIndex += b.Size()
	}
	s.stamps.Lock()
	s.stamps.known, s.stamps.max, s.stamps.maxOffset = true, ts, tsOffset
	s.stamps.firstKnown = false
	s.stamps.Unlock()
	return next, h.release()
}

// cut takes away the batches from offset on, which begin at pos, and what the
// indexes have of them.
func (s *segment) cut(offset, pos int64) error {
	fs, rel := s.log.fs, offset-s.base
	for _, x := range []struct {
		index  *index
		suffix string
		keep   func(e []byte) bool
	}{
		{&s.offsets, suffixIndex, func(e []byte) bool { return entryOffset(e) < rel }},
		{&s.times, suffixTimeIndex, func(e []byte) bool { return entryTimeOffset(e) < rel }},
		{&s.txns, suffixTxnIndex, func(e []byte) bool { return decodeAborted(e).last < offset }},
	} {
		i, _, err := x.index.search(fs, s.name(x.suffix), x.keep)
		if err == nil {
			err = x.index.cut(fs, s.name(x.suffix), i+1)
		}
		if err != nil {
			return err
		}
	}
	s.hard.Store(false)
	if pos == s.size.Load() {
		return nil
	}
	h, err := s.open()
	if err != nil {
		return err
	}
	err = fs.cut(s.name(suffixLog), h, pos)
	if err := errors.Join(err, h.release(), s.file.close()); err != nil {
		return err
	}
	s.size.Store(pos)
	s.reserved = 0
	return nil
}

// maxTimestamp returns the segment's greatest timestamp and the last offset of
// the batch that has it: from memory, from the time index, or from the batches
// behind its last entry. f is the segment's file.
func (s *segment) maxTimestamp() (ts, offset int64, err error) {
	s.stamps.Lock()
	defer s.stamps.Unlock()
	if s.stamps.known {
		return s.stamps.max, s.stamps.maxOffset, nil
	}
	e, err := s.times.last(s.log.fs, s.name(suffixTimeIndex))
	if err != nil {
		return 0, 0, err
	}
	ts, offset = record.NoTimestamp, noOffset
	if e != nil {
		ts, offset = entryTime(e), s.base+entryTimeOffset(e)
	}
	s.stamps.known, s.stamps.max, s.stamps.maxOffset = true, ts, offset
	return ts, offset, nil
}

// firstTimestamp returns the first batch's greatest timestamp, from which the
// segment's age counts; NoTimestamp if there is no batch.
func (s *segment) firstTimestamp() (int64, error) {
	s.stamps.Lock()
	defer s.stamps.Unlock()
	if s.stamps.firstKnown {
		return s.stamps.first, nil
	}
	if s.size.Load() == 0 {
		return record.NoTimestamp, nil
	}
	h, err := s.open()
	if err != nil {
		return 0, err
	}
	b, _, err := scanHeaders(h, 0, s.size.Load()).next()
	if err := errors.Join(err, h.release()); err != nil {
		return 0, fmt.Errorf("read %s: %w", s.name(suffixLog), err)
	}
	s.stamps.firstKnown, s.stamps.first = true, b.MaxTimestamp()
	return s.stamps.first, nil
}

// files are the segment's open files, in the order of segmentSuffixes.
func (s *segment) files() [4]*lazyFile {
	return [...]*lazyFile{&s.file, &s.offsets.file, &s.times.file, &s.txns.file}
}

// retire closes the segment's files for ever; readers keep theirs.
func (s *segment) retire() error {
	var errs []error
	for _, f := range s.files() {
		errs = append(errs, f.retire())
	}
	return errors.Join(errs...)
}

func (s *segment) closeIdle() error {
	var errs []error
	for _, f := range s.files() {
		errs = append(errs, f.closeIdle())
	}
	return errors.Join(errs...)
}

// remove removes the segment's files, named with an additional suffix. The log
// goes last: an index without one is an orphan that opening removes, a
// log without index is one that has to be read again.
func (s *segment) remove(suffix string) error {
	var errs []error
	for i := len(segmentSuffixes) - 1; i >= 0; i-- {
		errs = append(errs, s.log.fs.remove(s.name(segmentSuffixes[i])+suffix))
	}
	return errors.Join(errs...)
}
