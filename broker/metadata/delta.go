package metadata

// Delta is what changed from one image to the next, as subscribers get it. A
// subscriber's first one has an empty image before, so that everything is new.
// Several changes of one thing may have become one.
type Delta struct {
	Before, Image *Image

	Brokers    []BrokerChange
	Topics     []TopicChange     // new, gone, replaced by one of the same name, or with another assignment
	Partitions []PartitionChange // whose assignment or state changed; those of new topics too
	Configs    []Entity
	ACLs       []Resource
	Controller bool // the controller or its epoch
	Admin      bool
	Session    bool // the image comes from another session: the former one has expired
}

// BrokerChange is a broker that came (Was is nil), went (Is is nil), restarted, or
// has other endpoints.
type BrokerChange struct {
	ID      int32
	Was, Is *Broker
}

// Up tells whether the broker is alive, and was not or not in this life.
func (c BrokerChange) Up() bool { return c.Is != nil && (c.Was == nil || c.Was.Epoch != c.Is.Epoch) }

// Down tells whether the broker's former life has ended. Of a broker that
// restarted before anybody saw it missing both Up and Down are true.
func (c BrokerChange) Down() bool { return c.Was != nil && (c.Is == nil || c.Was.Epoch != c.Is.Epoch) }

// TopicChange is a topic that is new (Was is nil), gone (Is is nil) or changed.
type TopicChange struct {
	Name    string
	Was, Is *Topic
}

// Replaced tells whether the topic of this name is another one than before.
func (c TopicChange) Replaced() bool {
	return c.Was != nil && c.Is != nil && c.Was.Created != c.Is.Created
}

// PartitionChange is a partition that is new (Was is nil) or changed. Topic is the
// one it belongs to now. Partitions of a topic that is gone are not listed.
type PartitionChange struct {
	Topic     *Topic
	Partition int32
	Was, Is   *Partition
}

// empty tells whether there is nothing to tell subscribers.
func (d *Delta) empty() bool {
	return len(d.Brokers)+len(d.Topics)+len(d.Partitions)+len(d.Configs)+len(d.ACLs) == 0 && !d.Controller && !d.Admin && !d.Session
}

// touched collects what may differ between two images while the second is built.
type touched struct {
	brokers map[int32]struct{}
	topics  map[string]struct{}
	configs map[Entity]struct{}
	acls    map[Resource]struct{}
	admin   bool
}

func newTouched() *touched {
	return &touched{
		brokers: map[int32]struct{}{}, topics: map[string]struct{}{}, configs: map[Entity]struct{}{}, acls: map[Resource]struct{}{},
	}
}

// everything is what a subscriber has yet to hear of an image.
func everything(i *Image) *touched {
	t := newTouched()
	for _, id := range i.brokerIDs {
		t.brokers[id] = struct{}{}
	}
	for _, topic := range i.topics.all() {
		t.topics[topic.Name] = struct{}{}
	}
	for e := range i.configs.all() {
		t.configs[e] = struct{}{}
	}
	for r := range i.acls.all() {
		t.acls[r] = struct{}{}
	}
	t.admin = true
	return t
}

// delta compares what was touched.
func (t *touched) delta(before, after *Image) *Delta {
	d := &Delta{Before: before, Image: after, Admin: t.admin}
	for _, id := range sortedKeys(t.brokers) {
		if was, is := before.Broker(id), after.Broker(id); was != is {
			d.Brokers = append(d.Brokers, BrokerChange{id, was, is})
		}
	}
	for _, name := range sortedKeys(t.topics) {
		d.addTopic(name, before.Topic(name), after.Topic(name))
	}
	for _, e := range sortedKeys(t.configs) {
		was, _ := before.configs.get(hashName(e), e)
		is, _ := after.configs.get(hashName(e), e)
		if was.modified != is.modified {
			d.Configs = append(d.Configs, e)
		}
	}
	for r := range t.acls {
		d.ACLs = append(d.ACLs, r)
	}
	d.Controller = before.controller != after.controller
	d.Session = before.session != after.session
	return d
}

func (d *Delta) addTopic(name string, was, is *Topic) {
	if was == is {
		return
	}
	if was == nil || is == nil || was.modified != is.modified || was.Created != is.Created {
		d.Topics = append(d.Topics, TopicChange{name, was, is})
	}
	if is == nil {
		return
	}
	for n, p := range is.Partitions {
		var old *Partition
		if was != nil && was.Created == is.Created {
			old = was.Partition(int32(n))
		}
		if old != p {
			d.Partitions = append(d.Partitions, PartitionChange{is, int32(n), old, p})
		}
	}
}
