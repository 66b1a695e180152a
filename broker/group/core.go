package group

import (
	"time"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/record"
)

// core is the groups of one partition of __consumer_offsets; a journal.Core.
type core struct {
	c      Config
	out    *journal.Outbox
	groups map[string]*group
	// producers are the groups with pending offsets of a producer's transaction.
	producers map[int64]map[*group]struct{}
	timers    timers
	retention timer
	builder   record.Builder
	seq       uint64  // number of the last JoinGroup
	replay    *replay // until Loaded
	key, val  []byte  // a record being built
}

func newCore(c Config, out *journal.Outbox) *core {
	return &core{
		c: c, out: out, groups: make(map[string]*group), producers: make(map[int64]map[*group]struct{}),
		retention: timer{index: -1}, replay: newReplay(),
	}
}

// SetEpoch changes nothing: records carry no epoch of the coordinator.
func (c *core) SetEpoch(int32) {}

// Next returns when the first timer is due, or fires to look again.
func (c *core) Next() time.Duration { return c.timers.next() }

// Tick does what has become due.
func (c *core) Tick(now journal.Instant) {
	for t := c.timers.pop(now.Up); t != nil; t = c.timers.pop(now.Up) {
		switch {
		case t == &c.retention:
			c.expireOffsets(now)
		case t.member != nil:
			c.sessionExpired(now, t.group, t.member)
		case t.pending != "":
			c.pendingExpired(now, t.group, t.pending)
		case t == &t.group.rebalanceTimer:
			c.rebalanceDue(now, t.group)
		case t == &t.group.syncTimer:
			c.syncExpired(now, t.group)
		}
	}
}

// Unload answers whoever waits in a group. Commits and deletions wait for their writes only.
func (c *core) Unload() {
	for _, g := range c.groups {
		g.state = Dead
		for _, m := range g.members {
			c.answerJoin(g, m, joinError(m.join.version, m.id, kerror.NotCoordinator))
			c.answerSync(m, syncError(m.sync.version, kerror.NotCoordinator))
		}
	}
}

// lookup returns a group, or nil.
func (c *core) lookup(name string) *group { return c.groups[name] }

// create makes an empty group of the name, or returns nil when there are too many.
func (c *core) create(now journal.Instant, name string) *group {
	if len(c.groups) >= c.c.GroupsMax {
		return nil
	}
	g := newGroup(name, now.Unix)
	c.groups[g.name] = g
	return g
}

// forget removes a group that nothing in the log speaks of, once nothing in memory does either.
func (c *core) forgetIfUnused(g *group) {
	if g.state == Empty && g.generation == 0 && len(g.offsets) == 0 && len(g.pending) == 0 && len(g.txns) == 0 {
		g.state = Dead
		delete(c.groups, g.name)
	}
}
