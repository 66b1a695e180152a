package broker

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// Metadata, versions 0 to 12: the live brokers as this listener's clients reach them,
// and topics: all (null, or none in version 0), or those named by name or id.
//
// A topic that is not there is made, if the request (implicitly, before version 4), the
// configuration and the client's rights permit it; the answer has it, with leaders.
// Differs from Kafka: that answers an error first, which clients retry.

func (c *call) metadata(req *kmsg.MetadataRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	c.metadataTopics(req, resp) // may make some, after which brokers are those of a newer image
	for _, b := range c.image.Brokers() {
		at, ok := b.Endpoint(c.r.Conn.Listener())
		if !ok {
			continue
		}
		mb := kmsg.NewMetadataResponseBroker()
		mb.NodeID, mb.Host, mb.Port, mb.Rack = b.ID, at.Host, at.Port, orNull(b.Rack)
		resp.Brokers = append(resp.Brokers, mb)
	}
	resp.ClusterID = kmsg.StringPtr(c.clusterID)
	resp.ControllerID = c.reachableController()
	resp.AuthorizedOperations = operationsUnknown
	if req.IncludeClusterAuthorizedOperations && req.Version >= 8 && c.mayCluster(auth.Describe) {
		resp.AuthorizedOperations = c.permitted(auth.Cluster, clusterName)
	}
	return resp
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// reachableController is the controller, -1 if this listener's clients cannot reach it.
func (c *call) reachableController() int32 {
	id := c.image.Controller().ID
	if _, ok := c.endpoint(id); !ok {
		return -1
	}
	return id
}

func (c *call) metadataTopics(req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) {
	resp.Topics = []kmsg.MetadataResponseTopic{}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for t := range c.image.Topics() {
			if !c.image.Deleting(t.Name) && c.mayTopic(auth.Describe, t.Name) {
				resp.Topics = append(resp.Topics, c.metadataTopic(req, t))
			}
		}
		slices.SortFunc(resp.Topics, func(a, b kmsg.MetadataResponseTopic) int { return strings.Compare(*a.Topic, *b.Topic) })
		return
	}
	c.makeMissing(req)
	for i := range req.Topics {
		resp.Topics = append(resp.Topics, c.metadataOf(req, &req.Topics[i]))
	}
}

// metadataOf answers for one topic that was asked for.
func (c *call) metadataOf(req *kmsg.MetadataRequest, wanted *kmsg.MetadataRequestTopic) kmsg.MetadataResponseTopic {
	failed := kmsg.NewMetadataResponseTopic()
	failed.Topic, failed.TopicID = wanted.Topic, wanted.TopicID
	failed.AuthorizedOperations = operationsUnknown
	failed.Partitions = []kmsg.MetadataResponseTopicPartition{}
	t := c.topicOf(wanted.Topic, wanted.TopicID)
	byID := wanted.Topic == nil
	if byID && wanted.TopicID == ([16]byte{}) {
		failed.ErrorCode = int16(kerror.InvalidRequest)
		return failed
	}
	switch {
	case !byID && !c.mayTopic(auth.Describe, *wanted.Topic):
		failed.ErrorCode = int16(kerror.TopicAuthorizationFailed)
	case byID && (t == nil || !c.mayTopic(auth.Describe, t.Name)):
		failed.ErrorCode = int16(kerror.UnknownTopicID)
	case t == nil && checkTopicName(*wanted.Topic) != "":
		failed.ErrorCode = int16(kerror.InvalidTopicException)
	case t == nil && c.failedAuto[*wanted.Topic] != kerror.OK:
		failed.ErrorCode = int16(c.failedAuto[*wanted.Topic])
	case t == nil:
		failed.ErrorCode = int16(kerror.UnknownTopicOrPartition)
		failed.IsInternal = isInternal(*wanted.Topic)
	default:
		return c.metadataTopic(req, t)
	}
	return failed
}

// topicOf returns a topic that clients may see, by name or, if that is nil, by id.
func (c *call) topicOf(name *string, id [16]byte) *metadata.Topic {
	var t *metadata.Topic
	if name != nil {
		t = c.image.Topic(*name)
	} else {
		t = c.image.TopicByID(id)
	}
	if t == nil || c.image.Deleting(t.Name) {
		return nil
	}
	return t
}

func (c *call) metadataTopic(req *kmsg.MetadataRequest, t *metadata.Topic) kmsg.MetadataResponseTopic {
	mt := kmsg.NewMetadataResponseTopic()
	mt.Topic, mt.TopicID, mt.IsInternal = &t.Name, t.ID, isInternal(t.Name)
	mt.AuthorizedOperations = operationsUnknown
	if req.IncludeTopicAuthorizedOperations && req.Version >= 8 {
		mt.AuthorizedOperations = c.permitted(auth.Topic, t.Name)
	}
	mt.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for i, p := range t.Partitions {
		c.metadataPartition(&mt.Partitions[i], req.Version, t.Name, int32(i), p)
	}
	return mt
}

func (c *call) metadataPartition(mp *kmsg.MetadataResponseTopicPartition, version int16, topic string, number int32, p *metadata.Partition) {
	mp.Default()
	mp.Partition, mp.Leader, mp.LeaderEpoch = number, p.Leader, p.LeaderEpoch
	mp.Replicas, mp.ISR = orNone(p.Replicas), orNone(p.ISR)
	for _, r := range p.Replicas {
		if _, ok := c.endpoint(r); !ok || c.image.Broker(r).IsOffline(topic, number) {
			mp.OfflineReplicas = append(mp.OfflineReplicas, r)
		}
	}
	switch _, reachable := c.endpoint(p.Leader); {
	case !p.HasState() || p.Leader < 0 || c.image.Broker(p.Leader) == nil:
		mp.ErrorCode, mp.Leader = int16(kerror.LeaderNotAvailable), -1
	case !reachable && version >= 6:
		mp.ErrorCode, mp.Leader = int16(kerror.ListenerNotFound), -1
	case !reachable:
		mp.ErrorCode, mp.Leader = int16(kerror.LeaderNotAvailable), -1
	case version == 0 && len(mp.OfflineReplicas) > 0:
		// Clients of that time want only replicas that they can find.
		mp.ErrorCode = int16(kerror.ReplicaNotAvailable)
		mp.Replicas = slices.DeleteFunc(slices.Clone(mp.Replicas), func(r int32) bool { return slices.Contains(mp.OfflineReplicas, r) })
		mp.ISR = slices.DeleteFunc(slices.Clone(mp.ISR), func(r int32) bool { return slices.Contains(mp.OfflineReplicas, r) })
	}
}

func orNone(list []int32) []int32 {
	if list == nil {
		return []int32{}
	}
	return list
}

// makeMissing makes the topics that are asked for and not there, as far as it may, and
// lets the call see the image that has them. What could not be made is in
// c.failedAuto.
func (c *call) makeMissing(req *kmsg.MetadataRequest) {
	missing := c.missing(req)
	if len(missing) == 0 {
		return
	}
	// Another broker may have made them just now.
	c.image = c.freshImage(c.ctx)
	if missing = c.missing(req); len(missing) == 0 || req.Version >= 4 && !req.AllowAutoTopicCreation || !c.settings().BrokerBool("auto.create.topics.enable") {
		return
	}
	ctx, cancel := c.within(autoCreateMillis)
	defer cancel()
	c.failedAuto = map[string]kerror.Code{}
	for _, name := range missing {
		if code := c.makeAsked(ctx, name); code != kerror.OK {
			c.failedAuto[name] = code
		}
	}
	for _, name := range missing {
		if c.failedAuto[name] == kerror.OK {
			c.awaitTopic(ctx, name)
		}
	}
	c.image = c.applied.get()
}

// makeAsked makes one topic that a client named, or says why not. A name that cannot be and a client
// that may not are final: nobody waits for such a topic.
func (c *call) makeAsked(ctx context.Context, name string) kerror.Code {
	switch {
	case checkTopicName(name) != "":
		return kerror.InvalidTopicException
	case !c.mayCreate(name):
		return kerror.TopicAuthorizationFailed
	}
	r := c.makeTopic(ctx, c.internalOr(newTopic{name: name, partitions: -1, replicas: -1}))
	if r.ok() || r.code == kerror.TopicAlreadyExists {
		return kerror.OK
	}
	return autoCode(r.code)
}

// autoCreateMillis bounds the making of topics that clients did not ask to make.
const autoCreateMillis = 10_000

// autoCode is what is said of a topic that was not made: what the client can do
// something about, else something to try again.
func autoCode(code kerror.Code) kerror.Code {
	switch code {
	case kerror.InvalidReplicationFactor, kerror.InvalidTopicException:
		return code
	}
	return kerror.LeaderNotAvailable
}

// mayCreate reports whether the client may make a topic.
func (c *call) mayCreate(topic string) bool {
	return c.mayCluster(auth.Create) || c.mayTopic(auth.Create, topic)
}

// missing are the topics asked for by name that are not there.
func (c *call) missing(req *kmsg.MetadataRequest) []string {
	var names []string
	for i := range req.Topics {
		if name := req.Topics[i].Topic; name != nil && c.image.Topic(*name) == nil && c.mayTopic(auth.Describe, *name) {
			names = append(names, *name)
		}
	}
	return names
}
