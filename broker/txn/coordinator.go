package txn

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// Coordinator coordinates the transactional ids of the partitions it leads. Methods that take a reply
// call it exactly once, from any goroutine, also before they return; reply must not wait. They may
// keep the request until then.
type Coordinator struct {
	c      Config
	shards *journal.Shards[*core]
	sender *sender
	ids    *ids
}

// New returns a Coordinator that leads no partition yet. Close ends it.
func New(c Config) *Coordinator {
	c = c.withDefaults()
	co := &Coordinator{c: c, ids: newIDs(c.ProducerIDs)}
	co.sender = newSender(c.Peers, co.marked)
	co.shards = journal.NewShards(journal.Config[*core]{
		Log: c.Log, Partitions: c.Partitions, OnLoad: c.OnLoad,
		New: func(partition, epoch int32, out *journal.Outbox) *core {
			return newCore(c, partition, epoch, out, co.sender.send)
		},
	})
	return co
}

// SetPartitions says how many partitions __transaction_state really has, before the first is Gained.
func (c *Coordinator) SetPartitions(n int32) { c.shards.SetPartitions(n) }

// PartitionFor returns the partition of __transaction_state that a transactional id belongs to.
func (c *Coordinator) PartitionFor(id string) int32 { return c.shards.PartitionFor(id) }

// Gained tells that this broker leads a partition of __transaction_state from leaderEpoch on.
func (c *Coordinator) Gained(partition, leaderEpoch int32) { c.shards.Gained(partition, leaderEpoch) }

// Lost tells that it does not any more. All requests that wait are answered with NOT_COORDINATOR.
func (c *Coordinator) Lost(partition, leaderEpoch int32) { c.shards.Lost(partition, leaderEpoch) }

// Close answers all requests that wait and ends the goroutines. It may be called twice.
func (c *Coordinator) Close() {
	c.shards.Close()
	c.sender.close()
	c.ids.close()
}

// marked tells a core what became of markers. A core that is gone has a successor that sends its own.
func (c *Coordinator) marked(r Marked) {
	_ = c.shards.At(r.Shard, func(co *core, now journal.Instant) { co.marked(now, r) })
}

// InitProducerID serves InitProducerId, versions 0 to 5. Without a transactional id any broker does.
func (c *Coordinator) InitProducerID(req *kmsg.InitProducerIDRequest, reply func(*kmsg.InitProducerIDResponse)) {
	answer := func(a initAnswer) { reply(a.response(req)) }
	if code := c.checkInit(req); code != kerror.OK {
		answer(initError(code))
		return
	}
	if req.TransactionalID != nil {
		c.initProducer(req, noID, answer)
		return
	}
	c.ids.get(func(id int64, ok bool) {
		if !ok {
			answer(initError(kerror.CoordinatorLoadInProgress))
			return
		}
		answer(initAnswer{id: id})
	})
}

func (c *Coordinator) checkInit(req *kmsg.InitProducerIDRequest) kerror.Code {
	if req.Version >= 3 && (req.ProducerID == noID) != (req.ProducerEpoch == noEpoch) {
		return kerror.InvalidRequest
	}
	if req.TransactionalID == nil {
		return kerror.OK
	}
	if code := checkID(*req.TransactionalID); code != kerror.OK {
		return code
	}
	if req.TransactionTimeoutMillis <= 0 || int64(req.TransactionTimeoutMillis) > c.c.TimeoutMax.Milliseconds() {
		return kerror.InvalidTransactionTimeout
	}
	return kerror.OK
}

// initProducer asks the core; if it needs a producer id that it was not given, it asks again with one.
func (c *Coordinator) initProducer(req *kmsg.InitProducerIDRequest, fresh int64, answer func(initAnswer)) {
	wants := false
	code := c.shards.Do(*req.TransactionalID, func(co *core, now journal.Instant) {
		wants = co.initProducer(now, req, fresh, answer)
	})
	if code != kerror.OK {
		answer(initError(code))
		return
	}
	if !wants {
		return
	}
	c.ids.get(func(id int64, ok bool) {
		if !ok {
			answer(initError(kerror.CoordinatorLoadInProgress))
			return
		}
		c.initProducer(req, id, answer)
	})
}

// AddPartitions serves AddPartitionsToTxn: versions 0 to 3 of a client, 4 and 5 of a broker, with
// several transactions, to add to or only to verify. check says what is wrong with a partition (no
// such topic, not authorized), or OK: of a transaction with a bad partition none is added, and the good
// ones get OPERATION_NOT_ATTEMPTED. It may be nil.
func (c *Coordinator) AddPartitions(req *kmsg.AddPartitionsToTxnRequest, check func(topic string, partition int32) kerror.Code,
	reply func(*kmsg.AddPartitionsToTxnResponse)) {
	adds := addsOf(req)
	all := journal.NewCountdown(len(adds), func() { reply(addResponse(req, adds)) })
	for _, a := range adds {
		if !a.check(check) {
			all.Done()
			continue
		}
		done := func(code kerror.Code) {
			a.set(code)
			all.Done()
		}
		code := checkID(a.id)
		if code == kerror.OK {
			code = c.shards.Do(a.id, func(co *core, now journal.Instant) { co.add(now, a, done) })
		}
		if code != kerror.OK {
			done(code)
		}
	}
}

// AddOffsets serves AddOffsetsToTxn, versions 0 to 3: the transaction will commit offsets of a group,
// whose partition of __consumer_offsets the caller knows.
func (c *Coordinator) AddOffsets(req *kmsg.AddOffsetsToTxnRequest, offsetsPartition int32, reply func(*kmsg.AddOffsetsToTxnResponse)) {
	a := &add{id: req.TransactionalID, producerID: req.ProducerID, epoch: req.ProducerEpoch,
		partitions: []topicPartition{{offsetsTopic, offsetsPartition}}}
	done := func(code kerror.Code) {
		resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
		resp.ErrorCode = int16(forVersion(code, req.Version, 2))
		reply(resp)
	}
	code := checkID(a.id)
	if code == kerror.OK {
		code = c.shards.Do(a.id, func(co *core, now journal.Instant) { co.add(now, a, done) })
	}
	if code != kerror.OK {
		done(code)
	}
}

// End serves EndTxn, versions 0 to 4. It replies when the decision is in the log; markers follow.
func (c *Coordinator) End(req *kmsg.EndTxnRequest, reply func(*kmsg.EndTxnResponse)) {
	done := func(code kerror.Code) {
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = int16(forVersion(code, req.Version, 2))
		reply(resp)
	}
	code := checkID(req.TransactionalID)
	if code == kerror.OK {
		code = c.shards.Do(req.TransactionalID, func(co *core, now journal.Instant) { co.end(now, req, done) })
	}
	if code != kerror.OK {
		done(code)
	}
}

// Describe serves DescribeTransactions, version 0.
func (c *Coordinator) Describe(req *kmsg.DescribeTransactionsRequest) *kmsg.DescribeTransactionsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	for _, id := range req.TransactionalIDs {
		s := kmsg.NewDescribeTransactionsResponseTransactionState()
		s.TransactionalID = id
		code := checkID(id)
		if code == kerror.OK {
			found := kerror.OK
			if code = c.shards.Do(id, func(co *core, _ journal.Instant) { found = co.describe(id, &s) }); code == kerror.OK {
				code = found
			}
		}
		s.ErrorCode = int16(code)
		resp.TransactionStates = append(resp.TransactionStates, s)
	}
	return resp
}

// List serves ListTransactions, versions 0 and 1: the transactional ids of this broker, by states,
// producer ids and age if the request says so.
func (c *Coordinator) List(req *kmsg.ListTransactionsRequest) *kmsg.ListTransactionsResponse {
	resp := req.ResponseKind().(*kmsg.ListTransactionsResponse)
	f := newFilter(req, resp)
	code := c.shards.Each(func(_ int32, co *core, now journal.Instant) { co.list(now, f, resp) })
	if code != kerror.OK {
		resp.TransactionStates = nil
	}
	resp.ErrorCode = int16(code)
	return resp
}

// Counts returns how many transactional ids there are in each state.
func (c *Coordinator) Counts() map[State]int {
	n := make(map[State]int)
	_ = c.shards.Each(func(_ int32, co *core, _ journal.Instant) { // those that load hold nothing yet
		for _, t := range co.txns {
			n[t.state]++
		}
	})
	return n
}

func checkID(id string) kerror.Code {
	if id == "" || len(id) > idMax {
		return kerror.InvalidRequest
	}
	return kerror.OK
}

// forVersion returns the code as versions before since know it: they take INVALID_PRODUCER_EPOCH for
// what PRODUCER_FENCED says.
func forVersion(code kerror.Code, version, since int16) kerror.Code {
	if code == kerror.ProducerFenced && version < since {
		return kerror.InvalidProducerEpoch
	}
	return code
}
