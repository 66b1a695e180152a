package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
)

// OffsetCommit, versions 0 to 9: see group.Coordinator.Commit. Partitions that are not
// there, or that the client may not read, are answered here.

func (c *call) offsetCommit(req *kmsg.OffsetCommitRequest) kmsg.Response {
	if code := c.groupCode(auth.Read, req.Group); code != kerror.OK {
		return commitRefused(req, code)
	}
	refused := c.splitCommit(req)
	if len(req.Topics) == 0 {
		resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
		resp.Topics = refused
		return resp
	}
	c.groups.Commit(req, func(resp *kmsg.OffsetCommitResponse) {
		resp.Topics = append(resp.Topics, refused...)
		c.reply(resp)
	})
	return nil
}

func commitRefused(req *kmsg.OffsetCommitRequest, code kerror.Code) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, int16(code)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// splitCommit takes out of a request what is refused here, and answers that.
func (c *call) splitCommit(req *kmsg.OffsetCommitRequest) (refused []kmsg.OffsetCommitResponseTopic) {
	access := topicAccess{call: c, op: auth.Read}
	topics := req.Topics
	req.Topics = nil
	for _, t := range topics {
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic = t.Topic
		partitions := t.Partitions
		t.Partitions = nil
		for _, p := range partitions {
			code := access.code(t.Topic, p.Partition)
			if code == kerror.OK {
				t.Partitions = append(t.Partitions, p)
				continue
			}
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, int16(code)
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(t.Partitions) > 0 {
			req.Topics = append(req.Topics, t)
		}
		if len(rt.Partitions) > 0 {
			refused = append(refused, rt)
		}
	}
	return refused
}
