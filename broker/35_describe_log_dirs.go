package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/replica"
)

// DescribeLogDirs (35), versions 0 to 4: what is in this broker's directories, by which tools show
// the sizes of topics, and how large its file systems are (KIP-827); -1 for one that has failed.
//
// DescribeProducers (61), version 0: the producers that a partition's leader knows.

func (c *call) describeLogDirs(req *kmsg.DescribeLogDirsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	if code := c.clusterCode(auth.Describe); code != kerror.OK {
		resp.ErrorCode = int16(code)
		return resp
	}
	for _, d := range c.replicas.LogDirs(wanted(req.Topics)) {
		rd := kmsg.NewDescribeLogDirsResponseDir()
		rd.Dir, rd.TotalBytes, rd.UsableBytes = d.Path, d.Total, d.Usable
		if d.Err != nil {
			rd.ErrorCode = int16(kerror.KafkaStorageError)
		}
		rd.Topics = logDirTopics(d.Logs)
		resp.Dirs = append(resp.Dirs, rd)
	}
	return resp
}

// wanted is which partitions a request names; nil for all.
func wanted(topics []kmsg.DescribeLogDirsRequestTopic) func(metadata.TopicPartition) bool {
	if topics == nil {
		return nil
	}
	all := map[metadata.TopicPartition]bool{}
	for _, t := range topics {
		for _, p := range t.Partitions {
			all[metadata.TopicPartition{Topic: t.Topic, Partition: p}] = true
		}
	}
	return func(tp metadata.TopicPartition) bool { return all[tp] }
}

// logDirTopics are logs, which are sorted, by topic.
func logDirTopics(logs []replica.LogSize) []kmsg.DescribeLogDirsResponseDirTopic {
	topics := []kmsg.DescribeLogDirsResponseDirTopic{}
	for _, l := range logs {
		if n := len(topics); n == 0 || topics[n-1].Topic != l.TP.Topic {
			t := kmsg.NewDescribeLogDirsResponseDirTopic()
			t.Topic = l.TP.Topic
			topics = append(topics, t)
		}
		p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		p.Partition, p.Size, p.OffsetLag = l.TP.Partition, l.Size, l.Lag
		t := &topics[len(topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	return topics
}

func (c *call) describeProducers(req *kmsg.DescribeProducersRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	access := topicAccess{call: c, op: auth.Read}
	for _, t := range req.Topics {
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, c.producersOf(&access, metadata.TopicPartition{Topic: t.Topic, Partition: p}))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (c *call) producersOf(access *topicAccess, tp metadata.TopicPartition) kmsg.DescribeProducersResponseTopicPartition {
	rp := kmsg.NewDescribeProducersResponseTopicPartition()
	rp.Partition, rp.ActiveProducers = tp.Partition, []kmsg.DescribeProducersResponseTopicPartitionActiveProducer{}
	code := access.code(tp.Topic, tp.Partition)
	if code == kerror.OK {
		producers, found := c.replicas.Producers(tp)
		code = found
		for _, p := range producers {
			a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
			a.ProducerID, a.ProducerEpoch, a.LastSequence, a.LastTimestamp = p.ID, int32(p.Epoch), p.LastSequence, p.LastTimestamp
			a.CoordinatorEpoch, a.CurrentTxnStartOffset = p.CoordinatorEpoch, p.TxnFirstOffset
			rp.ActiveProducers = append(rp.ActiveProducers, a)
		}
	}
	rp.ErrorCode = int16(code)
	return rp
}
