package metadata

import (
	"iter"
	"maps"
	"slices"
)

// Image is what a broker knows of the cluster at one moment. It does not change:
// whoever holds one may read it from any goroutine without a lock, and so may those
// whom it is handed to. What its methods return is shared and must not be changed.
// [Follower] has the newest one.
type Image struct {
	brokers    map[int32]*Broker
	brokerIDs  []int32 // sorted
	topics     shards[string, *Topic]
	topicIDs   shards[TopicID, *Topic]
	configs    shards[Entity, config]
	controller Controller
	clusterID  string
	admin      Admin
	acls       shards[Resource, resourceACLs]
	partitions int
	session    SessionID
}

type config struct {
	values   map[string]string
	modified Zxid
	version  int32
}

// Admin is what waits for the controller.
type Admin struct {
	Deleting      []string       // topics to delete, sorted
	Reassignments []Reassignment // of ReassignPath
	ReassignNode  NodeVersion
	Elections     []TopicPartition // of PreferredElectionPath
	ElectionNode  NodeVersion
	ISRChanges    []string // names of notifications, sorted
	LogDirEvents  []string // names of notifications, sorted
}

// NodeVersion is a version of a node that may be absent.
type NodeVersion struct {
	Exists  bool
	Version int32
	Created Zxid
	// Invalid: the payload could not be read, and says nothing.
	Invalid bool
}

// Broker returns a live broker, nil if there is none of this id.
func (i *Image) Broker(id int32) *Broker { return i.brokers[id] }

// Brokers returns the live brokers by id.
func (i *Image) Brokers() []*Broker {
	all := make([]*Broker, len(i.brokerIDs))
	for n, id := range i.brokerIDs {
		all[n] = i.brokers[id]
	}
	return all
}

// BrokerIDs returns the ids of the live brokers, sorted.
func (i *Image) BrokerIDs() []int32 { return i.brokerIDs }

// Topic returns a topic, nil if there is none of this name.
func (i *Image) Topic(name string) *Topic {
	t, _ := i.topics.get(hashName(name), name)
	return t
}

// TopicByID returns a topic, nil if there is none of this id.
func (i *Image) TopicByID(id TopicID) *Topic {
	t, _ := i.topicIDs.get(hashID(id), id)
	return t
}

// Topics visits all topics in no order.
func (i *Image) Topics() iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		for _, t := range i.topics.all() {
			if !yield(t) {
				return
			}
		}
	}
}

// TopicCount is the number of topics.
func (i *Image) TopicCount() int { return i.topics.size }

// PartitionCount is the number of partitions of all topics.
func (i *Image) PartitionCount() int { return i.partitions }

// Partition returns a partition, nil if there is none.
func (i *Image) Partition(topic string, partition int32) *Partition {
	if t := i.Topic(topic); t != nil {
		return t.Partition(partition)
	}
	return nil
}

// Config returns what is set for an entity itself, nil if nothing is: defaults are
// not mixed in.
func (i *Image) Config(e Entity) map[string]string {
	c, _ := i.configs.get(hashName(e), e)
	return c.values
}

// Configs visits the entities that something is set for, in no order.
func (i *Image) Configs() iter.Seq2[Entity, map[string]string] {
	return func(yield func(Entity, map[string]string) bool) {
		for e, c := range i.configs.all() {
			if !yield(e, c.values) {
				return
			}
		}
	}
}

// Controller is the controller, whose ID is -1 if there is none.
func (i *Image) Controller() Controller { return i.controller }

// ClusterID is the cluster's id.
func (i *Image) ClusterID() string { return i.clusterID }

// Admin is what waits for the controller.
func (i *Image) Admin() *Admin { return &i.admin }

// Deleting tells whether a topic is to be deleted: it takes no more writes, and
// clients do not see it.
func (i *Image) Deleting(topic string) bool {
	_, found := slices.BinarySearch(i.admin.Deleting, topic)
	return found
}

// Restarted tells whether a live broker has registered since a partition's state
// was written: whatever the state says of its replica is about its former life.
func (i *Image) Restarted(p *Partition, broker int32) bool {
	b := i.brokers[broker]
	return b != nil && b.Epoch > int64(p.Modified)
}

// Session is the session in which the image was read.
func (i *Image) Session() SessionID { return i.session }

// emptyImage is an image of nothing.
func emptyImage() *Image {
	return &Image{brokers: map[int32]*Broker{}, controller: Controller{ID: -1, EpochVersion: -1}}
}

// edit returns a copy to build the next image from.
func (i *Image) edit() *Image {
	next := *i
	next.topics, next.topicIDs = i.topics.clone(), i.topicIDs.clone()
	next.configs, next.acls = i.configs.clone(), i.acls.clone()
	return &next
}

// seal ends the edit.
func (i *Image) seal() {
	i.topics.seal()
	i.topicIDs.seal()
	i.configs.seal()
	i.acls.seal()
}

// The rest are the changes of an image under edit.

func (i *Image) setBroker(b *Broker) {
	i.brokers = maps.Clone(i.brokers)
	i.brokers[b.ID] = b
	i.brokerIDs = slices.Sorted(maps.Keys(i.brokers))
}

func (i *Image) removeBroker(id int32) {
	i.brokers = maps.Clone(i.brokers)
	delete(i.brokers, id)
	i.brokerIDs = slices.Sorted(maps.Keys(i.brokers))
}

func (i *Image) setTopic(t *Topic) {
	i.removeTopic(t.Name)
	i.topics.set(hashName(t.Name), t.Name, t)
	if t.ID != (TopicID{}) {
		i.topicIDs.set(hashID(t.ID), t.ID, t)
	}
	i.partitions += len(t.Partitions)
}

func (i *Image) removeTopic(name string) {
	t := i.Topic(name)
	if t == nil {
		return
	}
	i.topics.remove(hashName(name), name)
	if byID := i.TopicByID(t.ID); byID == t {
		i.topicIDs.remove(hashID(t.ID), t.ID)
	}
	i.partitions -= len(t.Partitions)
}

func (i *Image) setConfig(e Entity, c config) { i.configs.set(hashName(e), e, c) }

func (i *Image) removeConfig(e Entity) { i.configs.remove(hashName(e), e) }
