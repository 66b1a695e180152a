package partition

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"holt/broker/record"
)

// OutOfRangeError says that a log does not have an offset.
type OutOfRangeError struct {
	Offset, Start, End int64
}

func (e *OutOfRangeError) Error() string {
	return fmt.Sprintf("offset %d is out of range, the log has %d to %d", e.Offset, e.Start, e.End)
}

// Read returns whole batches from the one that has offset from on: those that lie below limit as a
// whole, up to maxBytes, but the first one in any case if minOne. The caller releases the Slice. It is
// empty at the log's end, and where nothing fits. The error is an *OutOfRangeError, ErrClosed, or that
// of the disk.
func (l *Log) Read(from int64, maxBytes int, limit int64, minOne bool) (Slice, error) {
	for {
		s, err := l.read(from, maxBytes, limit, minOne)
		if !errors.Is(err, errGone) {
			return s, err
		}
		l.mu.RLock() // a segment went meanwhile: look again which there are
		closed := l.closed
		l.mu.RUnlock()
		if closed {
			return Slice{}, ErrClosed
		}
	}
}

func (l *Log) read(from int64, maxBytes int, limit int64, minOne bool) (Slice, error) {
	start, end := l.start.Load(), l.end.Load()
	if from < start || from > end {
		return Slice{}, &OutOfRangeError{from, start, end}
	}
	limit = min(limit, end)
	s := Slice{upper: from}
	if from >= limit || maxBytes <= 0 && !minOne {
		return s, nil
	}
	if l.tail.read(&s, from, limit, maxBytes, minOne) {
		return s, nil
	}
	segments := l.view()
	for i := l.segmentOf(segments, from); i < len(segments); i++ {
		found, err := segments[i].read(&s, from, limit, maxBytes, minOne)
		if found || err != nil {
			return s, err
		}
	}
	return s, nil
}

// segmentOf returns the index of the last segment that begins at or before offset, 0 if none does.
func (l *Log) segmentOf(segments []*segment, offset int64) int {
	i := sort.Search(len(segments), func(i int) bool { return segments[i].base > offset })
	return max(i-1, 0)
}

// read fills out with a range of the segment's file. found is false if the segment has nothing at or
// behind from.
func (s *segment) read(out *Slice, from, limit int64, maxBytes int, minOne bool) (found bool, err error) {
	size := s.size.Load()
	if size == 0 {
		return false, nil
	}
	pos, err := s.near(from)
	if err != nil {
		return false, err
	}
	h, err := s.open()
	if err != nil {
		return false, err
	}
	first, at, err := locate(h, from, pos, size)
	if first == nil || err != nil {
		return false, errors.Join(err, h.release())
	}
	n, upper := 0, from
	if first.NextOffset() <= limit && (first.Size() <= maxBytes || minOne) {
		n, upper, err = s.extend(h, first, at, size, limit, maxBytes)
	}
	if n == 0 || err != nil {
		return true, errors.Join(err, h.release())
	}
	out.h, out.pos, out.n, out.upper = h, at, n, upper
	return true, nil
}

// extend returns how many bytes of whole batches from first on, which lies at at, fit, and the offset
// after them.
func (s *segment) extend(h *handle, first record.Batch, at, size, limit int64, maxBytes int) (n int, upper int64, err error) {
	pos, upper := at+int64(first.Size()), first.NextOffset()
	bound := min(size, at+int64(max(maxBytes, first.Size())))
	// Most of the way goes by the index: to the last batch it knows that begins below the bound
	// and ends below the limit.
	if bound-pos > scanBytes {
		jump, err := s.nearPosition(bound - 1)
		if err == nil && limit < s.log.end.Load() {
			var byOffset int64
			if byOffset, err = s.near(limit - 1); byOffset < jump {
				jump = byOffset
			}
		}
		if err != nil {
			return 0, 0, err
		}
		if jump > pos {
			b, _, err := scanHeaders(h, jump, size).next()
			if err != nil {
				return 0, 0, err
			}
			pos, upper = jump, b.BaseOffset()
		}
	}
	for sc := scanHeaders(h, pos, size); pos < bound; {
		b, _, err := sc.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, 0, fmt.Errorf("read %s at %d: %w", s.name(suffixLog), pos, err)
		}
		next := pos + int64(b.Size())
		if next > bound || b.NextOffset() > limit {
			break
		}
		pos, upper = next, b.NextOffset()
	}
	return int(pos - at), upper, nil
}

// AbortedTxn is an aborted transaction of which a reader must skip the records.
type AbortedTxn struct {
	ProducerID, FirstOffset int64
}

// AbortedIn returns the aborted transactions that have records between from and upper, which is excluded, by
// their markers.
func (l *Log) AbortedIn(from, upper int64) ([]AbortedTxn, error) {
	var all []AbortedTxn
	segments := l.view()
	for i := l.segmentOf(segments, from); i < len(segments); i++ {
		s := segments[i]
		entries, err := s.txns.entries(l.fs, s.name(suffixTxnIndex), 0)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", s.name(suffixTxnIndex), err)
		}
		for ; len(entries) >= txnWidth; entries = entries[txnWidth:] {
			a := decodeAborted(entries)
			if a.last >= from && a.first < upper {
				all = append(all, AbortedTxn{a.producer, a.first})
			}
			if a.stable >= upper {
				return all, nil // later markers are of transactions that began later
			}
		}
	}
	return all, nil
}

// OffsetForTime returns the first record whose timestamp is not less than millis, and its timestamp; noOffset
// (-1) if there is none.
func (l *Log) OffsetForTime(millis int64) (offset, timestamp int64, err error) {
	for _, s := range l.view() {
		ts, _, err := s.maxTimestamp()
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return noOffset, record.NoTimestamp, err
		}
		if ts < millis {
			continue
		}
		offset, timestamp, err := s.offsetForTime(millis, l.start.Load())
		if errors.Is(err, errGone) || err == nil && offset == noOffset {
			continue
		}
		return offset, timestamp, err
	}
	return noOffset, record.NoTimestamp, nil
}

// MaxTimestampOffset returns the first record with the greatest timestamp, and that.
func (l *Log) MaxTimestampOffset() (offset, timestamp int64, err error) {
	greatest := record.NoTimestamp
	for _, s := range l.view() {
		ts, _, err := s.maxTimestamp()
		if err != nil && !errors.Is(err, errGone) {
			return noOffset, record.NoTimestamp, err
		}
		if err == nil {
			greatest = max(greatest, ts)
		}
	}
	if greatest == record.NoTimestamp {
		return noOffset, record.NoTimestamp, nil
	}
	return l.OffsetForTime(greatest)
}

// offsetForTime is OffsetForTime within the segment, for records from start on.
func (s *segment) offsetForTime(millis, start int64) (offset, timestamp int64, err error) {
	// No batch up to the one of this entry has a timestamp as great.
	_, e, err := s.times.search(s.log.fs, s.name(suffixTimeIndex), func(e []byte) bool { return entryTime(e) < millis })
	if err != nil {
		return noOffset, record.NoTimestamp, err
	}
	from := max(s.base, start)
	if e != nil {
		from = max(from, s.base+entryTimeOffset(e))
	}
	pos, err := s.near(from)
	if err != nil {
		return noOffset, record.NoTimestamp, err
	}
	h, err := s.open()
	if err != nil {
		return noOffset, record.NoTimestamp, err
	}
	offset, timestamp, err = s.findTime(h, pos, millis, start)
	return offset, timestamp, errors.Join(err, h.release())
}

func (s *segment) findTime(h *handle, pos, millis, start int64) (offset, timestamp int64, err error) {
	for sc := scanHeaders(h, pos, s.size.Load()); ; {
		head, at, err := sc.next()
		if err == io.EOF {
			return noOffset, record.NoTimestamp, nil
		}
		if err != nil {
			return noOffset, record.NoTimestamp, fmt.Errorf("read %s at %d: %w", s.name(suffixLog), at, err)
		}
		if head.MaxTimestamp() < millis || head.LastOffset() < start {
			continue
		}
		b, err := readBatch(h, at, head.Size())
		if err != nil {
			return noOffset, record.NoTimestamp, fmt.Errorf("read %s at %d: %w", s.name(suffixLog), at, err)
		}
		offset, timestamp, err := firstAtOrAfter(b, millis, start, s.log.dir.options.Decompressor)
		if offset != noOffset || err != nil {
			return offset, timestamp, err
		}
	}
}

// firstAtOrAfter returns the first record of a batch that is at or behind an offset and not before a time.
func firstAtOrAfter(b record.Batch, millis, start int64, d *record.Decompressor) (offset, timestamp int64, err error) {
	if b.TimestampType() == record.LogAppendTime {
		return max(b.BaseOffset(), start), b.MaxTimestamp(), nil
	}
	for r, err := range b.Records(d) {
		if err != nil {
			return noOffset, record.NoTimestamp, fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
		}
		if r.Timestamp >= millis && r.Offset >= start {
			return r.Offset, r.Timestamp, nil
		}
	}
	return noOffset, record.NoTimestamp, nil
}
