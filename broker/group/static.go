package group

import (
	"holt/broker/journal"
	"holt/broker/kerror"
)

// replaceStatic lets a static member that came back take its own place under a new id. In a stable
// group with nothing else changed nobody else hears of it, once it is in the log.
// (Kafka: updateStaticMemberAndRebalance)
func (c *core) replaceStatic(j *joining, g *group, m *member, id string) {
	if m.joining() {
		c.answerJoin(g, m, joinError(m.join.version, m.id, kerror.FencedInstanceID))
	}
	if m.syncing() {
		c.answerSync(m, syncError(m.sync.version, kerror.FencedInstanceID))
	}
	before := *m
	leader := g.leader.id
	g.replace(m, id)
	c.update(j, g, m)
	c.beat(j.now, m)
	switch {
	case g.state == Stable && g.protocol == g.vote():
		s := &swap{g: g, m: m, waiter: j.waiter, before: before, leader: leader, generation: g.generation}
		c.storeGroup(j.now, g, func(m *member) []byte { return m.assignment },
			func(now journal.Instant, code kerror.Code) { c.swapped(now, s, code) })
	case g.state == Stable, g.state == CompletingRebalance:
		// The leader may have been told the old id and would assign to it.
		c.prepareRebalance(j.now, g)
	}
}

// swap is a static member's new id on its way into the log.
type swap struct {
	g          *group
	m          *member
	waiter     joinWaiter
	before     member // as it was
	leader     string // who led the group when the member came back
	generation int32
}

func (c *core) swapped(now journal.Instant, s *swap, code kerror.Code) {
	g, m := s.g, s.m
	switch {
	case !m.joining() || m.join.seq != s.waiter.seq:
		return // answered by a generation that began meanwhile, fenced by yet another one, or gone
	case code != kerror.OK:
		c.revert(now, s)
		resp := joinError(s.waiter.version, "", code)
		c.answerJoin(g, m, resp)
		c.maybeCompleteJoin(now, g)
		return
	case g.state != Stable || g.generation != s.generation:
		return // a rebalance has begun, for which it has joined
	}
	resp := g.joinResponse(m, s.waiter.version)
	if s.waiter.version >= 9 {
		resp.SkipAssignment = g.leader == m
	} else {
		// It must not take itself for the leader, since nobody would hear of what it assigns: so the
		// answer names the leader's old id.
		resp.LeaderID, resp.Members = s.leader, nil
	}
	c.answerJoin(g, m, resp)
	c.beat(now, m)
}

// revert gives a member the id and the description that it had before a swap which failed.
func (c *core) revert(now journal.Instant, s *swap) {
	g, m, b := s.g, s.m, &s.before
	g.replace(m, b.id)
	g.support(m.protocols, -1)
	g.bytes -= m.bytes
	m.protocols, m.bytes, m.client = b.protocols, b.bytes, b.client
	m.sessionMillis, m.rebalanceMillis = b.sessionMillis, b.rebalanceMillis
	g.bytes += m.bytes
	g.support(m.protocols, 1)
	c.beat(now, m)
}
