package txn

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// add is partitions that a transaction shall write to, or is asked whether it does.
type add struct {
	id         string
	producerID int64
	epoch      int16
	verify     bool
	partitions []topicPartition
	codes      []kerror.Code // of each partition
}

// addsOf returns what a request asks: one thing up to version 3.
func addsOf(req *kmsg.AddPartitionsToTxnRequest) []*add {
	if req.Version < 4 {
		a := &add{id: req.TransactionalID, producerID: req.ProducerID, epoch: req.ProducerEpoch}
		for i := range req.Topics {
			a.append(req.Topics[i].Topic, req.Topics[i].Partitions)
		}
		return []*add{a}
	}
	adds := make([]*add, len(req.Transactions))
	for i := range req.Transactions {
		t := &req.Transactions[i]
		adds[i] = &add{id: t.TransactionalID, producerID: t.ProducerID, epoch: t.ProducerEpoch, verify: t.VerifyOnly}
		for k := range t.Topics {
			adds[i].append(t.Topics[k].Topic, t.Topics[k].Partitions)
		}
	}
	return adds
}

func (a *add) append(topic string, partitions []int32) {
	for _, p := range partitions {
		a.partitions = append(a.partitions, topicPartition{topic, p})
	}
}

// check notes what is wrong with partitions, and reports whether nothing is.
func (a *add) check(bad func(string, int32) kerror.Code) bool {
	a.codes = make([]kerror.Code, len(a.partitions))
	ok := true
	for i, p := range a.partitions {
		if len(p.topic) > idMax {
			a.codes[i] = kerror.InvalidTopicException
		} else if bad != nil {
			a.codes[i] = bad(p.topic, p.partition)
		}
		ok = ok && a.codes[i] == kerror.OK
	}
	if !ok {
		a.set(kerror.OperationNotAttempted)
	}
	return ok
}

// set gives a code to the partitions that have none of their own.
func (a *add) set(code kerror.Code) {
	for i := range a.codes {
		if a.codes[i] == kerror.OK {
			a.codes[i] = code
		}
	}
}

func addResponse(req *kmsg.AddPartitionsToTxnRequest, adds []*add) *kmsg.AddPartitionsToTxnResponse {
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	for _, a := range adds {
		topics := a.topics(req.Version)
		if req.Version < 4 {
			resp.Topics = topics
			break
		}
		t := kmsg.NewAddPartitionsToTxnResponseTransaction()
		t.TransactionalID = a.id
		for i := range topics {
			r := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
			r.Topic = topics[i].Topic
			for _, p := range topics[i].Partitions {
				q := kmsg.NewAddPartitionsToTxnResponseTransactionTopicPartition()
				q.Partition, q.ErrorCode = p.Partition, p.ErrorCode
				r.Partitions = append(r.Partitions, q)
			}
			t.Topics = append(t.Topics, r)
		}
		resp.Transactions = append(resp.Transactions, t)
	}
	return resp
}

// topics returns the outcome of each partition, in the order of the request.
func (a *add) topics(version int16) []kmsg.AddPartitionsToTxnResponseTopic {
	var topics []kmsg.AddPartitionsToTxnResponseTopic
	for i, p := range a.partitions {
		if n := len(topics); n == 0 || topics[n-1].Topic != p.topic {
			t := kmsg.NewAddPartitionsToTxnResponseTopic()
			t.Topic = p.topic
			topics = append(topics, t)
		}
		t := &topics[len(topics)-1]
		q := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
		q.Partition, q.ErrorCode = p.partition, int16(forVersion(a.codes[i], version, 2))
		t.Partitions = append(t.Partitions, q)
	}
	return topics
}

// add serves AddPartitionsToTxn and AddOffsetsToTxn. (Kafka: handleAddPartitionsToTransaction)
func (c *core) add(now journal.Instant, a *add, done func(kerror.Code)) {
	t := c.txns[a.id]
	answer := func(code kerror.Code) { c.out.Do(func() { done(code) }) }
	code := t.check(a.producerID, a.epoch)
	switch {
	case code != kerror.OK:
		answer(code)
	case a.verify && t.preparing():
		answer(kerror.ConcurrentTransactions)
	case a.verify:
		t.verify(a)
		answer(kerror.OK)
	case t.pending, t.preparing():
		answer(kerror.ConcurrentTransactions)
	case t.state == Ongoing && t.has(a.partitions):
		answer(kerror.OK)
	default:
		c.addPartitions(now, t, a, answer)
	}
}

func (c *core) addPartitions(now journal.Instant, t *transaction, a *add, answer func(kerror.Code)) {
	for i := range a.partitions {
		a.partitions[i].topic = strings.Clone(a.partitions[i].topic)
	}
	to := t.facts
	to.state, to.partitions = Ongoing, t.with(a.partitions)
	begins := t.state != Ongoing
	if begins {
		to.start = now.Unix
	}
	c.change(now, t, to, func(now journal.Instant, code kerror.Code) {
		if begins && code == kerror.OK {
			t.deadline = now.Up + millis(t.timeout)
		}
		answer(code)
	})
}

// verify says of each partition whether the transaction writes to it (KIP-890).
func (t *transaction) verify(a *add) {
	for i, p := range a.partitions {
		if _, ok := t.partitions[p]; !ok {
			a.codes[i] = kerror.TransactionAbortable
		}
	}
}

// check judges who speaks for a transactional id; t is nil if there is none.
func (t *transaction) check(producerID int64, epoch int16) kerror.Code {
	switch {
	case t == nil, t.producerID != producerID:
		return kerror.InvalidProducerIDMapping
	case t.epoch != epoch:
		return kerror.ProducerFenced
	}
	return kerror.OK
}
