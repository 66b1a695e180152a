package replica

import (
	"context"
	"fmt"
	"time"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/protocol"
	"holt/broker/record"
)

// Offset is an answer of ListOffset. Offset and Timestamp are -1 for none, so is Epoch.
type Offset struct {
	Offset, Timestamp int64
	Epoch             int32
	Code              kerror.Code
}

// What ListOffset takes in place of a timestamp.
const (
	Latest        = -1
	Earliest      = -2
	MaxTimestamp  = -3 // the record with the greatest timestamp
	EarliestLocal = -4
	LatestTiered  = -5
)

var noOffset = Offset{Offset: -1, Timestamp: -1, Epoch: -1}

// ListOffset finds an offset by a time or a place: the first record that is not older than the
// timestamp. committed bounds it by the last stable offset, else the high watermark does.
func (s *Set) ListOffset(tp metadata.TopicPartition, currentEpoch int32, timestamp int64, committed bool) Offset {
	r, code := s.find(tp)
	if code != kerror.OK {
		return Offset{Offset: -1, Timestamp: -1, Epoch: -1, Code: code}
	}
	r.as.RLock()
	defer r.as.RUnlock()
	if code := r.lead(currentEpoch); code != kerror.OK {
		return Offset{Offset: -1, Timestamp: -1, Epoch: -1, Code: code}
	}
	r.mu.Lock()
	settled := r.core.settledIn()
	r.mu.Unlock()
	limit := r.log.HighWatermark()
	if committed {
		limit = r.log.LastStableOffset()
	}
	return r.listOffset(timestamp, limit, settled)
}

// listOffset is ListOffset below a limit. Unless settled, the high watermark may lie below what the
// leader before showed, so that what is not found may exist.
func (r *replica) listOffset(timestamp, limit int64, settled bool) Offset {
	unsettled := Offset{Offset: -1, Timestamp: -1, Epoch: -1, Code: kerror.OffsetNotAvailable}
	switch timestamp {
	case Latest:
		if !settled {
			return unsettled
		}
		return Offset{Offset: limit, Timestamp: -1, Epoch: r.epoch}
	case Earliest, EarliestLocal:
		start := r.log.StartOffset()
		return Offset{Offset: start, Timestamp: -1, Epoch: r.log.EpochAt(start)}
	case LatestTiered:
		return noOffset
	}
	find := r.log.OffsetForTime
	if timestamp == MaxTimestamp {
		find = func(int64) (int64, int64, error) { return r.log.MaxTimestampOffset() }
	}
	offset, at, err := find(timestamp)
	switch {
	case err != nil:
		return Offset{Offset: -1, Timestamp: -1, Epoch: -1, Code: r.broken(err)}
	case offset >= 0 && offset < limit:
		return Offset{Offset: offset, Timestamp: at, Epoch: r.log.EpochAt(offset)}
	case !settled:
		return unsettled
	}
	return noOffset
}

// EpochEnd returns where the leader's log leaves a leader epoch, or the one before if it does not
// have it. (Kafka: OffsetForLeaderEpoch)
func (s *Set) EpochEnd(tp metadata.TopicPartition, currentEpoch, epoch int32) (protocol.EpochEnd, kerror.Code) {
	none := protocol.EpochEnd{Epoch: -1, EndOffset: -1}
	r, code := s.find(tp)
	if code != kerror.OK {
		return none, code
	}
	r.as.RLock()
	defer r.as.RUnlock()
	if code := r.lead(currentEpoch); code != kerror.OK {
		return none, code
	}
	end := protocol.EpochEnd{}
	end.Epoch, end.EndOffset = r.log.EpochEnd(epoch)
	return end, kerror.OK
}

// loadBytes is how much Load reads at a time.
const loadBytes = 1 << 20

// Load reads a partition that this broker leads in the epoch from its first batch to the end that
// it has now. A batch's memory is good during visit only. The error is visit's, the context's, or
// that it could not be read.
func (s *Set) Load(ctx context.Context, tp metadata.TopicPartition, leaderEpoch int32, visit func(record.Batch) error) error {
	r, code := s.find(tp)
	if code == kerror.OK {
		r.as.RLock()
		code = r.lead(leaderEpoch)
		r.as.RUnlock()
	}
	if code != kerror.OK {
		return fmt.Errorf("load %v: %v", tp, code)
	}
	var b []byte
	end := r.log.EndOffset()
	for from := r.log.StartOffset(); from < end; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		next, err := r.visit(from, end, &b, visit)
		if err != nil {
			return err
		}
		if next == from {
			return fmt.Errorf("load %v: no batch at offset %d of %d", tp, from, end)
		}
		from = next
	}
	return nil
}

// visit reads some batches from an offset on and returns the offset after them.
func (r *replica) visit(from, end int64, b *[]byte, visit func(record.Batch) error) (next int64, err error) {
	slice, err := r.log.Read(from, loadBytes, end, true)
	if err != nil {
		return 0, fmt.Errorf("load %v from offset %d: %w", r.tp, from, err)
	}
	*b, err = slice.AppendTo((*b)[:0])
	if bad := slice.Release(); err == nil {
		err = bad
	}
	if err != nil {
		return 0, fmt.Errorf("load %v from offset %d: %w", r.tp, from, err)
	}
	next = from
	for batch, err := range record.All(*b) {
		if err != nil {
			return 0, fmt.Errorf("load %v from offset %d: %w", r.tp, next, err)
		}
		if err := visit(batch); err != nil {
			return 0, err
		}
		next = batch.NextOffset()
	}
	return next, nil
}

// deletion is a DeleteRecords that waits for the other replicas.
type deletion struct {
	r      *replica
	before int64
	done   func(low int64, code kerror.Code)
	timer  *time.Timer
}

// DeleteRecords has a partition begin at an offset, -1 the high watermark, and calls done when all
// live replicas do, or the time is up.
func (s *Set) DeleteRecords(tp metadata.TopicPartition, before int64, timeout time.Duration, done func(low int64, code kerror.Code)) {
	r, code := s.find(tp)
	if code != kerror.OK {
		done(-1, code)
		return
	}
	d := &deletion{r: r, before: before, done: done}
	if code := d.begin(timeout); code != kerror.OK {
		done(-1, code)
		return
	}
	d.look()
}

// begin advances the own log and has d wait.
func (d *deletion) begin(timeout time.Duration) kerror.Code {
	r := d.r
	r.as.RLock()
	defer r.as.RUnlock()
	if code := r.lead(-1); code != kerror.OK {
		return code
	}
	hw := r.log.HighWatermark()
	if d.before == -1 {
		d.before = hw
	}
	if d.before < 0 || d.before > hw {
		return kerror.OffsetOutOfRange
	}
	if err := r.log.AdvanceStart(d.before); err != nil {
		return r.broken(err)
	}
	r.mu.Lock()
	r.deletions = append(r.deletions, d)
	d.timer = time.AfterFunc(timeout, func() { d.end(kerror.RequestTimedOut) })
	r.mu.Unlock()
	return kerror.OK
}

// look ends d if all live replicas have deleted, or nobody can tell any more.
func (d *deletion) look() {
	r := d.r
	image := r.set.image.Load()
	r.mu.Lock()
	code := kerror.OK
	low := int64(-1)
	switch {
	case r.core == nil:
		code = kerror.NotLeaderOrFollower
	default:
		low = r.core.lowWatermark(r.log.StartOffset(), func(id int32) bool { return image.Broker(id) != nil })
		if low < d.before && r.set.drained.Load() {
			code = kerror.RequestTimedOut
		}
	}
	r.mu.Unlock()
	if code != kerror.OK || low >= d.before {
		d.finish(low, code)
	}
}

// end ends d with a code.
func (d *deletion) end(code kerror.Code) { d.finish(-1, code) }

// finish calls done unless that was done.
func (d *deletion) finish(low int64, code kerror.Code) {
	r := d.r
	r.mu.Lock()
	found := false
	for i, other := range r.deletions {
		if other == d {
			r.deletions = append(r.deletions[:i:i], r.deletions[i+1:]...)
			found = true
			break
		}
	}
	r.mu.Unlock()
	if !found {
		return
	}
	d.timer.Stop()
	if code != kerror.OK {
		low = -1
	}
	d.done(low, code)
}
