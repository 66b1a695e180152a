package broker

import (
	"sync/atomic"
	"time"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/network"
	"holt/broker/protocol"
	"holt/broker/record"
	"holt/broker/replica"
)

// Produce, versions 0 to 11. Versions below 3 carry formats of records that are not
// stored, and are refused partition by partition; they are announced because old clients
// take their absence for that of compression. A client may send more requests before one
// with acks is answered.

// adminClient is the client id by which Kafka lets internal topics be written to.
const adminClient = "__admin_client"

func (c *call) produce() {
	var req protocol.ProduceRequest
	if err := req.Decode(c.r.Version, c.r.Body); err != nil {
		c.r.Close(err)
		return
	}
	p := &producing{call: c, acks: req.Acks, resp: newProduceResponse(&req)}
	p.left.Store(int32(req.Count()) + 1)
	c.waited = req.Acks != 0
	whole := c.judgeProduce(&req)
	c.r.Later()
	for i := range req.Topics {
		t := &req.Topics[i]
		code := whole
		if code == kerror.OK {
			code = c.judgeTopic(t.Name)
		}
		for j := range t.Partitions {
			p.append(&req, t, i, j, code)
		}
	}
	if len(p.txn) > 0 {
		c.verify(req.TransactionalID, p.txn...)
	}
	p.throttle = c.bytesThrottle(auth.ProduceBytes, len(c.r.Body))
	p.done() // the one more: nothing is answered before all is begun
}

// judgeProduce says what is wrong with the request as a whole.
func (c *call) judgeProduce(req *protocol.ProduceRequest) kerror.Code {
	switch {
	case req.Acks < -1 || req.Acks > 1:
		return kerror.InvalidRequiredAcks
	case req.Version < 3:
		return kerror.UnsupportedForMessageFormat
	case req.TransactionalID != "":
		return c.txnCode(auth.Write, req.TransactionalID)
	}
	return kerror.OK
}

func (c *call) judgeTopic(name string) kerror.Code {
	code := c.topicCode(auth.Write, name)
	switch {
	case code != kerror.OK:
	case isInternal(name) && c.r.ClientID != adminClient:
		code = kerror.InvalidTopicException
	case c.image.Topic(name) == nil:
		c.image = c.freshImage(c.ctx)
	}
	return code
}

// producing is a Produce request under way.
type producing struct {
	*call
	acks     int16
	resp     *protocol.ProduceResponse
	throttle int32
	left     atomic.Int32 // parts that are not done
	txn      []txnAppend  // what the transaction's coordinator may have to confirm
}

func newProduceResponse(req *protocol.ProduceRequest) *protocol.ProduceResponse {
	resp := &protocol.ProduceResponse{Topics: make([]protocol.ProducedTopic, len(req.Topics))}
	for i, t := range req.Topics {
		resp.Topics[i] = protocol.ProducedTopic{Name: t.Name, Partitions: make([]protocol.ProducedPartition, len(t.Partitions))}
	}
	return resp
}

// append appends what a request has for one partition, unless the code refuses it.
func (p *producing) append(req *protocol.ProduceRequest, t *protocol.ProduceTopic, i, j int, code kerror.Code) {
	part, at := &t.Partitions[j], &p.resp.Topics[i].Partitions[j]
	if code != kerror.OK {
		*at = protocol.FailedProduce(part.Index, code)
		p.done()
		return
	}
	a := replica.Append{
		TP: metadata.TopicPartition{Topic: t.Name, Partition: part.Index}, Records: part.Records, Acks: req.Acks,
		Timeout: time.Duration(req.TimeoutMillis) * time.Millisecond, LeaderEpoch: -1, Origin: record.Client, Version: req.Version,
		Memory: p.r.Frame(),
	}
	done := func(res protocol.ProducedPartition) {
		*at = res
		p.done()
	}
	if !record.Transactional(a.Records) {
		p.replicas.Append(a, done)
		return
	}
	p.appendTxn(a, req.TransactionalID, done)
}

// appendTxn appends records of a transaction, or leaves that to verify.
func (p *producing) appendTxn(a replica.Append, txnID string, done func(protocol.ProducedPartition)) {
	switch {
	case txnID == "": // nobody is permitted to write for no transaction
		done(protocol.FailedProduce(a.TP.Partition, kerror.TransactionalIDAuthorizationFailed))
		return
	case !p.verifies():
		p.replicas.Append(a, done)
		return
	}
	b := record.Batch(a.Records)
	a.VerifyTxn = true
	p.txn = append(p.txn, txnAppend{txnKey{a.TP, b.ProducerID(), b.ProducerEpoch()}, func(code kerror.Code, guard uint64) {
		if code != kerror.OK {
			code, message := verdictForProducer(code, a.Version)
			res := protocol.FailedProduce(a.TP.Partition, code)
			res.Message = message
			done(res)
			return
		}
		a.Guard = guard
		p.replicas.Append(a, done)
	}})
}

// done counts one part, and answers after the last one.
func (p *producing) done() {
	if p.left.Add(-1) > 0 {
		return
	}
	defer p.r.Release()
	p.resp.ThrottleMillis = max(p.throttle, p.requestThrottle())
	p.r.ThrottleMillis = p.resp.ThrottleMillis
	if p.acks == 0 {
		p.quiet()
		return
	}
	p.hint()
	p.r.ReplyEncoded(p.resp)
}

// quiet ends a request that wants no answer: an error closes the connection, so that the
// client looks for the leader anew.
func (p *producing) quiet() {
	for _, t := range p.resp.Topics {
		for _, part := range t.Partitions {
			if part.Code != kerror.OK {
				p.r.Close(produceError{t.Name, part.Index, part.Code})
				return
			}
		}
	}
	p.r.NoReply()
}

// hint tells clients that came to the wrong broker who leads. (KIP-951)
func (p *producing) hint() {
	if p.r.Version < 10 {
		return
	}
	var h hints
	for i := range p.resp.Topics {
		t := &p.resp.Topics[i]
		for j := range t.Partitions {
			if part := &t.Partitions[j]; part.Code == kerror.NotLeaderOrFollower {
				part.CurrentLeader = h.leader(p.call, t.Name, part.Index)
			}
		}
	}
	p.resp.Brokers = h.brokers
}

// hints are the leaders that an answer names, and where they are.
type hints struct{ brokers []protocol.NodeEndpoint }

func (h *hints) leader(c *call, topic string, partition int32) *protocol.LeaderEpoch {
	part := c.applied.get().Partition(topic, partition)
	if part == nil {
		return nil
	}
	at, ok := c.endpoint(part.Leader)
	if !ok {
		return &protocol.LeaderEpoch{Leader: -1, Epoch: part.LeaderEpoch}
	}
	known := false
	for _, b := range h.brokers {
		known = known || b.ID == part.Leader
	}
	if !known {
		h.brokers = append(h.brokers, protocol.NodeEndpoint{ID: part.Leader, Host: at.Host, Port: at.Port, Rack: c.image.Broker(part.Leader).Rack})
	}
	return &protocol.LeaderEpoch{Leader: part.Leader, Epoch: part.LeaderEpoch}
}

// produceError is why a connection ends that wanted no answers.
type produceError struct {
	topic     string
	partition int32
	code      kerror.Code
}

func (e produceError) Error() string {
	return "produce without acks to " + metadata.TopicPartition{Topic: e.topic, Partition: e.partition}.String() + ": " + e.code.String()
}

var _ network.Encoder = (*protocol.ProduceResponse)(nil)
