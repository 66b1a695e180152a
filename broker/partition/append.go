package partition

import (
	"errors"
	"fmt"

	"holt/broker/kerror"
	"holt/broker/record"
)

// AppendOptions go with one append of a leader.
type AppendOptions struct {
	// LeaderEpoch is stamped on the batches. A log that has heard of a later one refuses.
	LeaderEpoch int32
	// Now is the wall clock in milliseconds.
	Now int64
	// Origin and ProduceVersion are as record.ValidateOptions has them.
	Origin         record.Origin
	ProduceVersion int16
	// VerifyTxn makes the first batch of a transaction need the Guard of Log.Verify.
	VerifyTxn bool
	Guard     uint64
	// Memory, if not nil, is what the bytes lie in: the log may keep it after the append.
	Memory Memory
}

// Appended says where batches are in the log.
type Appended struct {
	FirstOffset, LastOffset int64
	// LogAppendTime is the time that the records were given, or record.NoTimestamp where they keep
	// their own.
	LogAppendTime int64
	LogStart      int64
	// Duplicate: an idempotent producer's batch that is in the log already; nothing was appended.
	Duplicate bool
}

// appendedBatch is a batch on its way into the log.
type appendedBatch struct {
	batch record.Batch
	pos   int // in the append
}

// AppendAsLeader validates batches, gives them offsets and the leader's epoch,
// in place, and stores them by one write. The bytes belong to the log during
// the call only, or for as long as it has acquired their Memory. It acknowledges
// what the file system's cache has; see OnFlushed for more.
//
// An Invalid is what the client is to hear, and nothing was stored; the error is
// this process's failure, a *FailedError or ErrClosed: it is not known
// then whether the records are stored.
func (l *Log) AppendAsLeader(b []byte, o AppendOptions) (Appended, *record.Invalid, error) {
	if err := l.Err(); err != nil {
		return Appended{}, nil, err
	}
	c := l.config.Load()
	stored, invalid := record.Validate(b, l.validateOptions(c, &o)) // without a lock: many at a time
	if invalid != nil {
		return Appended{}, invalid, nil
	}
	if len(stored) == 0 {
		return Appended{}, &record.Invalid{Code: kerror.InvalidRecord, Message: "no batch to append"}, nil
	}
	if &stored[0] != &b[0] {
		o.Memory = nil // they were compressed anew
	}
	a, invalid, err := l.appendLeader(stored, c, &o)
	if err == nil && invalid == nil && !a.Duplicate {
		err = l.flushIfDue(c)
	}
	return a, invalid, err
}

func (l *Log) validateOptions(c *Config, o *AppendOptions) record.ValidateOptions {
	return record.ValidateOptions{
		Origin: o.Origin, ProduceVersion: o.ProduceVersion,
		MaxBatchBytes: c.MaxMessageBytes, SegmentBytes: c.SegmentBytes,
		Compacted: c.CleanupPolicy&Compact != 0, TimestampType: c.TimestampType, Now: o.Now,
		TimestampBeforeMax: limit(c.TimestampBeforeMaxMillis), TimestampAfterMax: limit(c.TimestampAfterMaxMillis),
		Compression: &c.Compression, Compressor: l.dir.options.Compressor,
		TrustCompressed: l.dir.options.TrustCompressed, Decompressor: l.dir.options.Decompressor,
	}
}

func (l *Log) appendLeader(b []byte, c *Config, o *AppendOptions) (Appended, *record.Invalid, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return Appended{}, nil, err
	}
	if latest := l.LatestEpoch(); o.LeaderEpoch < latest {
		return Appended{}, &record.Invalid{
			Code:    kerror.NotLeaderOrFollower,
			Message: fmt.Sprintf("leader epoch %d, the log has %d", o.LeaderEpoch, latest),
		}, nil
	}
	batches, err := l.split(b)
	if err != nil {
		return Appended{}, &record.Invalid{Code: kerror.CorruptMessage, Message: err.Error()}, nil
	}
	if len(batches) == 1 {
		if a, invalid := l.judge(batches[0].batch, o); a.Duplicate || invalid != nil {
			return a, invalid, nil
		}
	}
	first := l.end.Load()
	next := first
	for i := range batches {
		batch := batches[i].batch
		if len(batches) > 1 && batch.HasProducer() {
			if _, code := l.producers.check(batch, o.Origin); code != kerror.OK {
				return Appended{}, refusal(code, batch), nil
			}
		}
		batch.SetBaseOffset(next)
		batch.SetPartitionLeaderEpoch(o.LeaderEpoch)
		next = batch.NextOffset()
	}
	if err := l.store(b, batches, next, c, o.Now, o.Memory); err != nil {
		return Appended{}, nil, err
	}
	a := Appended{FirstOffset: first, LastOffset: next - 1, LogAppendTime: record.NoTimestamp, LogStart: l.start.Load()}
	if c.TimestampType == record.LogAppendTime {
		a.LogAppendTime = o.Now
	}
	return a, nil, nil
}

// split finds the batches in b, which is valid, in memory that the log keeps.
func (l *Log) split(b []byte) ([]appendedBatch, error) {
	l.scratch = l.scratch[:0]
	for rest := b; len(rest) > 0; {
		batch, after, err := record.Next(rest)
		if err != nil {
			return nil, err
		}
		l.scratch = append(l.scratch, appendedBatch{batch: batch, pos: len(b) - len(rest)})
		rest = after
	}
	return l.scratch, nil
}

// judge looks at a batch with its producer's eyes.
func (l *Log) judge(b record.Batch, o *AppendOptions) (Appended, *record.Invalid) {
	if !b.HasProducer() {
		return Appended{}, nil
	}
	w, code := l.producers.check(b, o.Origin)
	if code != kerror.OK {
		return Appended{}, refusal(code, b)
	}
	if w != nil {
		a := Appended{FirstOffset: w.firstOffset(), LastOffset: w.lastOffset, LogAppendTime: record.NoTimestamp,
			LogStart: l.start.Load(), Duplicate: true}
		if l.config.Load().TimestampType == record.LogAppendTime {
			a.LogAppendTime = w.timestamp
		}
		return a, nil
	}
	if o.VerifyTxn && b.IsTransactional() && !b.IsControl() {
		if p := l.producers.byID[b.ProducerID()]; p == nil || p.txnFirst == noOffset {
			if g, ok := l.producers.guards[b.ProducerID()]; !ok || g.id != o.Guard || g.epoch != b.ProducerEpoch() {
				return Appended{}, refusal(kerror.InvalidTxnState, b)
			}
		}
	}
	return Appended{}, nil
}

func refusal(code kerror.Code, b record.Batch) *record.Invalid {
	return &record.Invalid{Code: code, Message: fmt.Sprintf(
		"%v: producer %d, epoch %d, sequence %d", code, b.ProducerID(), b.ProducerEpoch(), b.BaseSequence())}
}

// UnexpectedOffsetError says that a follower was handed batches that do not
// follow its log.
type UnexpectedOffsetError struct {
	Want, Got int64
}

func (e *UnexpectedOffsetError) Error() string {
	return fmt.Sprintf("batches at offset %d, the log ends at %d", e.Got, e.Want)
}

// AppendAsFollower stores a leader's batches as they are, by one write. The bytes
// belong to the log during the call only. They have to be whole batches that
// follow the log's end, after a gap perhaps; otherwise the error is a
// *record.CorruptError or an *UnexpectedOffsetError and nothing was stored. An
// empty log also takes a batch that begins before its start and contains it: after
// DeleteRecords in the middle of a batch.
func (l *Log) AppendAsFollower(b []byte, now int64) error {
	if err := l.Err(); err != nil {
		return err
	}
	for batch, err := range record.All(b) { // without a lock
		if err == nil {
			err = batch.Check()
		}
		if err != nil {
			return fmt.Errorf("batches for %s: %w", l.name, err)
		}
	}
	if len(b) == 0 {
		return nil
	}
	c := l.config.Load()
	if err := l.appendFollower(b, c, now); err != nil {
		return err
	}
	return l.flushIfDue(c)
}

func (l *Log) appendFollower(b []byte, c *Config, now int64) error {
	if first := record.Batch(b); l.startsInside(first) {
		if err := l.restartInside(first); err != nil {
			return err
		}
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	batches, err := l.split(b)
	if err != nil {
		return err
	}
	next, epoch := l.end.Load(), l.LatestEpoch()
	for i := range batches {
		batch := batches[i].batch
		if batch.BaseOffset() < next {
			return &UnexpectedOffsetError{Want: next, Got: batch.BaseOffset()}
		}
		if e := batch.PartitionLeaderEpoch(); e >= 0 && e < epoch {
			return fmt.Errorf("batch at offset %d has leader epoch %d after %d", batch.BaseOffset(), e, epoch)
		}
		next, epoch = batch.NextOffset(), max(epoch, batch.PartitionLeaderEpoch())
	}
	return l.store(b, batches, next, c, now, nil)
}

// store writes batches, which have their offsets, behind the log's end and
// counts them in. next is the log's end then, m what they lie in if they may stay there.
func (l *Log) store(b []byte, batches []appendedBatch, next int64, c *Config, now int64, m Memory) error {
	if err := l.rollIfFull(batches, len(b), c, now); err != nil {
		return l.fail(err)
	}
	s := l.active()
	pos := s.size.Load()
	if err := l.write(s, b, pos, int64(c.SegmentBytes)); err != nil {
		return l.fail(err)
	}
	records, expected := int64(0), l.end.Load()
	for i := range batches {
		batch := batches[i].batch
		s.sparse = s.sparse || sparse(batch, expected)
		expected = batch.NextOffset()
		l.assignEpoch(batch.PartitionLeaderEpoch(), batch.BaseOffset())
		if err := errors.Join(
			s.index(batch, pos+int64(batches[i].pos), c.IndexIntervalBytes),
			l.count(s, batch),
		); err != nil {
			return l.fail(err)
		}
		records += int64(batch.LastOffsetDelta()) + 1
	}
	l.tail.add(&l.dir.tails, l.dir.options.TailBytesPerLog, b, m)
	s.touch(now)
	l.mu.Lock()
	s.size.Store(pos + int64(len(b)))
	l.end.Store(next)
	l.mu.Unlock()
	l.unflushed.Add(records)
	clear(batches) // the bytes are not ours any more
	return nil
}

// write writes b at pos of a segment that is going to hold limit bytes at most; 0: it is not known.
func (l *Log) write(s *segment, b []byte, pos, limit int64) error {
	h, err := s.open()
	if err != nil {
		return err
	}
	s.reserve(h, pos+int64(len(b)), limit)
	_, err = h.WriteAt(b, pos)
	if err := errors.Join(err, h.release()); err != nil {
		return fmt.Errorf("write %s: %w", s.name(suffixLog), err)
	}
	return nil
}

// count adds a batch to the producers' state, and an aborted transaction to the
// index.
func (l *Log) count(s *segment, b record.Batch) error {
	t := l.producers.apply(b)
	if t != nil && t.last < l.highWatermark.Load() { // while a log is read in
		l.producers.settle(l.highWatermark.Load())
	}
	if b.HasProducer() {
		l.unstable.Store(l.producers.unstable())
	}
	if t == nil || !t.aborted {
		return nil
	}
	a := abortedTxn{producer: t.producer, first: t.first, last: t.last, stable: l.producers.stableAfter(*t)}
	return s.txns.add(l.fs, s.name(suffixTxnIndex), a.append(nil))
}

func (s *segment) touch(now int64) {
	s.stamps.Lock()
	s.stamps.modified = now
	s.stamps.Unlock()
}
