package partition

import (
	"cmp"
	"slices"

	"holt/broker/kerror"
	"holt/broker/record"
)

// window is how many batches of a producer are remembered, which is how many
// requests an idempotent producer may have in flight.
const window = 5

// written is what is remembered of an idempotent producer's batch.
type written struct {
	firstSequence, lastSequence int32
	lastOffset                  int64
	delta                       int32 // lastOffset less the first offset
	timestamp                   int64
}

func (w written) firstOffset() int64 { return w.lastOffset - int64(w.delta) }

// producer is the state of one producer in one partition.
type producer struct {
	id               int64
	epoch            int16
	coordinatorEpoch int32 // of the last marker, -1 none
	txnFirst         int64 // first offset of the open transaction, noOffset none
	timestamp        int64 // of the last batch or marker, for expiry
	last             [window]written
	n                int // of last, oldest first
}

func (p *producer) lastSequence() int32 {
	if p.n == 0 {
		return record.NoSequence
	}
	return p.last[p.n-1].lastSequence
}

// lastOffset returns the last data batch's last offset, or noOffset.
func (p *producer) lastOffset() int64 {
	if p.n == 0 {
		return noOffset
	}
	return p.last[p.n-1].lastOffset
}

func (p *producer) add(w written) {
	if p.n == window {
		copy(p.last[:], p.last[1:])
		p.n--
	}
	p.last[p.n] = w
	p.n++
}

// transaction is one that has ended or is open.
type transaction struct {
	producer    int64
	first, last int64 // last is the marker's offset; noOffset while it is open
	aborted     bool
}

// producers is the state of all producers of a log, a function of its batches.
// It is guarded by the log's write lock.
type producers struct {
	byID map[int64]*producer // nil if there are none
	open []transaction       // ascending by first
	// ended have a marker that is not below the high watermark yet; ascending by first.
	ended []transaction
	// guards are transactions whose first append waits for the coordinator's word; see Log.Verify.
	guards map[int64]guard
	next   int64 // the offset up to which batches are counted in
}

type guard struct {
	id    uint64
	epoch int16
}

// check judges a batch of a producer that is to be appended as leader. What it
// returns is either a batch that was appended before and is the same one, or the
// code to refuse with.
func (ps *producers) check(b record.Batch, origin record.Origin) (duplicate *written, code kerror.Code) {
	p := ps.byID[b.ProducerID()]
	if p == nil {
		return nil, kerror.OK // retention or expiry forgot it: whatever it sends is its first
	}
	if b.IsControl() {
		return nil, ps.checkMarker(p, b)
	}
	if origin == record.Client {
		if w := p.find(b); w != nil {
			return w, kerror.OK
		}
	}
	if b.ProducerEpoch() < p.epoch {
		return nil, kerror.InvalidProducerEpoch
	}
	if origin == record.Client {
		if p.txnFirst != noOffset && !b.IsTransactional() {
			return nil, kerror.InvalidTxnState
		}
		if !p.follows(b) {
			return nil, kerror.OutOfOrderSequenceNumber
		}
	}
	return nil, kerror.OK
}

func (ps *producers) checkMarker(p *producer, b record.Batch) kerror.Code {
	if b.ProducerEpoch() < p.epoch {
		return kerror.InvalidProducerEpoch
	}
	m, err := b.Marker()
	if err != nil {
		return kerror.InvalidRecord
	}
	if m != nil && m.CoordinatorEpoch < p.coordinatorEpoch {
		return kerror.TransactionCoordinatorFenced
	}
	return kerror.OK
}

// find returns the batch of the window that b repeats.
func (p *producer) find(b record.Batch) *written {
	if b.ProducerEpoch() != p.epoch {
		return nil
	}
	first, last := b.BaseSequence(), b.LastSequence()
	for i := range p.last[:p.n] {
		if p.last[i].firstSequence == first && p.last[i].lastSequence == last {
			return &p.last[i]
		}
	}
	return nil
}

// follows reports whether the batch's sequence is the next one.
func (p *producer) follows(b record.Batch) bool {
	if b.ProducerEpoch() != p.epoch {
		return b.BaseSequence() == 0
	}
	last := p.lastSequence()
	if last < 0 {
		return b.BaseSequence() == 0
	}
	return b.BaseSequence() == record.AddSequence(last, 1)
}

// apply counts a stored batch in. A marker that ends a transaction returns it.
func (ps *producers) apply(b record.Batch) (ended *transaction) {
	ps.next = b.NextOffset()
	if !b.HasProducer() {
		return nil
	}
	p := ps.get(b.ProducerID())
	if b.ProducerEpoch() != p.epoch {
		p.epoch, p.n = b.ProducerEpoch(), 0
	}
	p.timestamp = max(p.timestamp, b.MaxTimestamp())
	if b.IsControl() {
		return ps.end(p, b)
	}
	p.add(written{
		firstSequence: b.BaseSequence(), lastSequence: b.LastSequence(),
		lastOffset: b.LastOffset(), delta: b.LastOffsetDelta(), timestamp: b.MaxTimestamp(),
	})
	if b.IsTransactional() && p.txnFirst == noOffset {
		p.txnFirst = b.BaseOffset()
		ps.open = append(ps.open, transaction{producer: p.id, first: p.txnFirst, last: noOffset})
		delete(ps.guards, p.id)
	}
	return nil
}

func (ps *producers) get(id int64) *producer {
	p := ps.byID[id]
	if p == nil {
		p = &producer{id: id, epoch: -1, coordinatorEpoch: -1, txnFirst: noOffset, timestamp: record.NoTimestamp}
		if ps.byID == nil {
			ps.byID = make(map[int64]*producer)
		}
		ps.byID[id] = p
	}
	return p
}

// end ends p's transaction by the marker b, which may be of none.
func (ps *producers) end(p *producer, b record.Batch) *transaction {
	m, err := b.Marker()
	if m == nil || err != nil {
		return nil // another control record, or one that a later Kafka wrote
	}
	p.coordinatorEpoch = max(p.coordinatorEpoch, m.CoordinatorEpoch)
	delete(ps.guards, p.id)
	if p.txnFirst == noOffset {
		return nil
	}
	t := transaction{producer: p.id, first: p.txnFirst, last: b.LastOffset(), aborted: !m.Commit}
	p.txnFirst = noOffset
	ps.open = slices.DeleteFunc(ps.open, func(o transaction) bool { return o.producer == t.producer })
	i, _ := slices.BinarySearchFunc(ps.ended, t.first, func(o transaction, first int64) int { return cmp.Compare(o.first, first) })
	ps.ended = slices.Insert(ps.ended, i, t)
	return &t
}

// settle forgets ended transactions whose markers lie below the high watermark.
func (ps *producers) settle(highWatermark int64) {
	if len(ps.ended) == 0 {
		return
	}
	ps.ended = slices.DeleteFunc(ps.ended, func(t transaction) bool { return t.last < highWatermark })
	if len(ps.ended) == 0 {
		ps.ended = nil
	}
}

// unstable returns the first offset that no reader of committed records may
// reach, or noOffset.
func (ps *producers) unstable() int64 {
	first := noOffset
	if len(ps.open) > 0 {
		first = ps.open[0].first
	}
	if len(ps.ended) > 0 && (first == noOffset || ps.ended[0].first < first) {
		first = ps.ended[0].first
	}
	return first
}

// stableAfter is what an aborted transaction's index entry has: the last stable
// offset once the transaction is counted as over.
func (ps *producers) stableAfter(t transaction) int64 {
	if len(ps.open) > 0 {
		return min(ps.open[0].first, t.last+1)
	}
	return t.last + 1
}

// cutStart forgets producers of which the log has no batch any more and that
// have no transaction open; open transactions begin at the log's start at the
// earliest.
func (ps *producers) cutStart(offset int64) {
	ps.ended = slices.DeleteFunc(ps.ended, func(t transaction) bool { return t.last < offset })
	for i := range ps.open {
		if t := &ps.open[i]; t.first < offset {
			t.first = offset
			ps.byID[t.producer].txnFirst = offset
		}
	}
}

// expire forgets producers that have been idle for so long, and none with an
// open transaction. It returns how many.
func (ps *producers) expire(now, idleMillis int64) (n int) {
	for id, p := range ps.byID {
		if p.txnFirst == noOffset && now-p.timestamp >= idleMillis {
			delete(ps.byID, id)
			n++
		}
	}
	if len(ps.byID) == 0 {
		ps.byID = nil
	}
	return n
}

// sorted returns the producers by id.
func (ps *producers) sorted() []*producer {
	all := make([]*producer, 0, len(ps.byID))
	for _, p := range ps.byID {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *producer) int { return cmp.Compare(a.id, b.id) })
	return all
}
