package txn

import (
	"holt/broker/journal"
	"holt/broker/kerror"
)

// Markers are the ends of one transaction that partitions are to be told of.
type Markers struct {
	Shard            int32 // partition of __transaction_state
	TransactionalID  string
	ProducerID       int64
	ProducerEpoch    int16
	CoordinatorEpoch int32
	Commit           bool
	Partitions       []topicPartition
}

// Marked says what became of Markers, or of some: a code for each of its partitions.
type Marked struct {
	Markers
	Codes []kerror.Code
}

// mark begins to send markers for a decided transaction.
func (c *core) mark(t *transaction) {
	t.unmarked = make(map[topicPartition]bool, len(t.partitions))
	for p := range t.partitions {
		t.unmarked[p] = false
	}
	c.sendMarkers(t)
}

// sendMarkers sends those that are not under way.
func (c *core) sendMarkers(t *transaction) {
	ps := make(partitionSet)
	for p, underWay := range t.unmarked {
		if !underWay {
			ps[p] = struct{}{}
			t.unmarked[p] = true
		}
	}
	m := Markers{
		Shard: c.partition, TransactionalID: t.id, ProducerID: t.producerID, ProducerEpoch: t.epoch,
		CoordinatorEpoch: c.epoch, Commit: t.state == PrepareCommit, Partitions: sorted(ps),
	}
	c.out.Do(func() { c.send(m) })
}

// marked takes in what became of markers. (Kafka: TransactionMarkerRequestCompletionHandler)
func (c *core) marked(now journal.Instant, r Marked) {
	t := c.txns[r.TransactionalID]
	if t == nil || !t.preparing() || t.pending || t.producerID != r.ProducerID || t.epoch != r.ProducerEpoch {
		return // of a transaction that is complete
	}
	again := false
	for i, p := range r.Partitions {
		switch r.Codes[i] {
		case kerror.OK,
			// No transaction can have written to a log of such a format.
			kerror.UnsupportedForMessageFormat, kerror.UnsupportedVersion,
			// Differs from Kafka, which gives up on the transaction and leaves its producer with
			// CONCURRENT_TRANSACTIONS: a later epoch of the producer is in the partition already, so
			// this transaction is not open in it any more.
			kerror.InvalidProducerEpoch:
			delete(t.unmarked, p)
		case kerror.TransactionCoordinatorFenced:
			return // there is a later coordinator, which sends its own
		default:
			if _, ok := t.unmarked[p]; ok {
				t.unmarked[p], again = false, true
			}
		}
	}
	if len(t.unmarked) == 0 {
		c.complete(now, t)
	} else if again {
		c.retryLater(now, t)
	}
}

// complete appends that all markers are written.
func (c *core) complete(now journal.Instant, t *transaction) {
	to := t.facts
	to.partitions = partitionSet{}
	to.state = CompleteAbort
	if t.state == PrepareCommit {
		to.state = CompleteCommit
	}
	c.change(now, t, to, func(now journal.Instant, code kerror.Code) {
		if code == kerror.OK {
			t.unmarked = nil
		} else {
			c.retryLater(now, t)
		}
	})
}

// retryLater has a transaction's markers, or if there are none left its end, tried again. All that
// fails in the meantime goes with it, so that it is one request per broker again.
func (c *core) retryLater(now journal.Instant, t *transaction) {
	if t.retrying {
		return
	}
	t.retrying = true
	c.retries = append(c.retries, t)
	if c.retryAt == journal.Never {
		c.retryAt = now.Up + c.c.RetryMarkers
	}
}

func (c *core) retry(now journal.Instant) {
	ts := c.retries
	c.retries, c.retryAt = nil, journal.Never
	for _, t := range ts {
		t.retrying = false
		switch {
		case !t.preparing() || t.pending:
		case len(t.unmarked) == 0:
			c.complete(now, t)
		default:
			c.sendMarkers(t)
		}
	}
}
