package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// DeleteRecords, versions 0 to 2: moves the beginning of partitions forward and answers
// when their live replicas have done so.

func (c *call) deleteRecords(req *kmsg.DeleteRecordsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	resp.Topics = make([]kmsg.DeleteRecordsResponseTopic, len(req.Topics))
	access := topicAccess{call: c, op: auth.Delete}
	count := 1
	for _, t := range req.Topics {
		count += len(t.Partitions)
	}
	c.waited = true
	all := journal.NewCountdown(count, func() { c.reply(resp) })
	for i, t := range req.Topics {
		rt := &resp.Topics[i]
		rt.Default()
		rt.Topic, rt.Partitions = t.Topic, make([]kmsg.DeleteRecordsResponseTopicPartition, len(t.Partitions))
		for j, p := range t.Partitions {
			rp := &rt.Partitions[j]
			rp.Default()
			rp.Partition = p.Partition
			done := func(low int64, code kerror.Code) {
				rp.LowWatermark, rp.ErrorCode = low, int16(code)
				all.Done()
			}
			code := access.code(t.Topic, p.Partition)
			if code == kerror.OK && isInternal(t.Topic) {
				code = kerror.InvalidTopicException
			}
			if code != kerror.OK {
				done(-1, code)
				continue
			}
			c.replicas.DeleteRecords(metadata.TopicPartition{Topic: t.Topic, Partition: p.Partition}, p.Offset,
				time.Duration(min(max(req.TimeoutMillis, 0), maxWaitMillis))*time.Millisecond, done)
		}
	}
	all.Done() // the one more: nothing is answered before all is begun
	return nil
}
