package broker

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
)

// DescribeCluster (60), versions 0 and 1: the live brokers as this listener's clients reach
// them, and the controller. DescribeTopicPartitions (75), version 0: topics in pages.

func (c *call) describeCluster(req *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterID, resp.ControllerID, resp.EndpointType = c.clusterID, c.reachableController(), 1
	resp.ClusterAuthorizedOperations = operationsUnknown
	if req.Version >= 1 && req.EndpointType != 1 {
		resp.ErrorCode = int16(kerror.UnsupportedEndpointType)
		resp.ErrorMessage = kmsg.StringPtr("Only brokers' endpoints are there to be described.")
		return resp
	}
	for _, b := range c.image.Brokers() {
		at, ok := b.Endpoint(c.r.Conn.Listener())
		if !ok {
			continue
		}
		rb := kmsg.NewDescribeClusterResponseBroker()
		rb.NodeID, rb.Host, rb.Port, rb.Rack = b.ID, at.Host, at.Port, orNull(b.Rack)
		resp.Brokers = append(resp.Brokers, rb)
	}
	if req.IncludeClusterAuthorizedOperations && c.mayCluster(auth.Describe) {
		resp.ClusterAuthorizedOperations = c.permitted(auth.Cluster, clusterName)
	}
	return resp
}

// topicPartitionsPage is the most partitions in one answer to DescribeTopicPartitions.
// (Kafka: max.request.partition.size.limit)
const topicPartitionsPage = 2000

func (c *call) describeTopicPartitions(req *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	names := c.pagedNames(req)
	left := int(min(max(req.ResponsePartitionLimit, 1), topicPartitionsPage))
	for _, name := range names {
		first := int32(0)
		if req.Cursor != nil && req.Cursor.Topic == name {
			first = max(req.Cursor.Partition, 0)
		}
		if left == 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: first}
			break
		}
		rt, more := c.topicPage(name, first, &left)
		resp.Topics = append(resp.Topics, rt)
		if more >= 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: more}
			break
		}
	}
	return resp
}

// pagedNames are the topics to describe from the cursor on, sorted.
func (c *call) pagedNames(req *kmsg.DescribeTopicPartitionsRequest) []string {
	var names []string
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	if len(req.Topics) == 0 {
		for t := range c.image.Topics() {
			if !c.image.Deleting(t.Name) && c.mayTopic(auth.Describe, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if req.Cursor != nil {
		names = slices.DeleteFunc(names, func(name string) bool { return strings.Compare(name, req.Cursor.Topic) < 0 })
	}
	return names
}

// topicPage describes a topic's partitions from first on, as many as are left. more is the
// partition to go on with, or -1.
func (c *call) topicPage(name string, first int32, left *int) (rt kmsg.DescribeTopicPartitionsResponseTopic, more int32) {
	rt = kmsg.NewDescribeTopicPartitionsResponseTopic()
	rt.Topic, rt.IsInternal, rt.AuthorizedOperations = &name, isInternal(name), operationsUnknown
	if !c.mayTopic(auth.Describe, name) {
		rt.ErrorCode = int16(kerror.TopicAuthorizationFailed)
		return rt, -1
	}
	t := c.topicOf(&name, [16]byte{})
	if t == nil {
		rt.ErrorCode = int16(kerror.UnknownTopicOrPartition)
		return rt, -1
	}
	rt.TopicID, rt.AuthorizedOperations = t.ID, c.permitted(auth.Topic, name)
	for i := int(first); i < len(t.Partitions); i++ {
		if *left == 0 {
			return rt, int32(i)
		}
		*left--
		var mp kmsg.MetadataResponseTopicPartition
		c.metadataPartition(&mp, 12, name, int32(i), t.Partitions[i])
		rp := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		rp.ErrorCode, rp.Partition, rp.LeaderID, rp.LeaderEpoch = mp.ErrorCode, mp.Partition, mp.Leader, mp.LeaderEpoch
		rp.Replicas, rp.ISR, rp.OfflineReplicas = mp.Replicas, mp.ISR, mp.OfflineReplicas
		// There are none, but they may not be null: Java's admin client does not expect that.
		rp.EligibleLeaderReplicas, rp.LastKnownELR = []int32{}, []int32{}
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt, -1
}
