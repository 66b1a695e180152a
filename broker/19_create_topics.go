package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/setting"
)

// CreateTopics, versions 0 to 7, on every broker: makes topics and answers when all their
// partitions have leaders and this broker knows them, so that clients may go on at once.
// After the time the request gives, REQUEST_TIMED_OUT, though the topic is there.
//
// Not done: policies (create.topic.policy.class.name).

func (c *call) createTopics(req *kmsg.CreateTopicsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	resp.Topics = make([]kmsg.CreateTopicsResponseTopic, len(req.Topics))
	ctx, cancel := c.within(max(req.TimeoutMillis, 0))
	defer cancel()
	seen := map[string]int{}
	for _, t := range req.Topics {
		seen[t.Topic]++
	}
	c.image = c.freshImage(c.ctx) // what another broker made just now exists
	for i := range req.Topics {
		t, rt := &req.Topics[i], &resp.Topics[i]
		rt.Default()
		rt.Topic = t.Topic
		r := refusal{}
		switch {
		case seen[t.Topic] > 1:
			r = refusal{kerror.InvalidRequest, "Create topics request from client contains multiple entries for the same topic."}
		case !c.mayCreate(t.Topic):
			r = refusal{kerror.TopicAuthorizationFailed, "Authorization failed."}
		default:
			r = c.createOne(ctx, req, t, rt)
		}
		rt.ErrorCode, rt.ErrorMessage = int16(r.code), r.text()
	}
	if !req.ValidateOnly {
		c.awaitCreated(ctx, req, resp)
	}
	return resp
}

// createOne makes a topic, or only says whether it could be made.
func (c *call) createOne(ctx context.Context, req *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic, rt *kmsg.CreateTopicsResponseTopic) refusal {
	n, r := c.newTopicOf(t)
	if !r.ok() {
		return r
	}
	node, r := c.planTopic(n)
	if !r.ok() {
		return r
	}
	if req.ValidateOnly {
		c.describeNew(rt, n, len(node.Partitions), len(node.Partitions[0].Replicas))
		return r
	}
	if !c.mutations(len(node.Partitions), req.Version >= 6) {
		return overMutations
	}
	if req.TimeoutMillis <= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(c.ctx, freshWait) // it is made, only not waited for
		defer cancel()
	}
	if r := c.makeTopic(ctx, n); !r.ok() {
		return r
	}
	c.log.Info("topic created", topicField(n.name), clientField(c))
	return refusal{}
}

// newTopicOf is what a request says of a topic.
func (c *call) newTopicOf(t *kmsg.CreateTopicsRequestTopic) (newTopic, refusal) {
	n := newTopic{name: t.Topic, partitions: int(t.NumPartitions), replicas: int(t.ReplicationFactor), configs: map[string]string{}}
	for _, cf := range t.Configs {
		if cf.Value == nil {
			return n, refusal{kerror.InvalidConfig, "Null value not supported for topic configs: " + cf.Name}
		}
		if _, twice := n.configs[cf.Name]; twice {
			return n, refusal{kerror.InvalidRequest, "Config " + cf.Name + " is there more than once"}
		}
		n.configs[cf.Name] = *cf.Value
	}
	if len(t.ReplicaAssignment) > 0 {
		if t.NumPartitions != -1 || t.ReplicationFactor != -1 {
			return n, refusal{kerror.InvalidRequest, "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time."}
		}
		var r refusal
		n.assignment, r = c.manualAssignment(t.ReplicaAssignment)
		return n, r
	}
	// −1 asks for the broker's default in every version, as Kafka takes it, though only clients
	// of version 4 on are meant to send it: kafkajs does so with version 3.
	return n, refusal{}
}

// manualAssignment checks where a client wants replicas to be. (Kafka: AdminUtils.validateReplicaAssignment)
func (c *call) manualAssignment(wanted []kmsg.CreateTopicsRequestTopicReplicaAssignment) ([]metadata.Assignment, refusal) {
	if len(wanted) > partitionsMax {
		return nil, refusal{kerror.InvalidPartitions, fmt.Sprintf("Number of partitions must be at most %d.", partitionsMax)}
	}
	out := make([]metadata.Assignment, len(wanted))
	for _, w := range wanted {
		if w.Partition < 0 || int(w.Partition) >= len(wanted) {
			return nil, refusal{kerror.InvalidReplicaAssignment, "Partitions should be a consecutive 0-based integer sequence"}
		}
		if out[w.Partition].Replicas != nil {
			return nil, refusal{kerror.InvalidReplicaAssignment, fmt.Sprintf("Partition %d is assigned more than once", w.Partition)}
		}
		if r := c.checkReplicas(w.Replicas, len(wanted[0].Replicas)); !r.ok() {
			return nil, r
		}
		out[w.Partition].Replicas = w.Replicas
	}
	return out, refusal{}
}

// checkReplicas checks one partition's replicas, of which there are to be count.
func (c *call) checkReplicas(replicas []int32, count int) refusal {
	seen := map[int32]bool{}
	for _, id := range replicas {
		switch {
		case seen[id]:
			return refusal{kerror.InvalidReplicaAssignment, fmt.Sprintf("Duplicate replica assignment found: broker %d", id)}
		case c.image.Broker(id) == nil:
			return refusal{kerror.InvalidReplicaAssignment, fmt.Sprintf("Unknown or dead broker in the replica assignment: %d", id)}
		}
		seen[id] = true
	}
	if len(replicas) == 0 || len(replicas) != count {
		return refusal{kerror.InvalidReplicaAssignment, "All partitions should have the same number of replicas, and at least one"}
	}
	return refusal{}
}

// awaitCreated waits for the leaders of what was made and describes it.
func (c *call) awaitCreated(ctx context.Context, req *kmsg.CreateTopicsRequest, resp *kmsg.CreateTopicsResponse) {
	for i := range resp.Topics {
		rt := &resp.Topics[i]
		if rt.ErrorCode != 0 {
			continue
		}
		err := c.awaitTopic(ctx, rt.Topic)
		if err != nil || req.TimeoutMillis <= 0 {
			rt.ErrorCode = int16(kerror.RequestTimedOut)
			if errors.Is(err, metadata.ErrClosed) {
				rt.ErrorCode = int16(kerror.BrokerNotAvailable)
			}
			continue
		}
		t := c.applied.get().Topic(rt.Topic)
		if t == nil {
			continue // it is gone again
		}
		n, _ := c.newTopicOf(&req.Topics[i])
		rt.TopicID = t.ID
		c.describeNew(rt, n, len(t.Partitions), len(t.Partitions[0].Replicas))
	}
}

// describeNew tells of a topic what versions from 5 on have room for.
func (c *call) describeNew(rt *kmsg.CreateTopicsResponseTopic, n newTopic, partitions, replicas int) {
	if !c.mayTopic(auth.DescribeConfigs, n.name) {
		rt.ConfigErrorCode = int16(kerror.TopicAuthorizationFailed)
		return
	}
	rt.NumPartitions, rt.ReplicationFactor = int32(partitions), int16(replicas)
	layers := c.layersOf(c.image, "")
	layers.Topic = n.configs
	for _, s := range setting.TopicSettings() {
		v := layers.Get(&s)
		cf := kmsg.NewCreateTopicsResponseTopicConfig()
		cf.Name, cf.Source = s.Name, int8(v.Source)
		if !v.IsNull() {
			cf.Value = &v.Text
		}
		rt.Configs = append(rt.Configs, cf)
	}
}
