package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"holt/broker/controller"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// Names of the topics that coordinators keep their state in.
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

const topicNameMax = 249

// errTimeout ends the waiting of a request whose time is up.
var errTimeout = errors.New("the request's time is up")

func isInternal(topic string) bool { return topic == offsetsTopic || topic == transactionsTopic }

// checkTopicName says what is wrong with a topic's name, "" if nothing is. (Kafka: Topic.validate)
func checkTopicName(name string) string {
	switch {
	case name == "":
		return "Topic name is invalid: the empty string is not allowed"
	case name == "." || name == "..":
		return "Topic name is invalid: '.' or '..' is not allowed"
	case len(name) > topicNameMax:
		return fmt.Sprintf("Topic name is invalid: the length of '%s' is longer than the max allowed length %d", name[:topicNameMax], topicNameMax)
	}
	for _, r := range []byte(name) {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-') {
			return fmt.Sprintf("Topic name is invalid: '%.249s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return ""
}

// newTopic is a topic to be made.
type newTopic struct {
	name string
	// partitions and replicas are the brokers' defaults if -1; unused if there is an
	// assignment.
	partitions, replicas int
	assignment           []metadata.Assignment
	configs              map[string]string
}

// internalOr is t, or how an internal topic of its name has to be.
func (b *Broker) internalOr(t newTopic) newTopic {
	s := b.settings()
	live := len(b.applied.get().BrokerIDs())
	switch t.name {
	case offsetsTopic:
		t.partitions = int(s.BrokerInt("offsets.topic.num.partitions"))
		t.replicas = max(1, min(int(s.BrokerInt("offsets.topic.replication.factor")), live))
		t.configs = map[string]string{"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": s.BrokerText("offsets.topic.segment.bytes")}
	case transactionsTopic:
		t.partitions = int(s.BrokerInt("transaction.state.log.num.partitions"))
		t.replicas = max(1, min(int(s.BrokerInt("transaction.state.log.replication.factor")), live))
		t.configs = map[string]string{"cleanup.policy": "compact", "compression.type": "uncompressed", "unclean.leader.election.enable": "false",
			"min.insync.replicas": s.BrokerText("transaction.state.log.min.isr"), "segment.bytes": s.BrokerText("transaction.state.log.segment.bytes")}
	}
	return t
}

// planTopic says where the partitions of a topic shall be, or what is wrong with it. It
// changes nothing.
func (b *Broker) planTopic(t newTopic) (*metadata.TopicNode, refusal) {
	image := b.applied.get()
	if why := checkTopicName(t.name); why != "" {
		return nil, refusal{kerror.InvalidTopicException, why}
	}
	if image.Topic(t.name) != nil && !image.Deleting(t.name) {
		return nil, refusal{kerror.TopicAlreadyExists, fmt.Sprintf("Topic '%s' already exists.", t.name)}
	}
	if other := colliding(image, t.name); other != "" {
		return nil, refusal{kerror.InvalidTopicException, fmt.Sprintf("Topic '%s' collides with existing topics: %s", t.name, other)}
	}
	if r := checkTopicConfigs(t.configs); !r.ok() {
		return nil, r
	}
	if t.assignment != nil {
		return &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: t.assignment}, refusal{}
	}
	if t.partitions == -1 {
		t.partitions = int(b.settings().BrokerInt("num.partitions"))
	}
	if t.replicas == -1 {
		t.replicas = int(b.settings().BrokerInt("default.replication.factor"))
	}
	switch {
	case t.partitions < 1:
		return nil, refusal{kerror.InvalidPartitions, "Number of partitions must be larger than 0."}
	case t.partitions > partitionsMax:
		return nil, refusal{kerror.InvalidPartitions, fmt.Sprintf("Number of partitions must be at most %d.", partitionsMax)}
	case t.replicas < 1:
		return nil, refusal{kerror.InvalidReplicationFactor, "Replication factor must be larger than 0."}
	}
	assignment, err := controller.Place(controller.Placement{Brokers: image.Brokers(), Partitions: t.partitions, Replicas: t.replicas,
		Start: rand.IntN(1 << 30), Shift: rand.IntN(1 << 30)})
	if err != nil {
		return nil, refusal{kerror.InvalidReplicationFactor, fmt.Sprintf("Replication factor: %d larger than available brokers: %d.", t.replicas, len(image.BrokerIDs()))}
	}
	return &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: assignment}, refusal{}
}

// partitionsMax bounds the partitions of a topic: its node must fit into what
// ZooKeeper takes by default, 1 MiB.
const partitionsMax = 20_000

// colliding is a topic whose metrics could not be told from those of one called name. (Kafka: Topic.hasCollision)
func colliding(image *metadata.Image, name string) string {
	if !strings.ContainsAny(name, "._") {
		return ""
	}
	same := strings.ReplaceAll(name, ".", "_")
	for t := range image.Topics() {
		if t.Name != name && len(t.Name) == len(name) && strings.ReplaceAll(t.Name, ".", "_") == same {
			return t.Name
		}
	}
	return ""
}

// makeTopic makes a topic, after one of the same name that is being deleted is gone. Its
// leaders come later: see awaitTopic.
func (b *Broker) makeTopic(ctx context.Context, t newTopic) refusal {
	if b.applied.get().Deleting(t.name) {
		if err := b.awaitGone(ctx, t.name); err != nil {
			return refusal{kerror.RequestTimedOut, fmt.Sprintf("Topic '%s' is still being deleted.", t.name)}
		}
	}
	node, r := b.planTopic(t)
	if !r.ok() {
		return r
	}
	err := b.client.CreateTopic(ctx, t.name, node, t.configs)
	switch {
	case err == nil:
		return refusal{}
	case errors.Is(err, metadata.ErrNodeExists):
		return refusal{kerror.TopicAlreadyExists, fmt.Sprintf("Topic '%s' already exists.", t.name)}
	}
	return b.failedWrite(ctx, err)
}

// failedWrite is what a client hears of a write to the tree that failed.
func (b *Broker) failedWrite(ctx context.Context, err error) refusal {
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return refusal{kerror.RequestTimedOut, "The coordination service did not answer in time."}
	case errors.Is(err, metadata.ErrClosed), ctx.Err() != nil:
		return refusal{kerror.BrokerNotAvailable, "The broker is stopping."}
	}
	b.log.Warn("write to the tree failed", errField(err))
	return refusal{kerror.UnknownServerError, "The coordination service refused the change."}
}

// awaitTopic returns when a topic is there and all its partitions have leaders, as far as
// this broker sees, and when those that it leads itself take requests. The error is ctx's.
func (b *Broker) awaitTopic(ctx context.Context, name string) error {
	return b.awaitPartitions(ctx, name, 0)
}

// awaitPartitions is the same for a topic that is to have so many partitions at least.
func (b *Broker) awaitPartitions(ctx context.Context, name string, count int) error {
	return b.applied.wait(ctx, func(i *metadata.Image) bool { return hasLeaders(i.Topic(name), count) })
}

func hasLeaders(t *metadata.Topic, count int) bool {
	if t == nil || len(t.Partitions) < count {
		return false
	}
	for _, p := range t.Partitions {
		if !p.HasState() || p.Leader < 0 {
			return false
		}
	}
	return true
}

// awaitGone returns when a topic is not there any more.
func (b *Broker) awaitGone(ctx context.Context, name string) error {
	return b.applied.wait(ctx, func(i *metadata.Image) bool { return i.Topic(name) == nil })
}

// freshWait bounds the look of freshImage: without it an answer is as good as what is
// known. freshEvery is how often there is one.
const (
	freshWait  = time.Second
	freshEvery = 20 * time.Millisecond
)

// freshImage is an image that shows what other brokers have written, as far as that can be
// had soon.
func (b *Broker) freshImage(ctx context.Context) *metadata.Image {
	b.fresh.do(ctx, func() {
		ctx, cancel := context.WithTimeout(ctx, freshWait)
		defer cancel()
		if err := b.follower.Sync(ctx); err != nil {
			b.log.Debug("no fresh look at the tree", errField(err))
		}
	})
	return b.applied.get()
}
