package group

import (
	"maps"
	"slices"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// expireOffsets deletes what nobody asked for in OffsetsRetention, and groups of which nothing is
// left. Nobody waits for it: what is not written is tried again at the next check.
func (c *core) expireOffsets(now journal.Instant) {
	c.timers.set(&c.retention, now.Up+c.c.RetentionCheck)
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		g := c.groups[name]
		if g.state == Dead {
			continue
		}
		tps := g.expired(now.Unix, c.c.OffsetsRetention.Milliseconds())
		if g.state == Empty && len(tps) == len(g.offsets) && len(g.pending) == 0 && len(g.txns) == 0 {
			c.bury(now, g, func(kerror.Code) {})
		} else if len(tps) > 0 {
			c.removeOffsets(now, g, tps, func(kerror.Code) {})
		}
	}
}

// expired returns the partitions whose offset has expired. (Kafka: removeExpiredOffsets, KIP-211)
//
//	group                    counts from
//	empty                    when it became so; the commit if that is not known
//	stable, of consumers     the commit, for topics that no member reads
//	simple                   the commit
//	others                   nothing expires
//
// An offset with an expiry of its own keeps to that.
func (g *group) expired(now, retention int64) []topicPartition {
	var tps []topicPartition
	for tp, o := range g.offsets {
		if !o.exists || o.unstable() {
			continue
		}
		base, expires := o.commitTime, true
		switch {
		case g.protocolType == "":
		case g.state == Empty:
			if g.stateSince >= 0 {
				base = g.stateSince
			}
		default:
			expires = g.state == Stable && !g.isSubscribed(tp.topic)
		}
		expiry := base + retention
		if o.expireTime >= 0 {
			expiry = o.expireTime
		}
		if expires && now >= expiry {
			tps = append(tps, tp)
		}
	}
	return tps
}
