package brokerkills

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commit commits offsets and notes which of them were acknowledged.
func (m *member) commit(client *kgo.Client, offsets map[int32]kgo.EpochOffset) {
	id, generation := client.GroupMetadata()
	ctx, cancel := context.WithTimeout(m.crew.live, 10*time.Second)
	defer cancel()
	acked := make(map[int32]bool)
	// An answer that does not come leaves the outcome unknown, which asks nothing of the broker.
	if resp, err := commitRequest(id, generation, offsets).RequestWith(ctx, client); err == nil {
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				acked[p.Partition] = p.ErrorCode == 0
			}
		}
	}
	m.crew.mu.Lock()
	defer m.crew.mu.Unlock()
	for p, o := range offsets {
		m.crew.commits = append(m.crew.commits, Commit{
			Group: group, Member: m.name, Generation: generation, Partition: p, Offset: o.Offset, Delivered: m.delivered[p], Acked: acked[p],
		})
	}
}

func commitRequest(id string, generation int32, offsets map[int32]kgo.EpochOffset) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = group, id, generation
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	for p, o := range offsets {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch = p, o.Offset, o.Epoch
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = append(req.Topics, t)
	return req
}

// zombie commits as a member that nobody knows, in a generation long gone.
func (c *crew) zombie(ctx context.Context, client *kgo.Client) {
	resp, err := commitRequest("nobody", 1, map[int32]kgo.EpochOffset{0: {Epoch: -1, Offset: 1}}).RequestWith(ctx, client)
	if err != nil {
		c.fail("commit of a zombie: %v", err)
		return
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			c.probe("K6", "commit by a member that the group does not have", code(p.ErrorCode), "UNKNOWN_MEMBER_ID")
		}
	}
}

func (c *crew) probe(rule, question, got, want string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probes = append(c.probes, Probe{Rule: rule, Question: question, Got: got, Want: want})
}

// code returns the name of a Kafka error code.
func code(c int16) string {
	if c == 0 {
		return "NONE"
	}
	return kerr.TypedErrorForCode(c).Message
}
