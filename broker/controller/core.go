package controller

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"holt/broker/kerror"
	"holt/broker/metadata"
)

// CoreConfig is what a Core goes by.
type CoreConfig struct {
	Epoch int32 // of this controller

	// Unclean is the cluster's default of unclean.leader.election.enable.
	Unclean bool

	// Rebalance has leaderships return to preferred replicas by themselves, when more
	// than RebalancePercent of those that prefer a broker are elsewhere; looked at every
	// RebalanceEvery, first 5 s after the election. Defaults: 10, 300 s.
	// (Kafka: auto.leader.rebalance.enable, leader.imbalance.*)
	Rebalance        bool
	RebalancePercent int
	RebalanceEvery   time.Duration

	// NoDelete has requests to delete topics dropped. (Kafka: delete.topic.enable=false)
	NoDelete bool

	// NewTopicID makes ids for topics without one. Default: random ones.
	NewTopicID func() metadata.TopicID
}

const (
	rebalanceFirst = 5 * time.Second

	// orphanAfter is how long a request to delete a topic that nobody knows stays:
	// the topic may not have been read yet.
	orphanAfter = 10 * time.Second

	// retryAfter is how long a topic's deletion that failed waits.
	retryAfter = time.Second
)

// Core is the controller's mind: it sees images, decides, and has writes to make. It
// does nothing by itself, knows no clock, and belongs to one goroutine.
//
//	Update(image) ─┐                    ┌─▶ Take() []Write ──▶ the tree ──┐
//	Tick(now) ─────┼─▶ dirty ─▶ decide ─┤                                 │
//	requests ──────┘     ▲              └─▶ Answers()                      │
//	                     └──────── Done, Failed (with what is there) ◀────┘
type Core struct {
	cfg    CoreConfig
	now    time.Time
	image  *metadata.Image
	topics map[string]*topic

	dirty       []*partition // to be decided; each once
	dirtyTopics map[*topic]struct{}
	deleting    map[*topic]struct{} // those whose deleting is true
	later       []*partition        // whose writes fail: decided with the next tick
	ready       []*Write            // decided, not taken
	underway    map[int64]*Write    // taken
	lastWrite   int64               // id
	leaving     map[int32]int64     // brokers that asked for a controlled shutdown, and their epochs
	tickets     map[Ticket]*ticket  // requests not answered
	shutdowns   []*shutdown
	lastTicket  Ticket
	answers     []Answer
	nextBalance time.Time
	nodes       nodes
}

// topic is the newest that is known of one, from images and from writes that
// succeeded.
type topic struct {
	name       string
	id         metadata.TopicID
	created    metadata.Zxid
	version    int32
	partitions []*partition
	busy       bool // its node is being written
	needsDir   bool // the parent of its partitions is missing
	busyDir    bool // and being made
	seen       *metadata.Topic
	deleting   bool
	removal    *Write    // under way
	retryAt    time.Time // of the removal
	wishes     map[int32]wish
}

type partition struct {
	metadata.Partition
	topic  *topic
	number int32
	busy   bool // its state is being written

	// hasParent says that the state's parent is there though the state is not.
	hasParent bool

	failures int  // writes in a row
	dirty    bool // in Core.dirty
	gone     bool

	// bounced are brokers that restarted and have not been dealt with, by epoch. The
	// state's own mzxid tells the same, unless the leader wrote it in between.
	bounced map[int32]int64

	elections []election // asked for
}

// unknownZxid stands for the mzxid of a state that this controller has created:
// create returns no stat. It is later than any restart.
const unknownZxid = metadata.Zxid(math.MaxInt64)

// NewCore returns the mind of a controller that was just elected, with an image that
// is no older than the election.
func NewCore(cfg CoreConfig, image *metadata.Image, now time.Time) *Core {
	if cfg.RebalancePercent <= 0 {
		cfg.RebalancePercent = 10
	}
	if cfg.RebalanceEvery <= 0 {
		cfg.RebalanceEvery = 300 * time.Second
	}
	if cfg.NewTopicID == nil {
		cfg.NewTopicID = metadata.NewTopicID
	}
	c := &Core{
		cfg: cfg, now: now, topics: map[string]*topic{}, dirtyTopics: map[*topic]struct{}{}, deleting: map[*topic]struct{}{}, underway: map[int64]*Write{},
		leaving: map[int32]int64{}, tickets: map[Ticket]*ticket{}, nextBalance: now.Add(rebalanceFirst),
	}
	c.nodes.init()
	c.Update(image, now)
	return c
}

// Update takes in what a newer image shows.
func (c *Core) Update(image *metadata.Image, now time.Time) {
	c.now = now
	last := c.image
	c.image = image
	for t := range image.Topics() {
		c.see(t)
	}
	if len(c.topics) > image.TopicCount() {
		for _, t := range sorted(c.topics) {
			if image.Topic(t.name) == nil {
				c.forget(t)
			}
		}
	}
	if last != nil {
		c.compareBrokers(last, image)
		c.compareConfigs(last, image)
	}
	c.nodes.dirty = true
	c.work()
}

// Tick lets what waits for a time happen.
func (c *Core) Tick(now time.Time) {
	c.now = now
	for _, p := range c.later {
		p.failures = 0
		c.touch(p)
	}
	c.later = nil
	c.rebalance()
	c.nodes.dirty = true
	c.work()
}

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

// touch has a partition decided.
func (c *Core) touch(p *partition) {
	if !p.dirty && !p.gone {
		p.dirty = true
		c.dirty = append(c.dirty, p)
	}
}

// touchTopic has a topic's node decided.
func (c *Core) touchTopic(t *topic) { c.dirtyTopics[t] = struct{}{} }

// work decides all that is dirty.
func (c *Core) work() {
	for len(c.dirtyTopics) > 0 || len(c.dirty) > 0 || c.nodes.dirty {
		if c.nodes.dirty {
			c.nodes.dirty = false
			c.updateNodes()
		}
		topics := slices.SortedFunc(maps.Keys(c.dirtyTopics), func(a, b *topic) int { return cmp.Compare(a.name, b.name) })
		clear(c.dirtyTopics)
		for _, t := range topics {
			c.decideTopic(t)
		}
		dirty := c.dirty
		c.dirty = nil
		slices.SortFunc(dirty, func(a, b *partition) int {
			return cmp.Or(cmp.Compare(a.topic.name, b.topic.name), cmp.Compare(a.number, b.number))
		})
		for _, p := range dirty {
			p.dirty = false
			c.decidePartition(p)
		}
	}
	c.endShutdowns()
}

// decidePartition makes a write for a partition, if it should have another state.
func (c *Core) decidePartition(p *partition) {
	if p.gone || p.busy || p.topic.needsDir || p.failures >= failuresAtOnce {
		return // decided again when the write under way is done, or with the next tick
	}
	if p.topic.deleting {
		c.refuseElections(p, kerror.UnknownTopicOrPartition)
		c.settled(p)
		return
	}
	v := c.viewOf(p)
	if s, changed := v.decide(); changed {
		c.writeState(p, s, nil)
		return
	}
	for len(p.elections) > 0 {
		e := p.elections[0]
		s, code := v.elected(e)
		if code == kerror.OK {
			c.writeState(p, s, &e)
			return
		}
		if code == kerror.ElectionNotNeeded && e.tried {
			code = kerror.OK
		}
		p.elections = p.elections[1:]
		c.resolve(e.ticket, e.index, code)
	}
	c.settled(p)
}

func (c *Core) viewOf(p *partition) *view {
	return &view{
		partition: p.Partition, unclean: c.unclean(p.topic.name), controller: c.cfg.Epoch,
		condition: func(r int32) condition { return c.conditionOf(p, r) },
	}
}

func (c *Core) conditionOf(p *partition, replica int32) condition {
	b := c.image.Broker(replica)
	if b == nil || b.IsOffline(p.topic.name, p.number) {
		return dead
	}
	// First: one that is leaving too must not keep an office of its former life.
	_, bounced := p.bounced[replica]
	if p.HasState() && (bounced || b.Epoch > int64(p.Modified)) {
		return restarted
	}
	if epoch, ok := c.leaving[replica]; ok && epoch == b.Epoch {
		return leaving
	}
	return fit
}

// sorted visits topics by name, so that the same input makes the same writes.
func sorted(topics map[string]*topic) []*topic {
	return slices.SortedFunc(maps.Values(topics), func(a, b *topic) int { return cmp.Compare(a.name, b.name) })
}
