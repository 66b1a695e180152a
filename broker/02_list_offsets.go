package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// ListOffsets (2), versions 0 to 9: offsets by time, or by name of a place. Version 0
// wants a list of segments' beginnings and gets one element.
//
// OffsetForLeaderEpoch (23), versions 0 to 4: where an epoch ended, by which consumers
// notice that a log was cut. (KIP-320)

func (c *call) listOffsets(req *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	access := topicAccess{call: c, op: auth.Describe}
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, c.listOffset(&access, req, t.Topic, p))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (c *call) listOffset(access *topicAccess, req *kmsg.ListOffsetsRequest, topic string, p kmsg.ListOffsetsRequestTopicPartition) kmsg.ListOffsetsResponseTopicPartition {
	rp := kmsg.NewListOffsetsResponseTopicPartition()
	rp.Partition, rp.Offset, rp.Timestamp, rp.LeaderEpoch = p.Partition, -1, -1, -1
	rp.OldStyleOffsets = []int64{}
	code := access.code(topic, p.Partition)
	if code == kerror.OK {
		epoch := p.CurrentLeaderEpoch
		if req.Version < 4 {
			epoch = -1
		}
		l := c.replicas.ListOffset(metadata.TopicPartition{Topic: topic, Partition: p.Partition}, epoch, p.Timestamp, req.IsolationLevel == 1)
		if code = l.Code; code == kerror.OK {
			rp.Offset, rp.Timestamp, rp.LeaderEpoch = l.Offset, l.Timestamp, l.Epoch
			if l.Offset >= 0 {
				rp.OldStyleOffsets = []int64{l.Offset}
			}
		}
	}
	if code == kerror.OffsetNotAvailable && req.Version < 5 {
		code = kerror.LeaderNotAvailable
	}
	rp.ErrorCode = int16(code)
	return rp
}

func (c *call) offsetForLeaderEpoch(req *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	follower := req.Version >= 3 && req.ReplicaID >= 0 && c.mayCluster(auth.ClusterAction)
	access := topicAccess{call: c, op: auth.Describe}
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, -1, -1
			code := kerror.OK
			if !follower {
				code = access.code(t.Topic, p.Partition)
			}
			if code == kerror.OK {
				epoch := p.CurrentLeaderEpoch
				if req.Version < 2 {
					epoch = -1
				}
				end, found := c.replicas.EpochEnd(metadata.TopicPartition{Topic: t.Topic, Partition: p.Partition}, epoch, p.LeaderEpoch)
				if code = found; code == kerror.OK {
					rp.LeaderEpoch, rp.EndOffset = end.Epoch, end.EndOffset
				}
			}
			rp.ErrorCode = int16(code)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
