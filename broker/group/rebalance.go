package group

import (
	"slices"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// maybePrepareRebalance begins a rebalance unless one is being prepared.
func (c *core) maybePrepareRebalance(now journal.Instant, g *group) {
	if g.state == Empty || g.state == CompletingRebalance || g.state == Stable {
		c.prepareRebalance(now, g)
	}
}

// prepareRebalance begins a rebalance: members hear of it by their next request and join again.
func (c *core) prepareRebalance(now journal.Instant, g *group) {
	if g.state == CompletingRebalance {
		for _, m := range g.members {
			m.assignment = nil
			if m.syncing() {
				c.answerSync(m, syncError(m.sync.version, kerror.RebalanceInProgress))
				c.beat(now, m)
			}
		}
	}
	c.timers.stop(&g.syncTimer)
	g.forgetSyncs()
	wasEmpty := g.state == Empty
	g.setState(PreparingRebalance, now.Unix)
	g.initial, g.newcomers = wasEmpty, false
	if wasEmpty {
		g.delay = c.c.InitialRebalanceDelay
		g.delayLeft = max(g.rebalanceTimeout()-g.delay, 0)
		if g.delay == 0 {
			c.completeJoin(now, g)
			return
		}
		c.timers.set(&g.rebalanceTimer, now.Up+g.delay)
		return
	}
	c.timers.set(&g.rebalanceTimer, now.Up+g.rebalanceTimeout())
	c.maybeCompleteJoin(now, g)
}

// maybeCompleteJoin begins the generation if nobody is missing. An initial delay is waited for: it
// is there for those who are not known yet.
func (c *core) maybeCompleteJoin(now journal.Instant, g *group) {
	if g.state == PreparingRebalance && !g.initial && g.allJoined() {
		c.completeJoin(now, g)
	}
}

// rebalanceDue ends the wait for members; an initial delay is put off while newcomers come.
func (c *core) rebalanceDue(now journal.Instant, g *group) {
	if g.state != PreparingRebalance {
		return
	}
	if g.initial && g.newcomers && g.delayLeft > 0 {
		g.newcomers = false
		past := g.delay
		g.delay = min(c.c.InitialRebalanceDelay, g.delayLeft)
		g.delayLeft = max(g.delayLeft-past, 0)
		c.timers.set(&g.rebalanceTimer, now.Up+g.delay)
		return
	}
	c.completeJoin(now, g)
}

// completeJoin begins a generation with those who joined. Dynamic members that did not are out;
// static ones may come back until their session ends. (Kafka: onCompleteJoin)
func (c *core) completeJoin(now journal.Instant, g *group) {
	for _, m := range slices.Clone(g.members) {
		if !m.joining() && m.instance == nil {
			c.drop(g, m, kerror.UnknownMemberID)
		}
	}
	if g.leader != nil && !g.leader.joining() {
		first := slices.IndexFunc(g.members, (*member).joining)
		if first < 0 {
			// Nobody came, and static members are not over yet: wait for one of them, or for
			// their sessions to end.
			g.initial = false
			c.timers.set(&g.rebalanceTimer, now.Up+g.rebalanceTimeout())
			return
		}
		g.leader = g.members[first]
	}
	c.timers.stop(&g.rebalanceTimer)
	g.initial, g.newcomers = false, false
	g.nextGeneration(now.Unix)
	if g.state == Empty {
		// Nobody waits for this record, and if it is not written an earlier generation comes back
		// without living members, which is no harm.
		c.storeGroup(now, g, nil, nil)
		return
	}
	for _, m := range g.members {
		m.isNew = false
		if !m.joining() {
			continue
		}
		m.awaitsSync = true
		g.unsynced++
		c.answerJoin(g, m, g.joinResponse(m, m.join.version))
		c.beat(now, m)
	}
	c.timers.set(&g.syncTimer, now.Up+g.rebalanceTimeout())
}

// syncExpired removes members that joined and did not ask for their assignment since.
// (Kafka: onExpirePendingSync)
func (c *core) syncExpired(now journal.Instant, g *group) {
	if g.state != CompletingRebalance && g.state != Stable || g.unsynced == 0 {
		return
	}
	for _, m := range slices.Clone(g.members) {
		if m.awaitsSync {
			c.drop(g, m, kerror.UnknownMemberID)
		}
	}
	c.prepareRebalance(now, g)
}

// sessionExpired removes a member that was silent for too long.
func (c *core) sessionExpired(now journal.Instant, g *group, m *member) {
	if m.waiting() { // the coordinator is the silent one
		c.beat(now, m)
		return
	}
	c.removeMember(now, g, m)
}

// removeMember takes a member out, for which the others rebalance.
func (c *core) removeMember(now journal.Instant, g *group, m *member) {
	c.drop(g, m, kerror.UnknownMemberID)
	c.maybeCompleteJoin(now, g)
	if g.state == Stable || g.state == CompletingRebalance {
		c.prepareRebalance(now, g)
	}
}

// drop takes a member out and answers what it waits for.
func (c *core) drop(g *group, m *member, code kerror.Code) {
	c.answerJoin(g, m, joinError(m.join.version, "", code))
	c.answerSync(m, syncError(m.sync.version, code))
	c.timers.stop(&m.timer)
	g.remove(m)
}

// beat starts a member's session anew.
func (c *core) beat(now journal.Instant, m *member) {
	c.timers.set(&m.timer, now.Up+millis(m.sessionMillis))
}
