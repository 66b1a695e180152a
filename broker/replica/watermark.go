package replica

import (
	"slices"

	"holt/broker/kerror"
)

// counts reports whether the replica holds the high watermark back: it is in the
// maximal ISR, or it keeps up and may join, so that a busy leader alone in its ISR
// does not run away from it.
func (c *core) counts(now instant, f *follower) bool {
	if slices.Contains(c.isr, f.id) || c.pending != nil && slices.Contains(c.pending.isr, f.id) {
		return true
	}
	return !f.fenced && f.leo != unknownOffset && f.leo >= c.epochStart && now.sub(f.caughtUp) <= c.lagMax
}

// advance moves the high watermark to the least log end of those that count. It
// stands still while the ISR is smaller than it must be (KIP-966).
func (c *core) advance(now instant) (moved bool) {
	if len(c.isr) < c.effectiveMinISR() {
		return false
	}
	hw := c.durable
	for i := range c.followers {
		f := &c.followers[i]
		if f.leo < hw && c.counts(now, f) {
			hw = f.leo
		}
	}
	if hw <= c.hw {
		return false
	}
	c.hw = hw
	return true
}

// effectiveMinISR is min.insync.replicas, but no more than there are replicas:
// otherwise a topic with fewer could never be written.
func (c *core) effectiveMinISR() int { return max(1, min(c.minISR, len(c.replicas))) }

// admits returns NotEnoughReplicas if a produce with acks=all must not be
// appended now.
func (c *core) admits() kerror.Code {
	if len(c.isr) < c.effectiveMinISR() {
		return kerror.NotEnoughReplicas
	}
	return kerror.OK
}

// acknowledges returns the answer to a produce with acks=all that the high
// watermark has passed.
func (c *core) acknowledges() kerror.Code {
	n := len(c.isr)
	if c.pending != nil {
		for _, id := range c.pending.isr {
			if !slices.Contains(c.isr, id) {
				n++
			}
		}
	}
	if n < c.effectiveMinISR() {
		return kerror.NotEnoughReplicasAfterAppend
	}
	return kerror.OK
}

// settledIn reports whether the high watermark has reached the beginning of this
// leader's epoch. Before, it may lie below what the leader before showed to
// consumers.
func (c *core) settledIn() bool { return c.hw >= c.epochStart }

// lowWatermark is the least log start of the leader and of the live followers:
// what is below has been deleted everywhere. own is the leader's log start.
func (c *core) lowWatermark(own int64, alive func(int32) bool) int64 {
	low := own
	for i := range c.followers {
		if f := &c.followers[i]; alive(f.id) {
			low = min(low, f.logStart)
		}
	}
	return low
}
