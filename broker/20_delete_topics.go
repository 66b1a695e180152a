package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// DeleteTopics, versions 0 to 6, on every broker: by name or by id. It answers when the
// topics are gone, so that they may be made anew at once; what brokers that are not
// there have of them goes when they return.

func (c *call) deleteTopics(req *kmsg.DeleteTopicsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	for i := range req.TopicNames {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = &req.TopicNames[i]
		req.Topics = append(req.Topics, t)
	}
	ctx, cancel := c.within(max(req.TimeoutMillis, 0))
	defer cancel()
	c.image = c.freshImage(c.ctx)
	resp.Topics = make([]kmsg.DeleteTopicsResponseTopic, len(req.Topics))
	for i := range req.Topics {
		rt := &resp.Topics[i]
		rt.Default()
		rt.Topic, rt.TopicID = req.Topics[i].Topic, req.Topics[i].TopicID
		r := c.deleteOne(rt, req.Version, countTopic(req.Topics, &req.Topics[i]))
		rt.ErrorCode, rt.ErrorMessage = int16(r.code), r.text()
	}
	for i := range resp.Topics {
		if rt := &resp.Topics[i]; rt.ErrorCode == 0 && (req.TimeoutMillis <= 0 || c.awaitGone(ctx, *rt.Topic) != nil) {
			rt.ErrorCode = int16(kerror.RequestTimedOut)
		}
	}
	return resp
}

func countTopic(all []kmsg.DeleteTopicsRequestTopic, t *kmsg.DeleteTopicsRequestTopic) int {
	n := 0
	for i := range all {
		sameName := t.Topic != nil && all[i].Topic != nil && *t.Topic == *all[i].Topic
		sameID := t.TopicID != [16]byte{} && t.TopicID == all[i].TopicID
		if sameName || sameID {
			n++
		}
	}
	return n
}

// deleteOne asks the controller to delete a topic, and says its name.
func (c *call) deleteOne(rt *kmsg.DeleteTopicsResponseTopic, version int16, count int) refusal {
	byID := rt.TopicID != [16]byte{}
	t := c.topicOf(rt.Topic, rt.TopicID)
	switch {
	case rt.Topic != nil && byID || count > 1:
		return refusal{kerror.InvalidRequest, "A topic is to be named once, and by name or by id."}
	case !byID && rt.Topic == nil:
		return refusal{kerror.InvalidRequest, "Neither topic name nor id were specified."}
	case byID && t == nil:
		return refusal{code: kerror.UnknownTopicID}
	case t != nil:
		if !c.mayTopic(auth.Delete, t.Name) {
			if byID && !c.mayTopic(auth.Describe, t.Name) {
				return refusal{code: kerror.UnknownTopicID}
			}
			return refusal{code: kerror.TopicAuthorizationFailed}
		}
	case !c.mayTopic(auth.Delete, *rt.Topic):
		return refusal{code: kerror.TopicAuthorizationFailed}
	default:
		return refusal{code: kerror.UnknownTopicOrPartition}
	}
	rt.Topic, rt.TopicID = &t.Name, t.ID
	if !c.settings().BrokerBool("delete.topic.enable") {
		return refusal{kerror.TopicDeletionDisabled, "delete.topic.enable is false"}
	}
	if !c.mutations(len(t.Partitions), version >= 5) {
		return overMutations
	}
	ctx, cancel := context.WithTimeoutCause(c.ctx, treeWait, errTimeout)
	defer cancel()
	err := c.client.DeleteTopic(ctx, t.Name)
	switch {
	case err == nil:
		c.log.Info("topic is deleted", topicField(t.Name), clientField(c))
		return refusal{}
	case errors.Is(err, metadata.ErrNoNode):
		return refusal{kerror.UnknownTopicOrPartition, fmt.Sprintf("Topic '%s' does not exist.", t.Name)}
	}
	return c.failedWrite(ctx, err)
}
