package metadata

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// builder makes the next image from the last one and the replies of a round.
type builder struct {
	cfg     FollowerConfig
	image   *Image
	touched *touched
	marks   map[string]mark   // to be read next
	topics  map[string]*Topic // those that this round has copied, and may change
	loading bool              // everything is read anew

	changeSeen int64
	aclSeen    map[string]int64
}

func newBuilder(last *Image, cfg FollowerConfig) *builder {
	return &builder{cfg: cfg, image: last.edit(), touched: newTouched(), marks: map[string]mark{}, topics: map[string]*Topic{}}
}

// finish returns the image.
func (b *builder) finish() *Image {
	b.image.seal()
	return b.image
}

// mark has a path read because of a reply.
func (b *builder) mark(path string, because reply, fresh bool) {
	b.marks[path] = mark{generation: because.mark.generation, fresh: fresh}
}

// again has a path read that could not be.
func (b *builder) again(r reply) { b.mark(r.path, r, r.mark.fresh) }

// reload begins an image that owes nothing to watches.
func (b *builder) reload(session SessionID) {
	b.loading = true
	b.image.session = session
}

// knownPaths visits the nodes that an image was made of, without the roots.
func knownPaths(i *Image) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, id := range i.brokerIDs {
			if !yield(BrokerPath(id)) {
				return
			}
		}
		for t := range i.Topics() {
			if !yield(TopicPath(t.Name)) {
				return
			}
			for p := range t.Partitions {
				if !yield(StatePath(t.Name, int32(p))) {
					return
				}
			}
		}
		for e := range i.configs.all() {
			if !yield(e.Path()) {
				return
			}
		}
		for r := range i.acls.all() {
			if !yield(r.path()) {
				return
			}
		}
	}
}

// apply takes a reply into the image. Payloads that cannot be read are reported
// and leave what was known before.
func (b *builder) apply(r reply) {
	var err error
	switch {
	case r.path == BrokerIDsPath:
		b.brokerList(r)
	case r.path == TopicsPath:
		b.topicList(r)
	case strings.HasPrefix(r.path, BrokerIDsPath):
		err = b.broker(r)
	case strings.HasPrefix(r.path, TopicsPath):
		topic, partition, _ := ParseTopicPath(r.path)
		if partition < 0 {
			err = b.topic(topic, r)
		} else {
			err = b.state(topic, partition, r)
		}
	case r.path == ControllerPath:
		err = b.controller(r)
	case r.path == ControllerEpochPath:
		err = b.controllerEpoch(r)
	case r.path == ClusterIDPath:
		err = b.clusterID(r)
	case strings.HasPrefix(r.path, ConfigPath):
		err = b.configuration(r)
	case strings.HasPrefix(r.path, aclPath):
		err = b.acl(r)
	default:
		err = b.adminNode(r)
	}
	if err != nil {
		b.cfg.Logger.Warn("metadata of an unknown form, ignored", zap.String("path", r.path), zap.Error(err))
	}
}

func (b *builder) brokerList(r reply) {
	for _, name := range r.children {
		if id, err := strconv.ParseInt(name, 10, 32); err == nil && b.image.Broker(int32(id)) == nil {
			b.mark(BrokerPath(int32(id)), r, false)
		}
	}
	for _, id := range b.image.brokerIDs {
		if !slices.Contains(r.children, strconv.Itoa(int(id))) {
			// Its own watch has fired too, but may have been lost with a session.
			b.mark(BrokerPath(id), r, false)
		}
	}
}

func (b *builder) broker(r reply) error {
	n, err := strconv.ParseInt(base(r.path), 10, 32)
	if err != nil {
		return err
	}
	id := int32(n)
	old := b.image.Broker(id)
	b.touched.brokers[id] = struct{}{}
	if r.missing {
		if old != nil {
			b.image.removeBroker(id)
		}
		return nil
	}
	if len(r.data) == 0 || old != nil && old.modified >= r.stat.Modified {
		return nil // of a registration only the first half is there
	}
	broker, err := DecodeBroker(id, r.data)
	if err != nil {
		return err
	}
	broker.Epoch, broker.modified = int64(r.stat.Created), r.stat.Modified
	b.image.setBroker(broker)
	return nil
}

func (b *builder) topicList(r reply) {
	there := make(map[string]struct{}, len(r.children))
	for _, name := range r.children {
		there[name] = struct{}{}
		if b.image.Topic(name) == nil {
			// Both in one round, so that nobody sees the topic without its configuration.
			b.mark(TopicPath(name), r, false)
			if !b.loading {
				b.mark(TopicEntity(name).Path(), r, false)
			}
		}
	}
	for t := range b.image.Topics() {
		if _, ok := there[t.Name]; !ok {
			b.mark(TopicPath(t.Name), r, false)
		}
	}
}

func (b *builder) topic(name string, r reply) error {
	old := b.image.Topic(name)
	b.touched.topics[name] = struct{}{}
	if r.missing {
		if old != nil {
			b.image.removeTopic(name)
			delete(b.topics, name)
			b.mark(TopicEntity(name).Path(), r, false)
		}
		return nil
	}
	if old != nil && old.modified >= r.stat.Modified {
		return nil
	}
	node, err := DecodeTopic(r.data)
	if err != nil {
		return err
	}
	t := &Topic{Name: name, ID: node.ID, Version: r.stat.Version, Created: r.stat.Created, modified: r.stat.Modified}
	if old != nil && old.Created != t.Created {
		b.mark(TopicEntity(name).Path(), r, false)
		old = nil
	}
	t.Partitions = make([]*Partition, len(node.Partitions))
	for i, a := range node.Partitions {
		var was *Partition
		if old != nil {
			was = old.Partition(int32(i))
		}
		switch {
		case was == nil:
			t.Partitions[i] = &Partition{Assignment: a, PartitionState: noState, Version: -1}
			b.mark(StatePath(name, int32(i)), r, !b.loading)
		case was.Assignment.Equal(&a):
			t.Partitions[i] = was
		default:
			p := *was
			p.Assignment = a
			t.Partitions[i] = &p
		}
	}
	b.image.setTopic(t)
	b.topics[name] = t
	return nil
}

func (b *builder) state(topic string, partition int32, r reply) error {
	old := b.image.Partition(topic, partition)
	if old == nil {
		return nil
	}
	p := &Partition{Assignment: old.Assignment, PartitionState: noState, Version: -1}
	switch {
	case r.missing && !old.HasState():
		return nil
	case r.missing:
	case old.Modified >= r.stat.Modified, r.stat.Created < b.image.Topic(topic).Created:
		return nil // older than what is known, or of a former topic of this name
	default:
		s, err := DecodePartitionState(r.data)
		if err != nil {
			return err
		}
		p.PartitionState, p.Version, p.Modified = s, r.stat.Version, r.stat.Modified
	}
	b.ownTopic(topic).Partitions[partition] = p
	return nil
}

// ownTopic returns a topic of the image that this round may change.
func (b *builder) ownTopic(name string) *Topic {
	if t := b.topics[name]; t != nil {
		return t
	}
	t := *b.image.Topic(name)
	t.Partitions = slices.Clone(t.Partitions)
	b.image.setTopic(&t)
	b.topics[name] = &t
	b.touched.topics[name] = struct{}{}
	return &t
}

func (b *builder) controller(r reply) error {
	c := &b.image.controller
	if r.missing {
		c.ID, c.Owner = -1, 0
		return nil
	}
	id, err := DecodeController(r.data)
	if err != nil {
		return err
	}
	c.ID, c.Owner = id, r.stat.Owner
	return nil
}

func (b *builder) controllerEpoch(r reply) error {
	c := &b.image.controller
	if r.missing {
		c.Epoch, c.EpochVersion = 0, -1
		return nil
	}
	if r.stat.Version < c.EpochVersion {
		return nil
	}
	epoch, err := DecodeControllerEpoch(r.data)
	if err != nil {
		return err
	}
	c.Epoch, c.EpochVersion = epoch, r.stat.Version
	return nil
}

func (b *builder) clusterID(r reply) error {
	if r.missing {
		return nil
	}
	id, err := decodeClusterID(r.data)
	if err == nil {
		b.image.clusterID = id
	}
	return err
}
