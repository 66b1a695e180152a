package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/journal"
	"holt/broker/kerror"
)

// Producer ids and transactions: InitProducerId (22) versions 0 to 5, AddPartitionsToTxn
// (24) 0 to 5 (from 4 on for brokers), AddOffsetsToTxn (25) 0 to 4, EndTxn (26) 0 to 4,
// TxnOffsetCommit (28) 0 to 4, DescribeTransactions (65) 0, ListTransactions (66) 0 and 1.
// What they do is the business of packages txn and group; who may is judged here.
// Without a transactional id any broker gives out producer ids.

func (c *call) initProducerID(req *kmsg.InitProducerIDRequest) kmsg.Response {
	code := kerror.OK
	if req.TransactionalID != nil {
		code = c.txnCode(auth.Write, *req.TransactionalID)
	} else if !c.mayCluster(auth.IdempotentWrite) && !c.authorizer.AllowedSomewhere(c.who, c.host(), auth.Write, auth.Topic) {
		code = kerror.ClusterAuthorizationFailed
	}
	if code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = int16(code), -1, -1
		return resp
	}
	c.txns.InitProducerID(req, func(resp *kmsg.InitProducerIDResponse) { c.reply(resp) })
	return nil
}

func (c *call) addPartitionsToTxn(req *kmsg.AddPartitionsToTxnRequest) kmsg.Response {
	if req.Version >= 4 {
		return c.addPartitionsOfBroker(req)
	}
	if code := c.txnCode(auth.Write, req.TransactionalID); code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewAddPartitionsToTxnResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p, int16(code)
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp
	}
	access := topicAccess{call: c, op: auth.Write}
	check := func(topic string, partition int32) kerror.Code {
		if isInternal(topic) {
			return kerror.TopicAuthorizationFailed
		}
		return access.code(topic, partition)
	}
	c.txns.AddPartitions(req, check, func(resp *kmsg.AddPartitionsToTxnResponse) { c.reply(resp) })
	return nil
}

// addPartitionsOfBroker serves a leader that asks whether a transaction is under way.
func (c *call) addPartitionsOfBroker(req *kmsg.AddPartitionsToTxnRequest) kmsg.Response {
	if code := c.clusterCode(auth.ClusterAction); code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		resp.ErrorCode = int16(code)
		return resp
	}
	c.txns.AddPartitions(req, nil, func(resp *kmsg.AddPartitionsToTxnResponse) { c.reply(resp) })
	return nil
}

func (c *call) addOffsetsToTxn(req *kmsg.AddOffsetsToTxnRequest) kmsg.Response {
	code := c.txnCode(auth.Write, req.TransactionalID)
	if code == kerror.OK {
		code = c.groupCode(auth.Read, req.Group)
	}
	offsets := c.image.Topic(offsetsTopic)
	if code == kerror.OK && offsets == nil {
		if offsets = c.ensureInternal(c.ctx, offsetsTopic); offsets == nil {
			code = kerror.CoordinatorNotAvailable
		}
	}
	if code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
		resp.ErrorCode = int16(code)
		return resp
	}
	partition := journal.PartitionFor(req.Group, int32(len(offsets.Partitions)))
	c.txns.AddOffsets(req, partition, func(resp *kmsg.AddOffsetsToTxnResponse) { c.reply(resp) })
	return nil
}

func (c *call) endTxn(req *kmsg.EndTxnRequest) kmsg.Response {
	if code := c.txnCode(auth.Write, req.TransactionalID); code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = int16(code)
		return resp
	}
	c.txns.End(req, func(resp *kmsg.EndTxnResponse) { c.reply(resp) })
	return nil
}

func (c *call) txnOffsetCommit(req *kmsg.TxnOffsetCommitRequest) kmsg.Response {
	code := c.txnCode(auth.Write, req.TransactionalID)
	if code == kerror.OK {
		code = c.groupCode(auth.Read, req.Group)
	}
	refused := c.splitTxnCommit(req, code)
	if len(req.Topics) == 0 {
		resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		resp.Topics = refused
		return resp
	}
	c.groups.TxnCommit(req, func(resp *kmsg.TxnOffsetCommitResponse) {
		resp.Topics = append(resp.Topics, refused...)
		c.reply(resp)
	})
	return nil
}

// splitTxnCommit takes out of a request what is refused here, all of it if all is not OK,
// and answers that.
func (c *call) splitTxnCommit(req *kmsg.TxnOffsetCommitRequest, all kerror.Code) (refused []kmsg.TxnOffsetCommitResponseTopic) {
	access := topicAccess{call: c, op: auth.Read}
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewTxnOffsetCommitResponseTopic()
		rt.Topic = t.Topic
		t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.TxnOffsetCommitRequestTopicPartition) bool {
			code := all
			if code == kerror.OK {
				code = access.code(t.Topic, p.Partition)
			}
			if code == kerror.OK {
				return false
			}
			rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, int16(code)
			rt.Partitions = append(rt.Partitions, rp)
			return true
		})
		if len(rt.Partitions) > 0 {
			refused = append(refused, rt)
		}
	}
	req.Topics = slices.DeleteFunc(req.Topics, func(t kmsg.TxnOffsetCommitRequestTopic) bool { return len(t.Partitions) == 0 })
	return refused
}

func (c *call) describeTransactions(req *kmsg.DescribeTransactionsRequest) kmsg.Response {
	var refused []kmsg.DescribeTransactionsResponseTransactionState
	req.TransactionalIDs = slices.DeleteFunc(req.TransactionalIDs, func(id string) bool {
		if c.mayTxn(auth.Describe, id) {
			return false
		}
		s := kmsg.NewDescribeTransactionsResponseTransactionState()
		s.TransactionalID, s.ErrorCode = id, int16(kerror.TransactionalIDAuthorizationFailed)
		refused = append(refused, s)
		return true
	})
	resp := c.txns.Describe(req)
	for i := range resp.TransactionStates {
		s := &resp.TransactionStates[i]
		s.Topics = slices.DeleteFunc(s.Topics, func(t kmsg.DescribeTransactionsResponseTransactionStateTopic) bool {
			return !c.mayTopic(auth.Describe, t.Topic)
		})
	}
	resp.TransactionStates = append(resp.TransactionStates, refused...)
	return resp
}

func (c *call) listTransactions(req *kmsg.ListTransactionsRequest) kmsg.Response {
	resp := c.txns.List(req)
	resp.TransactionStates = slices.DeleteFunc(resp.TransactionStates, func(s kmsg.ListTransactionsResponseTransactionState) bool {
		return !c.mayTxn(auth.Describe, s.TransactionalID)
	})
	return resp
}
