package replica

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"holt/broker/kerror"
	"holt/broker/partition"
	"holt/broker/protocol"
	"holt/broker/record"
)

// take stores what the leader answered for a partition, unless it is not followed in this epoch any
// more. A code that is not OK has it fetched again later.
func (p *followed) take(a *asking, at *protocol.FetchedPartition) kerror.Code {
	l := p.r.log
	hw, end := l.HighWatermark(), l.EndOffset()
	code := p.takeAs(a, at)
	if l.HighWatermark() != hw || l.EndOffset() < end {
		p.r.wakeConsumers()
	}
	return code
}

func (p *followed) takeAs(a *asking, at *protocol.FetchedPartition) kerror.Code {
	r := p.r
	r.as.RLock()
	defer r.as.RUnlock()
	if r.gone || r.role != following || r.epoch != p.epoch {
		return kerror.OK
	}
	if r.log.EndOffset() != a.want.Offset {
		return kerror.OK // asked before the log was cut
	}
	switch {
	case at.Code == kerror.OffsetOutOfRange:
		return r.restart(at.LogStartOffset)
	case at.Code != kerror.OK:
		return at.Code
	case at.Diverging != nil:
		return r.cut(*at.Diverging)
	}
	return r.copy(at)
}

// copy appends the leader's records and takes its high watermark and log start. r.as is held.
//
// The log start comes first, as far as this log goes: where nothing is left of it the records may begin before its
// end, in the batch that the leader's log starts inside of. Differs from Kafka, which appends first, and copies the
// partition no more then unless the log was empty before.
func (r *replica) copy(at *protocol.FetchedPartition) kerror.Code {
	if code := r.takeStart(at); code != kerror.OK {
		return code
	}
	for _, run := range at.Records {
		whole := wholeBatches(run.Bytes)
		if len(whole) == 0 {
			continue
		}
		if err := r.log.AppendAsFollower(whole, time.Now().UnixMilli()); err != nil {
			return r.notCopied(err)
		}
		r.set.metrics.ReplicatedIn.Add(int64(len(whole)))
	}
	if code := r.takeStart(at); code != kerror.OK {
		return code
	}
	r.lag.Store(max(0, at.HighWatermark-r.log.EndOffset()))
	return kerror.OK
}

// takeStart takes the leader's high watermark and log start, as far as the own log goes.
func (r *replica) takeStart(at *protocol.FetchedPartition) kerror.Code {
	r.log.SetHighWatermark(at.HighWatermark)
	if at.LogStartOffset > r.log.StartOffset() {
		if err := r.log.AdvanceStart(min(at.LogStartOffset, r.log.EndOffset())); err != nil {
			return r.broken(err)
		}
	}
	return kerror.OK
}

// notCopied tells damage on the way from a failure of the own disk.
func (r *replica) notCopied(err error) kerror.Code {
	var corrupt *record.CorruptError
	var unexpected *partition.UnexpectedOffsetError
	if errors.As(err, &corrupt) || errors.As(err, &unexpected) {
		r.logger().Warn("leader's records are not stored, asking again", zap.Error(err))
		return kerror.CorruptMessage
	}
	return r.broken(err)
}

// wholeBatches leaves out what is cut off at the end of an answer.
func wholeBatches(b []byte) []byte {
	n := 0
	for n < len(b) {
		size, err := record.SizeOf(b[n:])
		if err != nil || size > len(b)-n {
			break // damage is found when the log checks it
		}
		n += size
	}
	if n == 0 && len(b) > 0 {
		return b
	}
	return b[:n]
}

// cut truncates the log to where it and the leader's are the same. r.as is held.
func (r *replica) cut(leader protocol.EpochEnd) kerror.Code {
	local := protocol.EpochEnd{}
	local.Epoch, local.EndOffset = r.log.EpochEnd(leader.Epoch)
	end, epoch := r.log.EndOffset(), r.log.LatestEpoch()
	to := commonEnd(leader, local, end)
	hw := r.log.HighWatermark()
	note := r.logger().Info
	switch {
	case to < hw: // only after an unclean election
		note = r.logger().Warn
	case to == end: // an epoch in which nothing was written
		note = r.logger().Debug
	}
	note("log truncated to the leader's", zap.Int64("from", end), zap.Int64("to", to), zap.Int64("highWatermark", hw),
		zap.Int32("epoch", leader.Epoch))
	r.set.metrics.Truncations.Add(1)
	if err := r.log.TruncateTo(to); err != nil {
		return r.broken(err)
	}
	if r.log.EndOffset() == end && r.log.LatestEpoch() == epoch {
		return kerror.UnknownServerError // to be asked again, but not at once
	}
	return kerror.OK
}

// commonEnd is up to where a follower's log, which ends at end, may be the same as the leader's, by
// where both leave the epoch that the leader named. Where the follower does not have this epoch
// the leader is asked once more, from the end of the one before. (KIP-279)
func commonEnd(leader, local protocol.EpochEnd, end int64) int64 {
	switch {
	case local.Epoch < 0 || leader.Epoch < 0:
		return min(leader.EndOffset, end)
	case local.Epoch != leader.Epoch:
		return min(local.EndOffset, end)
	}
	return min(local.EndOffset, leader.EndOffset, end)
}

// restart begins the log anew at the leader's start: the leader has nothing of what this replica
// would need next, or of what it has. r.as is held.
func (r *replica) restart(start int64) kerror.Code {
	if start < 0 {
		return kerror.OffsetOutOfRange
	}
	r.logger().Warn("log is out of the leader's range and begins anew", zap.Int64("from", r.log.EndOffset()), zap.Int64("to", start))
	r.set.metrics.Truncations.Add(1)
	if err := r.log.TruncateFullyAt(start); err != nil {
		return r.broken(err)
	}
	return kerror.OK
}
