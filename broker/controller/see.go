package controller

import (
	"maps"
	"math"
	"slices"

	"holt/broker/kerror"
	"holt/broker/metadata"
)

// see takes a topic from an image.
func (c *Core) see(is *metadata.Topic) {
	t := c.topics[is.Name]
	if t != nil && t.seen == is {
		return
	}
	if t != nil && t.created != is.Created {
		if t.created > is.Created {
			return
		}
		c.forget(t)
		t = nil
	}
	if t == nil {
		t = &topic{name: is.Name, id: is.ID, created: is.Created, version: -1, wishes: map[int32]wish{}}
		c.topics[is.Name] = t
	}
	was := t.seen
	t.seen = is
	if is.Version > t.version {
		t.id, t.version = is.ID, is.Version
		c.assign(t, is.Node().Partitions)
	}
	for n, p := range t.partitions {
		seen := is.Partition(int32(n))
		if seen == nil {
			continue
		}
		if was != nil && p.HasState() && !seen.HasState() {
			c.loseState(p, was.Partition(int32(n)))
		}
		c.seeState(p, seen)
	}
}

// assign takes an assignment that is newer than the one known.
func (c *Core) assign(t *topic, assignments []metadata.Assignment) {
	for n, a := range assignments {
		if n == len(t.partitions) {
			p := &partition{topic: t, number: int32(n)}
			p.PartitionState, p.Version = noState, -1
			t.partitions = append(t.partitions, p)
		}
		p := t.partitions[n]
		if !p.Assignment.Equal(&a) || !p.HasState() {
			p.Assignment = a
			c.touch(p)
		}
	}
	for _, p := range t.partitions[len(assignments):] {
		c.drop(p)
	}
	t.partitions = t.partitions[:len(assignments)]
	c.touchTopic(t)
}

// unknownZxid stands for the mzxid of a state that this controller has created:
// create returns no stat. It is later than any restart.
const unknownZxid = metadata.Zxid(math.MaxInt64)

// seeState takes a state if it is newer than the one known.
func (c *Core) seeState(p *partition, seen *metadata.Partition) {
	switch {
	case seen.Version > p.Version, seen.Version == p.Version && p.Modified == unknownZxid && seen.HasState():
	default:
		return
	}
	p.PartitionState, p.Version, p.Modified = seen.PartitionState, seen.Version, seen.Modified
	c.touch(p)
	if p.Reassigning() {
		c.touchTopic(p.topic) // it may be done
	}
}

// loseState takes it that a state that an image has shown is there no more: somebody
// has deleted it. One that no image has shown yet is the controller's own.
func (c *Core) loseState(p *partition, was *metadata.Partition) {
	if was != nil && was.HasState() && was.Version >= p.Version {
		p.PartitionState, p.Version, p.Modified, p.hasParent = noState, -1, 0, true
		c.touch(p)
	}
}

// forget drops a topic that is gone.
func (c *Core) forget(t *topic) {
	delete(c.topics, t.name)
	delete(c.dirtyTopics, t)
	delete(c.deleting, t)
	for _, p := range t.partitions {
		c.drop(p)
	}
	for n, w := range t.wishes {
		c.resolve(w.ticket, w.index, kerror.UnknownTopicOrPartition)
		delete(t.wishes, n)
	}
}

func (c *Core) drop(p *partition) {
	p.gone = true
	for _, e := range p.elections {
		c.resolve(e.ticket, e.index, kerror.UnknownTopicOrPartition)
	}
	p.elections = nil
	c.settled(p)
}

// compareBrokers has partitions of brokers that came, went or restarted decided anew.
func (c *Core) compareBrokers(last, image *metadata.Image) {
	changed := map[int32]bool{} // id: restarted
	for _, b := range last.Brokers() {
		switch is := image.Broker(b.ID); {
		case is == nil || is.Epoch != b.Epoch:
			changed[b.ID] = is != nil
			delete(c.leaving, b.ID)
		case !maps.EqualFunc(is.Offline, b.Offline, slices.Equal):
			changed[b.ID] = false
		}
	}
	for _, b := range image.Brokers() {
		if last.Broker(b.ID) == nil {
			changed[b.ID] = false
		}
	}
	if len(changed) == 0 {
		return
	}
	c.endShutdowns()
	for _, t := range sorted(c.topics) {
		for _, p := range t.partitions {
			for _, r := range p.Replicas {
				bounced, found := changed[r]
				if !found {
					continue
				}
				if bounced {
					p.bounce(r, image.Broker(r).Epoch)
				}
				c.touch(p)
			}
			if _, led := changed[p.Leader]; led {
				c.touch(p)
			}
			if p.Reassigning() {
				c.touchTopic(t)
			}
		}
	}
}

func (p *partition) bounce(broker int32, epoch int64) {
	if p.bounced == nil {
		p.bounced = map[int32]int64{}
	}
	p.bounced[broker] = epoch
}

// compareConfigs has leaderless partitions decided anew when an unclean election may
// be allowed now.
func (c *Core) compareConfigs(last, image *metadata.Image) {
	for _, t := range c.topics {
		if last.Config(metadata.TopicEntity(t.name))[uncleanKey] == image.Config(metadata.TopicEntity(t.name))[uncleanKey] {
			continue
		}
		for _, p := range t.partitions {
			if p.Leader == metadata.NoLeader {
				c.touch(p)
			}
		}
	}
	if c.defaultUnclean(last) != c.defaultUnclean(image) {
		for _, t := range c.topics {
			for _, p := range t.partitions {
				if p.Leader == metadata.NoLeader {
					c.touch(p)
				}
			}
		}
	}
}

const uncleanKey = "unclean.leader.election.enable"

func (c *Core) defaultUnclean(image *metadata.Image) bool {
	switch image.Config(metadata.DefaultBrokerEntity())[uncleanKey] {
	case "true":
		return true
	case "false":
		return false
	}
	return c.cfg.Unclean
}

func (c *Core) unclean(topic string) bool {
	switch c.image.Config(metadata.TopicEntity(topic))[uncleanKey] {
	case "true":
		return true
	case "false":
		return false
	}
	return c.defaultUnclean(c.image)
}
