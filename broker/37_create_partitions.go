package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/controller"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// CreatePartitions, versions 0 to 3, on every broker: gives topics more partitions and
// answers when they have leaders.

func (c *call) createPartitions(req *kmsg.CreatePartitionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	resp.Topics = make([]kmsg.CreatePartitionsResponseTopic, len(req.Topics))
	ctx, cancel := c.within(max(req.TimeoutMillis, 0))
	defer cancel()
	seen := map[string]int{}
	for _, t := range req.Topics {
		seen[t.Topic]++
	}
	c.image = c.freshImage(c.ctx)
	for i := range req.Topics {
		t, rt := &req.Topics[i], &resp.Topics[i]
		rt.Default()
		rt.Topic = t.Topic
		r := refusal{kerror.InvalidRequest, "Duplicate topic in request."}
		if seen[t.Topic] == 1 {
			r = c.addPartitions(t, req.Version, req.ValidateOnly)
		}
		rt.ErrorCode, rt.ErrorMessage = int16(r.code), r.text()
	}
	for i := range resp.Topics {
		rt := &resp.Topics[i]
		if rt.ErrorCode == 0 && !req.ValidateOnly &&
			(req.TimeoutMillis <= 0 || c.awaitPartitions(ctx, rt.Topic, int(req.Topics[i].Count)) != nil) {
			rt.ErrorCode = int16(kerror.RequestTimedOut)
		}
	}
	return resp
}

func (c *call) addPartitions(req *kmsg.CreatePartitionsRequestTopic, version int16, validateOnly bool) refusal {
	if !c.mayTopic(auth.Alter, req.Topic) {
		return refusal{kerror.TopicAuthorizationFailed, "The topic authorization is failed."}
	}
	t := c.topicOf(&req.Topic, [16]byte{})
	if t == nil {
		return refusal{kerror.UnknownTopicOrPartition, fmt.Sprintf("The topic '%s' does not exist.", req.Topic)}
	}
	more, r := c.placeMore(t, req)
	if !r.ok() || validateOnly {
		return r
	}
	if !c.mutations(len(more), version >= 3) {
		return overMutations
	}
	ctx, cancel := context.WithTimeoutCause(c.ctx, treeWait, errTimeout)
	defer cancel()
	err := c.client.AddPartitions(ctx, t.Name, t.ID, len(t.Partitions), more)
	switch {
	case err == nil:
		c.log.Info("partitions added", topicField(t.Name), clientField(c))
		return refusal{}
	case errors.Is(err, metadata.ErrNoNode):
		return refusal{code: kerror.UnknownTopicOrPartition}
	case errors.Is(err, metadata.ErrChanged):
		return refusal{kerror.InvalidPartitions, "The topic's partitions have changed meanwhile."}
	}
	return c.failedWrite(ctx, err)
}

// placeMore says where the new partitions shall be.
func (c *call) placeMore(t *metadata.Topic, req *kmsg.CreatePartitionsRequestTopic) ([]metadata.Assignment, refusal) {
	have, want := len(t.Partitions), int(req.Count)
	for _, p := range t.Partitions {
		if p.Reassigning() {
			return nil, refusal{kerror.ReassignmentInProgress, fmt.Sprintf("A partition reassignment is in progress for the topic '%s'.", t.Name)}
		}
	}
	switch {
	case want < have:
		return nil, refusal{kerror.InvalidPartitions, fmt.Sprintf("The topic %s currently has %d partition(s); %d would not be an increase.", t.Name, have, want)}
	case want == have:
		return nil, refusal{kerror.InvalidPartitions, fmt.Sprintf("Topic already has %d partition(s).", have)}
	case want > partitionsMax:
		return nil, refusal{kerror.InvalidPartitions, fmt.Sprintf("Number of partitions must be at most %d.", partitionsMax)}
	}
	replicas := len(t.Partitions[0].Replicas)
	if req.Assignment != nil {
		if len(req.Assignment) != want-have {
			return nil, refusal{kerror.InvalidReplicaAssignment, fmt.Sprintf("Increasing the number of partitions by %d but %d assignments provided.", want-have, len(req.Assignment))}
		}
		more := make([]metadata.Assignment, len(req.Assignment))
		for i, a := range req.Assignment {
			if r := c.checkReplicas(a.Replicas, replicas); !r.ok() {
				return nil, r
			}
			more[i].Replicas = a.Replicas
		}
		return more, refusal{}
	}
	brokers := c.image.Brokers()
	more, err := controller.Place(controller.Placement{Brokers: brokers, Partitions: want - have, Replicas: replicas,
		First: have, Start: controller.StartOf(t, brokers), Shift: rand.IntN(1 << 30)})
	if err != nil {
		return nil, refusal{kerror.InvalidReplicationFactor, fmt.Sprintf("Replication factor: %d larger than available brokers: %d.", replicas, len(brokers))}
	}
	return more, refusal{}
}
