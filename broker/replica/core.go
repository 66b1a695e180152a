package replica

import (
	"slices"
	"time"

	"holt/broker/kerror"
)

// unknownOffset stands for the log end of a follower that has not fetched since
// this leader came.
const unknownOffset int64 = -1

// follower is what a leader knows of one other replica.
type follower struct {
	id          int32
	brokerEpoch int64 // of the life that fetched last, or that the image has; -1 not known
	leo         int64 // the offset it asked for last: all before it is in its log; unknownOffset
	logStart    int64 // its log's start, for the low watermark
	fetchedAt   instant
	leaderLEO   int64   // the leader's log end when it fetched last
	caughtUp    instant // the last time at which it is known to have had all that the leader had
	fenced      bool    // its broker is gone, or lives again and has not fetched yet in this life
	gone        bool    // that life has ended: fetches of it that are late mean nothing
	// memberEpoch is the life of its broker that the ISR has it for. In a later life
	// it may have lost what made it a member, and has to qualify anew.
	memberEpoch int64
	// expelled: somebody took it out of the ISR, who may know more of its broker; what it
	// fetched before does not bring it back.
	expelled bool
}

// core is what the leader of one partition decides: who is in sync, and up to
// where records are committed. It does no IO, holds no lock and knows no clock.
//
// Two rules keep what was acknowledged from being lost, whatever is late:
//
//   - A replica counts for the high watermark as long as anybody could elect it:
//     it belongs to the ISR that the tree has confirmed, or to the one proposed
//     (the maximal ISR). So while the tree has not confirmed a shrink, the
//     replica that is to leave still holds the high watermark back, and while it
//     has not confirmed an expansion, the one that is to join already does.
//   - The high watermark never goes back.
type core struct {
	self       int32
	epoch      int32   // the leader epoch that the tree gave
	epochStart int64   // the log's end when this leader came
	version    int32   // of the partition's state in the tree that isr is from
	isr        []int32 // as the tree has confirmed it, self included
	recovering bool    // elected uncleanly, and not confirmed as recovered yet
	pending    *change // at most one
	replicas   []int32 // assigned
	followers  []follower
	leo        int64 // the log's end
	durable    int64 // how much of the own log counts; leo, or what was flushed
	hw         int64
	minISR     int // as configured; see effectiveMinISR
	lagMax     time.Duration
}

// leadership is what makes a replica the leader: the state in the tree, and what
// its own log has.
type leadership struct {
	Self         int32
	Epoch        int32
	Version      int32
	ISR          []int32
	Replicas     []int32
	Recovering   bool
	LEO, Durable int64
	HW           int64
	MinISR       int
	LagMax       time.Duration
	Lives        lives
}

// lives tells the life that a broker is in: its epoch by the image, -1 if it is not
// alive.
type lives func(broker int32) (epoch int64)

// newCore begins the leadership l at time now. Followers in the ISR have until
// now+LagMax to show up; of nobody's log the end is known yet, so that the high
// watermark does not move before each member of the ISR has fetched.
func newCore(now instant, l leadership) *core {
	c := &core{
		self: l.Self, epoch: l.Epoch, epochStart: l.LEO, version: l.Version,
		isr: slices.Clone(l.ISR), recovering: l.Recovering, leo: l.LEO, durable: l.Durable, hw: l.HW,
		minISR: l.MinISR, lagMax: l.LagMax,
	}
	c.assign(now, l.Replicas)
	for i := range c.followers {
		f := &c.followers[i]
		f.brokerEpoch = l.Lives(f.id)
		f.fenced = f.brokerEpoch < 0
		f.memberEpoch = f.brokerEpoch
	}
	c.advance(now)
	return c
}

// assign makes replicas the assigned ones; what is known of those that stay is
// kept.
func (c *core) assign(now instant, replicas []int32) {
	old := c.followers
	c.replicas = slices.Clone(replicas)
	c.followers = make([]follower, 0, len(replicas))
	for _, id := range replicas {
		if id == c.self {
			continue
		}
		if i := slices.IndexFunc(old, func(f follower) bool { return f.id == id }); i >= 0 {
			c.followers = append(c.followers, old[i])
			continue
		}
		f := follower{id: id, brokerEpoch: -1, leo: unknownOffset, logStart: unknownOffset,
			fetchedAt: never, leaderLEO: unknownOffset, caughtUp: never, memberEpoch: -1}
		if slices.Contains(c.isr, id) {
			f.caughtUp = now
		}
		c.followers = append(c.followers, f)
	}
}

func (c *core) follower(id int32) *follower {
	for i := range c.followers {
		if c.followers[i].id == id {
			return &c.followers[i]
		}
	}
	return nil
}

// updated takes what the tree has for the same leader epoch: a change of the
// ISR, by this leader or by the controller, or of the assignment. Older versions
// are ignored. It reports whether the high watermark moved.
func (c *core) updated(now instant, version int32, isr, replicas []int32, recovering bool) (moved bool) {
	if version >= c.version {
		if version > c.version {
			// What was proposed was for the version before: it is this very change,
			// or it will be refused.
			if p := c.pending; p != nil && p.version < version {
				if version == p.version+1 && slices.Equal(isr, p.isr) {
					c.join(p)
				}
				c.pending = nil
			}
			c.expel(isr)
			c.version, c.isr, c.recovering = version, slices.Clone(isr), recovering
		}
		if !slices.Equal(replicas, c.replicas) {
			c.assign(now, replicas)
		}
	}
	return c.advance(now)
}

// appended says that the log ends at leo now, and how much of it counts for the
// high watermark. It reports whether the high watermark moved.
func (c *core) appended(now instant, leo, durable int64) (moved bool) {
	c.leo = max(c.leo, leo)
	c.durable = max(c.durable, durable)
	return c.advance(now)
}

// fetched is what a follower's fetch says of its log.
type fetched struct {
	From        int32
	BrokerEpoch int64 // -1: the request has none
	Offset      int64 // all before it is in the follower's log, and flushed if it must be
	LogStart    int64
}

// fetched records a follower's fetch. It reports whether the high watermark
// moved, and kerror.NotLeaderOrFollower for a fetch from an earlier life of the
// broker, kerror.UnknownLeaderEpoch for one that is not assigned here (the
// assignment may not have arrived yet).
func (c *core) fetched(now instant, q fetched) (moved bool, code kerror.Code) {
	f := c.follower(q.From)
	if f == nil {
		return false, kerror.UnknownLeaderEpoch
	}
	if q.BrokerEpoch >= 0 && q.BrokerEpoch < f.brokerEpoch {
		return false, kerror.NotLeaderOrFollower
	}
	if q.BrokerEpoch > f.brokerEpoch && f.brokerEpoch >= 0 {
		// A new life: what it had in the old one says nothing.
		f.caughtUp, f.leaderLEO = never, unknownOffset
	}
	if q.BrokerEpoch >= 0 {
		f.gone = f.gone && q.BrokerEpoch == f.brokerEpoch
		f.brokerEpoch, f.fenced = q.BrokerEpoch, f.gone
	}
	switch {
	case q.Offset >= c.leo:
		f.caughtUp = now
	case f.leaderLEO != unknownOffset && q.Offset >= f.leaderLEO:
		f.caughtUp = max(f.caughtUp, f.fetchedAt)
	}
	f.leo, f.logStart, f.fetchedAt, f.leaderLEO, f.expelled = q.Offset, q.LogStart, now, c.leo, false
	return c.advance(now), kerror.OK
}

// broker says what the image has of another broker: alive with that epoch, or
// gone (epoch -1). A follower that lives again is fenced until it fetches in its
// new life: what it acknowledged before it may have lost.
func (c *core) broker(id int32, epoch int64) {
	f := c.follower(id)
	if f == nil {
		return
	}
	f.gone = epoch < 0
	switch {
	case f.gone:
		f.fenced = true
	case f.brokerEpoch < epoch:
		if f.brokerEpoch >= 0 {
			f.leo, f.caughtUp, f.leaderLEO = unknownOffset, never, unknownOffset
		}
		f.brokerEpoch, f.fenced = epoch, true
	}
}

// voided says that a follower's broker had restarted already when the state was
// written that made this replica the leader, as far as the ISR was taken over from
// before: it is no member before it has qualified again.
func (c *core) voided(id int32) {
	if f := c.follower(id); f != nil {
		f.memberEpoch = -1
	}
}
