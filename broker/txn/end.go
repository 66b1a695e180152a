package txn

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

func millis(n int32) time.Duration { return time.Duration(n) * time.Millisecond }

// end serves EndTxn. (Kafka: endTransaction)
//
//	state                   the same outcome   the other one
//	Ongoing                 decided now        decided now
//	PrepareX                51, wait           48
//	CompleteX               OK                 48
//	Empty                   48                 48
func (c *core) end(now journal.Instant, req *kmsg.EndTxnRequest, done func(kerror.Code)) {
	t := c.txns[req.TransactionalID]
	answer := func(code kerror.Code) { c.out.Do(func() { done(code) }) }
	prepare, complete := PrepareAbort, CompleteAbort
	if req.Commit {
		prepare, complete = PrepareCommit, CompleteCommit
	}
	code := t.check(req.ProducerID, req.ProducerEpoch)
	switch {
	case code != kerror.OK:
		answer(code)
	case t.pending, t.state == prepare:
		answer(kerror.ConcurrentTransactions)
	case t.state == complete:
		answer(kerror.OK)
	case t.state == Ongoing:
		to := t.facts
		to.state = prepare
		c.decide(now, t, to, answer)
	default:
		answer(kerror.InvalidTxnState)
	}
}

// fence aborts a transaction without its producer, which is fenced from now on.
// (Kafka: prepareFenceProducerEpoch)
func (c *core) fence(now journal.Instant, t *transaction, done func(kerror.Code)) {
	if !t.fenced {
		t.epoch++
		t.lastEpoch = noEpoch
	}
	t.fenced = true
	to := t.facts
	to.state = PrepareAbort
	c.decide(now, t, to, done)
}

// decide appends how a transaction ends. That is the decision: whatever happens then, markers go out.
func (c *core) decide(now journal.Instant, t *transaction, to facts, done func(kerror.Code)) {
	c.change(now, t, to, func(_ journal.Instant, code kerror.Code) {
		done(code)
		if code == kerror.OK {
			t.fenced = false
			c.mark(t)
		}
	})
}

// abortTimedOut aborts transactions that take longer than their producer said they would.
func (c *core) abortTimedOut(now journal.Instant) {
	for _, t := range c.txns {
		if t.state == Ongoing && !t.pending && now.Up > t.deadline {
			c.fence(now, t, func(kerror.Code) {}) // if it failed: at the next scan
		}
	}
}
