package controller

import (
	"cmp"
	"maps"
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

	// RackAware is that consumers may read from followers (Kafka: replica.selector.class), who have
	// to be told when one is gone: see view.shrink.
	RackAware bool

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
		partition: p.Partition, unclean: c.unclean(p.topic.name), controller: c.cfg.Epoch, read: c.cfg.RackAware && !internal(p.topic.name),
		condition: func(r int32) condition { return c.conditionOf(p, r) },
	}
}

// internal tells the topics that brokers read themselves, where they lead.
func internal(topic string) bool {
	return topic == "__consumer_offsets" || topic == "__transaction_state"
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
