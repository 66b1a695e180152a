package broker

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// FindCoordinator, versions 0 to 6: the broker that coordinates a group (type 0) or a
// transactional id (1). The topic that a coordinator keeps its state in is made when it is
// first needed, with no more replicas than there are brokers, and the answer names the
// coordinator. Differs from Kafka: that answers COORDINATOR_NOT_AVAILABLE first.
//
// Not done: share groups (type 2).

const (
	groupCoordinator = 0
	txnCoordinator   = 1
)

func (c *call) findCoordinator(req *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if req.Version < 4 {
		f := c.coordinatorOf(req.CoordinatorType, req.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = f.ErrorCode, f.ErrorMessage
		resp.NodeID, resp.Host, resp.Port = f.NodeID, f.Host, f.Port
		return resp
	}
	for _, key := range req.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, c.coordinatorOf(req.CoordinatorType, key))
	}
	return resp
}

func (c *call) coordinatorOf(kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	f := kmsg.NewFindCoordinatorResponseCoordinator()
	f.Key, f.NodeID, f.Port = key, -1, -1
	topic, code := "", kerror.OK
	switch kind {
	case groupCoordinator:
		topic, code = offsetsTopic, c.groupCode(auth.Describe, key)
	case txnCoordinator:
		topic, code = transactionsTopic, c.txnCode(auth.Describe, key)
	default:
		code = kerror.InvalidRequest
	}
	if code == kerror.OK {
		var at metadata.Endpoint
		if f.NodeID, at, code = c.leaderOf(topic, key); code == kerror.OK {
			f.Host, f.Port = at.Host, at.Port
		}
	}
	f.ErrorCode = int16(code)
	if code != kerror.OK {
		f.NodeID = -1
		f.ErrorMessage = kmsg.StringPtr(code.String())
	}
	return f
}

// leaderOf returns who leads the partition of an internal topic that a key belongs to.
func (c *call) leaderOf(topic, key string) (int32, metadata.Endpoint, kerror.Code) {
	t := c.image.Topic(topic)
	if t == nil || len(t.Partitions) == 0 {
		if t = c.ensureInternal(c.ctx, topic); t == nil {
			return -1, metadata.Endpoint{}, kerror.CoordinatorNotAvailable
		}
		c.image = c.applied.get()
	}
	p := t.Partition(journal.PartitionFor(key, int32(len(t.Partitions))))
	at, ok := c.endpoint(p.Leader)
	if !ok {
		return -1, at, kerror.CoordinatorNotAvailable
	}
	return p.Leader, at, kerror.OK
}

// internalWait bounds the making of an internal topic.
const internalWait = 10 * time.Second

// ensureInternal makes an internal topic if it is not there, and returns it when it has
// leaders; nil if that could not be done in time.
func (b *Broker) ensureInternal(ctx context.Context, name string) *metadata.Topic {
	ctx, cancel := context.WithTimeoutCause(ctx, internalWait, errTimeout)
	defer cancel()
	if b.freshImage(ctx).Topic(name) == nil {
		if r := b.makeTopic(ctx, b.internalOr(newTopic{name: name})); !r.ok() && r.code != kerror.TopicAlreadyExists {
			return nil
		}
		b.log.Info("internal topic created", topicField(name))
	}
	if b.awaitTopic(ctx, name) != nil {
		return nil
	}
	return b.applied.get().Topic(name)
}
