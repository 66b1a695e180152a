package group

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
)

// fetch serves a group of an OffsetFetch: of null topics all that have offsets. Nothing committed is
// no error. (Kafka: getOffsets)
func (c *core) fetch(req *kmsg.OffsetFetchRequestGroup, stable bool, resp *kmsg.OffsetFetchResponseGroup) {
	g := c.lookup(req.Group)
	if g != nil && g.state == Dead {
		g = nil
	}
	if req.Topics == nil {
		if g != nil {
			g.fetchAll(stable, resp)
		}
		return
	}
	resp.Topics = make([]kmsg.OffsetFetchResponseGroupTopic, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		r := &resp.Topics[i]
		r.Topic = t.Topic
		r.Partitions = make([]kmsg.OffsetFetchResponseGroupTopicPartition, len(t.Partitions))
		for k, p := range t.Partitions {
			r.Partitions[k] = g.fetched(topicPartition{t.Topic, p}, stable)
		}
	}
}

func (g *group) fetchAll(stable bool, resp *kmsg.OffsetFetchResponseGroup) {
	for _, tp := range slices.SortedFunc(maps.Keys(g.offsets), topicPartition.compare) {
		if !g.offsets[tp].exists {
			continue
		}
		n := len(resp.Topics)
		if n == 0 || resp.Topics[n-1].Topic != tp.topic {
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic = tp.topic
			resp.Topics = append(resp.Topics, t)
			n++
		}
		t := &resp.Topics[n-1]
		t.Partitions = append(t.Partitions, g.fetched(tp, stable))
	}
}

// fetched returns what is committed for a partition; g may be nil.
func (g *group) fetched(tp topicPartition, stable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	metadata := ""
	r := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	r.Partition, r.Offset, r.LeaderEpoch, r.Metadata = tp.partition, -1, -1, &metadata
	if g == nil || g.offsets[tp] == nil {
		return r
	}
	o := g.offsets[tp]
	switch {
	case stable && o.unstable():
		r.ErrorCode = int16(kerror.UnstableOffsetCommit)
	case o.exists:
		metadata = o.metadata
		r.Offset, r.LeaderEpoch = o.offset, o.leaderEpoch
	}
	return r
}

// groupTopics and singleGroup turn requests and responses of versions 0 to 7 into those of several
// groups.
func groupTopics(topics []kmsg.OffsetFetchRequestTopic) []kmsg.OffsetFetchRequestGroupTopic {
	if topics == nil {
		return nil
	}
	out := make([]kmsg.OffsetFetchRequestGroupTopic, len(topics))
	for i := range topics {
		out[i].Topic, out[i].Partitions = topics[i].Topic, topics[i].Partitions
	}
	return out
}

func singleGroup(resp *kmsg.OffsetFetchResponse, g kmsg.OffsetFetchResponseGroup) {
	resp.ErrorCode = g.ErrorCode
	resp.Topics = make([]kmsg.OffsetFetchResponseTopic, len(g.Topics))
	for i := range g.Topics {
		t := &resp.Topics[i]
		t.Topic = g.Topics[i].Topic
		t.Partitions = make([]kmsg.OffsetFetchResponseTopicPartition, len(g.Topics[i].Partitions))
		for k := range g.Topics[i].Partitions {
			p := &g.Topics[i].Partitions[k]
			t.Partitions[k] = kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode,
			}
		}
	}
}
