package replica

import (
	"time"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/partition"
	"holt/broker/protocol"
	"holt/broker/record"
)

// Append is what is to be appended to a partition.
type Append struct {
	TP      metadata.TopicPartition
	Records []byte // are the Set's until done is called, and may be changed
	Acks    int16  // 0 and 1: the leader's log is enough; -1: all of the ISR
	Timeout time.Duration
	// LeaderEpoch is the only one in which this may be appended, -1 any.
	LeaderEpoch int32
	Origin      record.Origin
	Version     int16 // of the Produce request, of a client
	// VerifyTxn has the first batch of a transaction refused unless Guard is of Verify.
	VerifyTxn bool
	Guard     uint64
	// Memory, if not nil, is what Records lie in: their log may keep it after done was called.
	Memory partition.Memory
}

// Append appends records as a leader and calls done once, perhaps from within Append, when they are
// acknowledged or refused. Codes of an append with acks of all may come of records that are in the
// log and may yet be committed.
func (s *Set) Append(a Append, done func(protocol.ProducedPartition)) {
	r, code := s.find(a.TP)
	if code != kerror.OK {
		done(protocol.FailedProduce(a.TP.Partition, code))
		return
	}
	r.append(&a, done)
}

// Verify is partition.Log.Verify for a partition led here: it begins the first append of a
// transaction. Of a partition that is not, it returns 0, and Append refuses anyway.
func (s *Set) Verify(tp metadata.TopicPartition, producerID int64, producerEpoch int16) uint64 {
	r, code := s.find(tp)
	if code != kerror.OK {
		return 0
	}
	r.as.RLock()
	defer r.as.RUnlock()
	if r.lead(-1) != kerror.OK {
		return 0
	}
	return r.log.Verify(producerID, producerEpoch)
}

func (r *replica) append(a *Append, done func(protocol.ProducedPartition)) {
	var w wakes
	r.as.RLock()
	res, waits := r.appendAs(a, &w, done)
	r.as.RUnlock()
	if !waits {
		done(res)
	}
	w.run()
}

// appendAs appends if this broker leads; r.as is held. With waits, done will be called.
func (r *replica) appendAs(a *Append, w *wakes, done func(protocol.ProducedPartition)) (res protocol.ProducedPartition, waits bool) {
	if code := r.lead(a.LeaderEpoch); code != kerror.OK {
		if code == kerror.FencedLeaderEpoch || code == kerror.UnknownLeaderEpoch {
			code = kerror.NotLeaderOrFollower
		}
		return protocol.FailedProduce(a.TP.Partition, code), false
	}
	if a.Acks == -1 {
		r.mu.Lock()
		code := r.core.admits()
		r.mu.Unlock()
		if code != kerror.OK {
			return protocol.FailedProduce(a.TP.Partition, code), false
		}
	}
	n := len(a.Records)
	at, invalid, err := r.log.AppendAsLeader(a.Records, partition.AppendOptions{
		LeaderEpoch: r.epoch, Now: time.Now().UnixMilli(), Origin: a.Origin, ProduceVersion: a.Version,
		VerifyTxn: a.VerifyTxn, Guard: a.Guard, Memory: a.Memory,
	})
	switch {
	case err != nil:
		return protocol.FailedProduce(a.TP.Partition, r.broken(err)), false
	case invalid != nil:
		return refused(a.TP.Partition, invalid), false
	}
	if !at.Duplicate {
		r.set.metrics.BytesIn.Add(int64(n))
		r.set.metrics.RecordsIn.Add(at.LastOffset - at.FirstOffset + 1)
	}
	res = protocol.ProducedPartition{Index: a.TP.Partition, BaseOffset: at.FirstOffset, LogAppendTime: at.LogAppendTime, LogStartOffset: at.LogStart}
	return res, r.appended(a, at.LastOffset+1, res, w, done)
}

// appended counts records in that end before offset end, and reports whether their producer has to
// wait. r.as is held.
func (r *replica) appended(a *Append, end int64, res protocol.ProducedPartition, w *wakes, done func(protocol.ProducedPartition)) (waits bool) {
	now, durable := r.set.now(), r.durable()
	r.mu.Lock()
	grown := r.log.EndOffset()
	moved := r.core.appended(now, grown, durable)
	hw := r.core.hw
	switch {
	case a.Acks == -1:
		waits = hw < end
	case a.Acks == 1 && r.set.cfg.FlushOnAck:
		waits = durable < end
	}
	if waits {
		r.acks.add(r, ack{end: end, all: a.Acks == -1, result: res, done: done}, a.Timeout)
	}
	r.settleLocked(w, moved, true)
	r.mu.Unlock()
	r.raise(moved, hw)
	if r.set.cfg.FlushOnAck && durable < end {
		r.log.OnFlushed(end, func(error) { r.flushed() })
	}
	return waits
}

// durable is how much of the log counts: all of it, or what is on stable storage.
func (r *replica) durable() int64 {
	if r.set.cfg.FlushOnAck {
		return r.log.FlushedOffset()
	}
	return r.log.EndOffset()
}

// flushed looks how much of the log counts now.
func (r *replica) flushed() {
	var local []ack
	r.reconsider(func(c *core) bool {
		durable := r.durable()
		local = r.acks.durable(durable)
		return c.appended(r.set.now(), r.log.EndOffset(), durable)
	})
	for i := range local {
		local[i].finish(kerror.OK)
	}
}

func refused(index int32, bad *record.Invalid) protocol.ProducedPartition {
	res := protocol.FailedProduce(index, bad.Code)
	res.Message = bad.Message
	for _, e := range bad.Records {
		res.RecordErrors = append(res.RecordErrors, protocol.RecordError{Index: e.Index, Message: e.Message})
	}
	return res
}
