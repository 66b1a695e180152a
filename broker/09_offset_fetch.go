package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
)

// OffsetFetch, versions 0 to 9: see group.Coordinator.Fetch. Groups and topics that the
// client may not describe are answered here; of all topics (null) it does not hear of
// them.

func (c *call) offsetFetch(req *kmsg.OffsetFetchRequest) kmsg.Response {
	if req.Version < 8 {
		return c.offsetFetchOne(req)
	}
	var refused []kmsg.OffsetFetchResponseGroup
	unseen := map[string][]kmsg.OffsetFetchResponseGroupTopic{}
	req.Groups = slices.DeleteFunc(req.Groups, func(g kmsg.OffsetFetchRequestGroup) bool {
		if c.mayGroup(auth.Describe, g.Group) {
			return false
		}
		rg := kmsg.NewOffsetFetchResponseGroup()
		rg.Group, rg.ErrorCode = g.Group, int16(kerror.GroupAuthorizationFailed)
		refused = append(refused, rg)
		return true
	})
	for i := range req.Groups {
		g := &req.Groups[i]
		g.Topics = c.describable(g.Topics, func(t kmsg.OffsetFetchRequestGroupTopic) {
			unseen[g.Group] = append(unseen[g.Group], unseenOffsets(t.Topic, t.Partitions))
		})
	}
	resp := c.groups.Fetch(req)
	for i := range resp.Groups {
		g := &resp.Groups[i]
		g.Topics = slices.DeleteFunc(g.Topics, func(t kmsg.OffsetFetchResponseGroupTopic) bool {
			return !c.mayTopic(auth.Describe, t.Topic)
		})
		g.Topics = append(g.Topics, unseen[g.Group]...)
	}
	resp.Groups = append(resp.Groups, refused...)
	return resp
}

// offsetFetchOne serves the versions with a single group.
func (c *call) offsetFetchOne(req *kmsg.OffsetFetchRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	code := c.groupCode(auth.Describe, req.Group)
	var unseen []kmsg.OffsetFetchResponseGroupTopic
	topics := make([]kmsg.OffsetFetchRequestGroupTopic, 0, len(req.Topics))
	for _, t := range req.Topics {
		topics = append(topics, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	if code == kerror.OK {
		all := req.Topics == nil
		topics = c.describable(topics, func(t kmsg.OffsetFetchRequestGroupTopic) {
			unseen = append(unseen, unseenOffsets(t.Topic, t.Partitions))
		})
		if !all {
			req.Topics = []kmsg.OffsetFetchRequestTopic{}
			for _, t := range topics {
				req.Topics = append(req.Topics, kmsg.OffsetFetchRequestTopic{Topic: t.Topic, Partitions: t.Partitions})
			}
		}
		resp = c.groups.Fetch(req)
		resp.Topics = slices.DeleteFunc(resp.Topics, func(t kmsg.OffsetFetchResponseTopic) bool { return !c.mayTopic(auth.Describe, t.Topic) })
	} else {
		resp.ErrorCode = int16(code)
		for _, t := range topics {
			unseen = append(unseen, withCode(unseenOffsets(t.Topic, t.Partitions), code))
		}
	}
	for _, t := range unseen {
		rt := kmsg.NewOffsetFetchResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetFetchResponseTopicPartition{Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode})
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// describable are the topics that the client may describe. nil, which is all, stays so.
func (c *call) describable(topics []kmsg.OffsetFetchRequestGroupTopic, refuse func(kmsg.OffsetFetchRequestGroupTopic)) []kmsg.OffsetFetchRequestGroupTopic {
	return slices.DeleteFunc(topics, func(t kmsg.OffsetFetchRequestGroupTopic) bool {
		if c.mayTopic(auth.Describe, t.Topic) {
			return false
		}
		refuse(t)
		return true
	})
}

// unseenOffsets answers for a topic that the client may not describe.
func unseenOffsets(topic string, partitions []int32) kmsg.OffsetFetchResponseGroupTopic {
	rt := kmsg.NewOffsetFetchResponseGroupTopic()
	rt.Topic = topic
	for _, p := range partitions {
		rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		rp.Partition, rp.Offset, rp.Metadata = p, -1, kmsg.StringPtr("")
		rt.Partitions = append(rt.Partitions, rp)
	}
	return withCode(rt, kerror.TopicAuthorizationFailed)
}

func withCode(t kmsg.OffsetFetchResponseGroupTopic, code kerror.Code) kmsg.OffsetFetchResponseGroupTopic {
	for i := range t.Partitions {
		t.Partitions[i].ErrorCode = int16(code)
	}
	return t
}
