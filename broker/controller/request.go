package controller

import (
	"slices"

	"holt/broker/kerror"
	"holt/broker/metadata"
)

// Ticket stands for a request until it is answered. 0 is none.
type Ticket int64

// Outcome is what a request came to for one partition.
type Outcome struct {
	metadata.TopicPartition
	Code kerror.Code
}

// Answer is what a request came to.
type Answer struct {
	Ticket    Ticket
	Code      kerror.Code // of the whole; Outcomes count only if OK
	Outcomes  []Outcome   // of elections and reassignments, in the order asked for
	Remaining []metadata.TopicPartition
}

// ticket is a request that some partitions have not settled.
type ticket struct {
	outcomes []Outcome
	left     int
	done     func() // of the controller's own requests, instead of an Answer
}

// Answers returns those that have become ready.
func (c *Core) Answers() []Answer {
	ready := c.answers
	c.answers = nil
	return ready
}

func (c *Core) issue(tps []metadata.TopicPartition) (Ticket, *ticket) {
	c.lastTicket++
	t := &ticket{outcomes: make([]Outcome, len(tps)), left: len(tps)}
	for i, tp := range tps {
		t.outcomes[i].TopicPartition = tp
	}
	c.tickets[c.lastTicket] = t
	return c.lastTicket, t
}

// resolve settles one partition of a request.
func (c *Core) resolve(id Ticket, index int, code kerror.Code) {
	t := c.tickets[id]
	if t == nil {
		return
	}
	t.outcomes[index].Code = code
	t.left--
	c.close(id, t)
}

// close ends a request that nothing is left of; one about no partitions is one.
func (c *Core) close(id Ticket, t *ticket) {
	if _, open := c.tickets[id]; !open || t.left > 0 {
		return
	}
	delete(c.tickets, id)
	if t.done != nil {
		t.done()
		return
	}
	c.answers = append(c.answers, Answer{Ticket: id, Outcomes: t.outcomes})
}

// Refuse answers all that is waiting, when the controller is one no more.
func (c *Core) Refuse() {
	for id, t := range c.tickets {
		if t.done == nil {
			c.answers = append(c.answers, Answer{Ticket: id, Code: kerror.NotController})
		}
	}
	for _, s := range c.shutdowns {
		c.answers = append(c.answers, Answer{Ticket: s.ticket, Code: kerror.NotController})
	}
	clear(c.tickets)
	c.shutdowns = nil
}

// Reassign begins reassignments, or ends those under way where Replicas is nil. The
// answer comes when they have begun. (Kafka: AlterPartitionReassignments)
func (c *Core) Reassign(wishes []metadata.Reassignment) Ticket {
	tps := make([]metadata.TopicPartition, len(wishes))
	for i, w := range wishes {
		tps[i] = metadata.TopicPartition{Topic: w.Topic, Partition: w.Partition}
	}
	id, t := c.issue(tps)
	for i, w := range wishes {
		c.wish(w, wish{w.Replicas, id, i})
	}
	c.close(id, t)
	c.work()
	return id
}

// wish notes a reassignment; a later one for the same partition replaces it.
func (c *Core) wish(r metadata.Reassignment, w wish) {
	t := c.topics[r.Topic]
	if code := c.judge(t, r.Partition, r.Replicas); code != kerror.OK {
		c.resolve(w.ticket, w.index, code)
		return
	}
	if former, ok := t.wishes[r.Partition]; ok {
		c.resolve(former.ticket, former.index, kerror.OK)
	}
	t.wishes[r.Partition] = w
	c.touchTopic(t)
}

// ElectionType is how a leader is chosen on request.
type ElectionType int8

// Kafka's election types.
const (
	Preferred ElectionType = 0
	Unclean   ElectionType = 1
)

// election is one that was asked for.
type election struct {
	kind   ElectionType
	ticket Ticket
	index  int
	tried  bool // a write for it may have been made
}

// Elect has leaders elected; of all partitions that need it if tps is nil. (Kafka:
// ElectLeaders)
func (c *Core) Elect(kind ElectionType, tps []metadata.TopicPartition) Ticket {
	if tps == nil {
		tps = c.needing(kind)
	}
	id, t := c.issue(tps)
	c.elect(kind, id, tps)
	c.close(id, t)
	c.work()
	return id
}

func (c *Core) elect(kind ElectionType, id Ticket, tps []metadata.TopicPartition) {
	for i, tp := range tps {
		p := c.partition(tp)
		if p == nil || p.topic.deleting {
			c.resolve(id, i, kerror.UnknownTopicOrPartition)
			continue
		}
		p.elections = append(p.elections, election{kind: kind, ticket: id, index: i})
		c.touch(p)
	}
}

func (c *Core) partition(tp metadata.TopicPartition) *partition {
	t := c.topics[tp.Topic]
	if t == nil || tp.Partition < 0 || int(tp.Partition) >= len(t.partitions) {
		return nil
	}
	return t.partitions[tp.Partition]
}

// needing are the partitions that an election of a kind would do something for.
func (c *Core) needing(kind ElectionType) []metadata.TopicPartition {
	tps := []metadata.TopicPartition{}
	for _, t := range sorted(c.topics) {
		for _, p := range t.partitions {
			if t.deleting || !p.HasState() {
				continue
			}
			if kind == Unclean && p.Leader == metadata.NoLeader || kind == Preferred && len(p.Replicas) > 0 && p.Leader != p.Replicas[0] {
				tps = append(tps, p.name())
			}
		}
	}
	return tps
}

func (p *partition) name() metadata.TopicPartition {
	return metadata.TopicPartition{Topic: p.topic.name, Partition: p.number}
}

// elected is the state after an election that was asked for, or why there is none.
func (v *view) elected(e election) (metadata.PartitionState, kerror.Code) {
	p := &v.partition
	if !p.HasState() {
		return metadata.PartitionState{}, kerror.EligibleLeadersNotAvailable
	}
	if e.kind == Unclean {
		if p.Leader != metadata.NoLeader {
			return metadata.PartitionState{}, kerror.ElectionNotNeeded
		}
		if s, _, ok := v.electUnclean(); ok {
			return s, kerror.OK
		}
		return metadata.PartitionState{}, kerror.EligibleLeadersNotAvailable
	}
	if len(p.Replicas) > 0 && p.Leader == p.Replicas[0] {
		return metadata.PartitionState{}, kerror.ElectionNotNeeded
	}
	if s, ok := v.preferred(); ok {
		return s, kerror.OK
	}
	return metadata.PartitionState{}, kerror.PreferredLeaderNotAvailable
}

// electionDone settles an election whose write was made.
func (c *Core) electionDone(p *partition, e election, code kerror.Code) {
	p.elections = slices.DeleteFunc(p.elections, func(o election) bool { return o.ticket == e.ticket && o.index == e.index })
	c.resolve(e.ticket, e.index, code)
}

func (c *Core) refuseElections(p *partition, code kerror.Code) {
	for _, e := range p.elections {
		c.resolve(e.ticket, e.index, code)
	}
	p.elections = nil
}

// shutdown is a broker's request to be relieved.
type shutdown struct {
	broker  int32
	epoch   int64
	ticket  Ticket
	waiting map[*partition]struct{} // not settled since
}

// Shutdown moves leaderships away from a broker that is about to stop, and takes it
// out of ISRs. The answer comes when that is done as far as it can be; Remaining are
// the partitions it still leads though others have replicas. (Kafka: ControlledShutdown)
func (c *Core) Shutdown(broker int32, epoch int64) Ticket {
	c.lastTicket++
	id := c.lastTicket
	b := c.image.Broker(broker)
	switch {
	case b == nil:
		c.answers = append(c.answers, Answer{Ticket: id, Code: kerror.BrokerIDNotRegistered})
		return id
	case epoch != b.Epoch && epoch != -1:
		c.answers = append(c.answers, Answer{Ticket: id, Code: kerror.StaleBrokerEpoch})
		return id
	}
	c.leaving[broker] = b.Epoch
	s := &shutdown{broker: broker, epoch: b.Epoch, ticket: id, waiting: map[*partition]struct{}{}}
	for _, t := range c.topics {
		for _, p := range t.partitions {
			if slices.Contains(p.Replicas, broker) {
				s.waiting[p] = struct{}{}
				c.touch(p)
			}
		}
	}
	c.shutdowns = append(c.shutdowns, s)
	c.work()
	return id
}

// settled tells shutdowns that nothing more is to be written about a partition.
func (c *Core) settled(p *partition) {
	for _, s := range c.shutdowns {
		delete(s.waiting, p)
	}
}

// endShutdowns answers those for which all is done, and those whose broker is gone.
func (c *Core) endShutdowns() {
	c.shutdowns = slices.DeleteFunc(c.shutdowns, func(s *shutdown) bool {
		b := c.image.Broker(s.broker)
		if b == nil || b.Epoch != s.epoch {
			c.answers = append(c.answers, Answer{Ticket: s.ticket, Code: kerror.StaleBrokerEpoch})
			return true
		}
		if len(s.waiting) > 0 {
			return false
		}
		c.answers = append(c.answers, Answer{Ticket: s.ticket, Remaining: c.ledBy(s.broker)})
		return true
	})
}

func (c *Core) ledBy(broker int32) []metadata.TopicPartition {
	var tps []metadata.TopicPartition
	for _, t := range sorted(c.topics) {
		for _, p := range t.partitions {
			if p.Leader == broker && len(p.Replicas) > 1 {
				tps = append(tps, p.name())
			}
		}
	}
	return tps
}

// rebalance elects preferred leaders where too many of those that prefer a broker
// are led by others.
func (c *Core) rebalance() {
	if !c.cfg.Rebalance || c.now.Before(c.nextBalance) {
		return
	}
	c.nextBalance = c.now.Add(c.cfg.RebalanceEvery)
	preferring, elsewhere := map[int32]int{}, map[int32][]metadata.TopicPartition{}
	for _, t := range sorted(c.topics) {
		for _, p := range t.partitions {
			if t.deleting || !p.HasState() || len(p.Replicas) == 0 {
				continue
			}
			first := p.Replicas[0]
			preferring[first]++
			if p.Leader != first {
				elsewhere[first] = append(elsewhere[first], p.name())
			}
		}
	}
	for _, b := range c.image.Brokers() {
		away := elsewhere[b.ID]
		if len(away)*100 <= c.cfg.RebalancePercent*preferring[b.ID] {
			continue
		}
		movable := slices.DeleteFunc(away, func(tp metadata.TopicPartition) bool {
			p := c.partition(tp)
			_, ok := c.viewOf(p).preferred()
			return !ok || p.Reassigning() || len(p.elections) > 0
		})
		id, t := c.issue(movable)
		t.done = func() {}
		c.elect(Preferred, id, movable)
		c.close(id, t)
	}
}
