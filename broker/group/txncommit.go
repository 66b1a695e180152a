package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// txnCommit serves TxnOffsetCommit: the offsets go into the log as a part of the producer's
// transaction and wait there for its marker. (Kafka: doTxnCommitOffsets)
func (c *core) txnCommit(now journal.Instant, req *kmsg.TxnOffsetCommitRequest, reply func(*kmsg.TxnOffsetCommitResponse)) {
	g := c.lookup(req.Group)
	code := checkTxnCommit(g, req)
	if code == kerror.OK && g == nil {
		if g = c.create(now, req.Group); g == nil {
			code = kerror.CoordinatorNotAvailable
		}
	}
	if code != kerror.OK {
		c.out.Do(func() { reply(txnCommitError(req, code)) })
		return
	}
	items, codes := c.txnItems(now, req)
	finish := func(code kerror.Code) {
		resp := txnCommitResponse(req, codes, code)
		c.out.Do(func() { reply(resp) })
	}
	if len(items) == 0 {
		finish(kerror.OK)
		c.forgetIfUnused(g)
		return
	}
	c.builder.Reset(record.BuilderOptions{Transactional: true, Producer: &record.Producer{
		ID: req.ProducerID, Epoch: req.ProducerEpoch, BaseSequence: record.NoSequence,
	}})
	c.appendItems(now, g, items)
	pid := req.ProducerID
	g.txn(pid).writing++
	for i := range items {
		g.offset(items[i].tp).writing++
	}
	c.track(g, pid)
	c.out.AppendTransactional(c.build(), req.TransactionalID, func(_ journal.Instant, at int64, code kerror.Code) {
		c.txnWritten(g, pid, items, at, code)
		finish(commitCode(code))
	})
}

func checkTxnCommit(g *group, req *kmsg.TxnOffsetCommitRequest) kerror.Code {
	if g == nil {
		if req.Generation >= 0 || req.MemberID != "" || req.InstanceID != nil {
			return kerror.UnknownMemberID
		}
		return kerror.OK
	}
	_, code := g.checkCommitter(req.Generation, req.MemberID, req.InstanceID, true)
	return code
}

func (c *core) txnItems(now journal.Instant, req *kmsg.TxnOffsetCommitRequest) ([]commitItem, []kerror.Code) {
	var items []commitItem
	var codes []kerror.Code
	for i := range req.Topics {
		t := &req.Topics[i]
		for k := range t.Partitions {
			p := &t.Partitions[k]
			code := c.checkItem(t.Topic, p.Metadata)
			codes = append(codes, code)
			if code == kerror.OK {
				items = append(items, commitItem{topicPartition{t.Topic, p.Partition}, committed{
					offset: p.Offset, leaderEpoch: p.LeaderEpoch, metadata: deref(p.Metadata), commitTime: now.Unix, expireTime: -1,
				}})
			}
		}
	}
	return items, codes
}

// txnWritten makes pending what has been written, unless its end has already been seen.
func (c *core) txnWritten(g *group, pid int64, items []commitItem, at int64, code kerror.Code) {
	t := g.txn(pid)
	t.writing--
	end, ended := t.endOf(at)
	for i := range items {
		tp := items[i].tp
		o := g.offset(tp)
		o.writing--
		switch {
		case code != kerror.OK:
		case !ended:
			g.hold(t, tp, pendingCommit{items[i].committed, at})
		case end.Commit:
			o.apply(items[i].committed, at)
		}
		g.sweep(tp, o)
	}
	g.sweepTxn(pid, t)
	c.untrack(g, pid)
	c.forgetIfUnused(g)
}

// track and untrack keep which groups a producer's marker concerns.
func (c *core) track(g *group, pid int64) {
	if c.producers[pid] == nil {
		c.producers[pid] = make(map[*group]struct{})
	}
	c.producers[pid][g] = struct{}{}
}

func (c *core) untrack(g *group, pid int64) {
	if g.txns[pid] == nil {
		c.forgetProducer(g, pid)
	}
}

func (c *core) forgetProducer(g *group, pid int64) {
	delete(c.producers[pid], g)
	if len(c.producers[pid]) == 0 {
		delete(c.producers, pid)
	}
}

// txnEnded ends the pending offsets that a marker ends.
func (c *core) txnEnded(end TxnEnd) {
	for g := range c.producers[end.ProducerID] {
		g.endTxn(end)
		c.untrack(g, end.ProducerID)
		c.forgetIfUnused(g)
	}
}

func txnCommitResponse(req *kmsg.TxnOffsetCommitRequest, codes []kerror.Code, all kerror.Code) *kmsg.TxnOffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	n := 0
	resp.Topics = make([]kmsg.TxnOffsetCommitResponseTopic, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		r := &resp.Topics[i]
		r.Topic = t.Topic
		r.Partitions = make([]kmsg.TxnOffsetCommitResponseTopicPartition, len(t.Partitions))
		for k := range t.Partitions {
			code := all
			if codes != nil && codes[n] != kerror.OK {
				code = codes[n]
			}
			n++
			switch {
			case code == kerror.CoordinatorLoadInProgress && req.Version < 2:
				code = kerror.CoordinatorNotAvailable // which older clients retry (Kafka: handleTxnOffsetCommit)
			case code == kerror.TransactionAbortable && req.Version < 4:
				code = kerror.InvalidTxnState
			}
			r.Partitions[k].Partition, r.Partitions[k].ErrorCode = t.Partitions[k].Partition, int16(code)
		}
	}
	return resp
}

func txnCommitError(req *kmsg.TxnOffsetCommitRequest, code kerror.Code) *kmsg.TxnOffsetCommitResponse {
	return txnCommitResponse(req, nil, code)
}
