package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// AlterReplicaLogDirs (34), versions 0 to 2: in which directories of this broker replicas shall be. Those that are
// there, and those that have yet to be made, need nothing else: so the assignment that kafka-reassign-partitions 4.x
// prints, which names directories, may be gone back to.
//
// Not done: moving a replica from one directory to another (UNSUPPORTED_VERSION).

func (c *call) alterReplicaLogDirs(req *kmsg.AlterReplicaLogDirsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	refused := c.clusterCode(auth.Alter)
	at := map[string]int{} // of resp.Topics: a topic may stand below several directories
	for _, d := range req.Dirs {
		for _, t := range d.Topics {
			i, ok := at[t.Topic]
			if !ok {
				i = len(resp.Topics)
				at[t.Topic] = i
				rt := kmsg.NewAlterReplicaLogDirsResponseTopic()
				rt.Topic = t.Topic
				resp.Topics = append(resp.Topics, rt)
			}
			for _, p := range t.Partitions {
				rp := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p, int16(refused)
				if refused == kerror.OK {
					rp.ErrorCode = int16(c.replicas.Place(metadata.TopicPartition{Topic: t.Topic, Partition: p}, d.Dir))
				}
				resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, rp)
			}
		}
	}
	return resp
}
