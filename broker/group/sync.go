package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// sync serves SyncGroup. (Kafka: doSyncGroup)
func (c *core) sync(now journal.Instant, req *kmsg.SyncGroupRequest, reply func(*kmsg.SyncGroupResponse)) {
	g := c.lookup(req.Group)
	m, code := checkSync(g, req)
	if code != kerror.OK {
		resp := syncError(req.Version, code)
		c.out.Do(func() { reply(resp) })
		return
	}
	g.synced(m)
	if g.unsynced == 0 {
		c.timers.stop(&g.syncTimer)
	}
	if g.state == Stable {
		resp := g.syncResponse(m, req.Version)
		c.out.Do(func() { reply(resp) })
		c.beat(now, m)
		return
	}
	c.answerSync(m, syncError(m.sync.version, kerror.RebalanceInProgress))
	m.sync = syncWaiter{reply: reply, version: req.Version}
	if g.leader == m && !g.storing {
		c.storeAssignment(now, g, req)
	}
}

func checkSync(g *group, req *kmsg.SyncGroupRequest) (*member, kerror.Code) {
	switch {
	case g == nil:
		return nil, kerror.UnknownMemberID
	case g.state == Dead:
		return nil, kerror.CoordinatorNotAvailable
	}
	m, code := g.check(req.MemberID, req.InstanceID)
	switch {
	case code != kerror.OK:
		return nil, code
	case req.Generation != g.generation:
		return nil, kerror.IllegalGeneration
	case req.ProtocolType != nil && *req.ProtocolType != g.protocolType,
		req.Protocol != nil && *req.Protocol != g.protocol:
		return nil, kerror.InconsistentGroupProtocol
	case g.state == PreparingRebalance:
		return nil, kerror.RebalanceInProgress
	}
	return m, kerror.OK
}

// storeAssignment appends what the leader assigned, and tells the members once the log has it. Only
// the generation's first assignment counts: the log must not say another than the members heard.
func (c *core) storeAssignment(now journal.Instant, g *group, req *kmsg.SyncGroupRequest) {
	assigned := make(map[*member][]byte, len(g.members))
	for i := range req.GroupAssignment {
		a := &req.GroupAssignment[i]
		if m := g.byID[a.MemberID]; m != nil {
			assigned[m] = slices.Clone(a.MemberAssignment)
		}
	}
	g.storing = true
	generation := g.generation
	c.storeGroup(now, g, func(m *member) []byte { return assigned[m] }, func(now journal.Instant, code kerror.Code) {
		// Somebody may have joined or left meanwhile: then this assignment is of the past.
		if g.state == CompletingRebalance && g.generation == generation {
			g.storing = false
			c.assigned(now, g, assigned, code)
		}
	})
}

// assigned tells the members that wait what they were assigned, or that it could not be stored.
func (c *core) assigned(now journal.Instant, g *group, assigned map[*member][]byte, code kerror.Code) {
	if code != kerror.OK {
		for _, m := range g.members {
			m.assignment = nil
			if m.syncing() {
				c.answerSync(m, syncError(m.sync.version, code))
				c.beat(now, m)
			}
		}
		c.prepareRebalance(now, g)
		return
	}
	g.setState(Stable, now.Unix)
	for _, m := range g.members {
		m.assignment = assigned[m]
		if m.syncing() {
			c.answerSync(m, g.syncResponse(m, m.sync.version))
			c.beat(now, m)
		}
	}
}
