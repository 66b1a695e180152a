package txn

import (
	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// tombstoneBytes is how large a batch of tombstones becomes: well below what topics take.
const tombstoneBytes = 256 << 10

// expire removes transactional ids without a transaction that nobody used for long. Nobody waits for
// it: what is not written is tried again at the next scan. (Kafka: removeExpiredTransactionalIds)
func (c *core) expire(now journal.Instant) {
	c.builder.Reset(record.BuilderOptions{})
	var ts []*transaction
	for _, t := range c.txns {
		if t.pending || t.preparing() || t.state == Ongoing || t.lastUpdate > now.Unix-c.c.Expiration.Milliseconds() {
			continue
		}
		t.pending = true
		ts = append(ts, t)
		c.key = appendKey(c.key[:0], t.id)
		c.builder.Append(record.Record{Timestamp: now.Unix, Key: c.key})
		if c.builder.Size() >= tombstoneBytes {
			c.appendTombstones(ts)
			c.builder.Reset(record.BuilderOptions{})
			ts = nil
		}
	}
	if len(ts) > 0 {
		c.appendTombstones(ts)
	}
}

func (c *core) appendTombstones(ts []*transaction) {
	c.out.Append(c.build(), func(_ journal.Instant, _ int64, code kerror.Code) {
		for _, t := range ts {
			t.pending = false
			if code == kerror.OK {
				delete(c.txns, t.id)
			}
		}
	})
}
