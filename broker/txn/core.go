package txn

import (
	"time"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// core is the transactional ids of one partition of __transaction_state; a journal.Core.
type core struct {
	c         Config
	partition int32
	epoch     int32 // coordinator epoch
	out       *journal.Outbox
	send      func(Markers)
	txns      map[string]*transaction
	retries   []*transaction // whose markers, or whose end, are tried again at retryAt
	retryAt   time.Duration
	abortAt   time.Duration // next scan for transactions that take too long
	expireAt  time.Duration // next scan for ids that nobody uses
	builder   record.Builder
	key, val  []byte // a record being built
}

func newCore(c Config, partition, epoch int32, out *journal.Outbox, send func(Markers)) *core {
	return &core{
		c: c, partition: partition, epoch: epoch, out: out, send: send, txns: make(map[string]*transaction),
		retryAt: journal.Never, abortAt: journal.Never, expireAt: journal.Never,
	}
}

// SetEpoch makes markers from now on those of the new term. Those sent already are of a decision that
// stands.
func (c *core) SetEpoch(epoch int32) { c.epoch = epoch }

// Next returns when the first scan or retry is due.
func (c *core) Next() time.Duration { return min(c.retryAt, c.abortAt, c.expireAt) }

// Tick does what has become due.
func (c *core) Tick(now journal.Instant) {
	if now.Up >= c.retryAt {
		c.retry(now)
	}
	if now.Up >= c.abortAt {
		c.abortAt = now.Up + c.c.AbortScan
		c.abortTimedOut(now)
	}
	if now.Up >= c.expireAt {
		c.expireAt = now.Up + c.c.ExpirationScan
		c.expire(now)
	}
}

// Unload has nobody to answer: who waits, waits for a write.
func (c *core) Unload() {}

// change appends what a transactional id shall become; then it is that, and done is told. Until then
// the transaction is pending.
func (c *core) change(now journal.Instant, t *transaction, to facts, done func(journal.Instant, kerror.Code)) {
	to.lastUpdate = now.Unix
	t.pending = true
	c.key = appendKey(c.key[:0], t.id)
	c.val = to.appendTo(c.val[:0])
	c.builder.Reset(record.BuilderOptions{})
	c.builder.Append(record.Record{Timestamp: now.Unix, Key: c.key, Value: c.val})
	c.out.Append(c.build(), func(now journal.Instant, _ int64, code kerror.Code) {
		t.pending = false
		if code == kerror.OK {
			t.facts = to
		}
		done(now, appendCode(code))
	})
}

func (c *core) build() record.Batch {
	b, err := c.builder.Build()
	if err != nil {
		panic("txn: a batch without compression cannot fail: " + err.Error())
	}
	return b
}

// appendCode is what a client is told of an append's outcome. (Kafka: appendTransactionToLog)
func appendCode(code kerror.Code) kerror.Code {
	switch code {
	case kerror.UnknownTopicOrPartition, kerror.NotEnoughReplicas, kerror.NotEnoughReplicasAfterAppend, kerror.RequestTimedOut:
		return kerror.CoordinatorNotAvailable
	case kerror.NotLeaderOrFollower, kerror.FencedLeaderEpoch, kerror.UnknownLeaderEpoch, kerror.KafkaStorageError:
		return kerror.NotCoordinator
	case kerror.MessageTooLarge, kerror.RecordListTooLarge:
		return kerror.UnknownServerError
	}
	return code
}
