package replica

import (
	"slices"
)

// change is an ISR change that was handed to the tree and not answered yet.
type change struct {
	isr     []int32
	epochs  []int64 // the life in which each member qualified
	version int32   // of the state that it is to replace
}

// expel marks those that are in the ISR and not in the next one.
func (c *core) expel(next []int32) {
	for i := range c.followers {
		f := &c.followers[i]
		f.expelled = f.expelled || slices.Contains(c.isr, f.id) && !slices.Contains(next, f.id)
	}
}

// inSync reports whether f kept up: it has all that the leader has, or had all of
// it no longer than lagMax ago.
func (c *core) inSync(now instant, f *follower) bool {
	return f.leo >= c.leo && !f.fenced || now.sub(f.caughtUp) <= c.lagMax
}

// mayJoin reports whether f can be in the ISR in the life that its broker is in:
// it has everything committed and all that came before this leader's epoch, and
// has fetched in this life, and since it was expelled.
func (c *core) mayJoin(f *follower, life int64) bool {
	return life >= 0 && f.brokerEpoch == life && !f.fenced && !f.expelled && f.leo != unknownOffset && f.leo >= c.hw && f.leo >= c.epochStart
}

// propose returns the ISR that the tree should be asked to store, if it differs
// from the confirmed one and nothing is in flight; the change is in flight then.
// shrink says whether those that lag are looked for: a scan does that, a fetch only
// looks for who may join. A change may add and remove at once, and it takes back
// members that restarted and have not qualified since: written by their leader,
// the state would say that they did.
//
// The caller sends the change to the tree until there is an answer: [core.confirmed]
// ends it, and a newer version by [core.updated]. If the tree refuses it since its
// version is not the newest, nothing is to be done: until the newer version comes
// the members of either ISR hold the high watermark back. A change whose answer is
// lost may be sent again, for its version can be replaced only once.
func (c *core) propose(now instant, brokers lives, shrink bool) (*change, bool) {
	if c.pending != nil {
		return nil, false
	}
	ch := &change{version: c.version}
	for _, id := range c.replicas {
		f, life := c.follower(id), brokers(id)
		switch {
		case f == nil:
		case !slices.Contains(c.isr, id), life >= 0 && life != f.memberEpoch:
			if !c.mayJoin(f, life) {
				continue
			}
		case shrink && !c.inSync(now, f):
			continue
		}
		ch.isr, ch.epochs = append(ch.isr, id), append(ch.epochs, life)
	}
	if !slices.Contains(c.replicas, c.self) { // a reassignment ends by taking the leader away
		ch.isr, ch.epochs = append(ch.isr, c.self), append(ch.epochs, brokers(c.self))
	}
	if sameMembers(ch.isr, c.isr) && !c.recovering {
		return nil, false
	}
	c.pending = ch
	return ch, true
}

// confirmed says that the tree has stored the change, as the given version. It
// reports whether the high watermark moved. A change that is not the one in
// flight (the leader was elected anew meanwhile) is ignored.
func (c *core) confirmed(now instant, ch *change, version int32) (moved bool) {
	if c.pending == ch {
		c.pending = nil
		if version > c.version {
			c.version, c.isr, c.recovering = version, ch.isr, false
			c.join(ch)
		}
	}
	return c.advance(now)
}

// join notes the lives in which the members of a stored change qualified.
func (c *core) join(ch *change) {
	for i, id := range ch.isr {
		if f := c.follower(id); f != nil && ch.epochs[i] >= 0 {
			f.memberEpoch = ch.epochs[i]
		}
	}
}

// sameMembers reports whether a and b have the same members, in any order.
func sameMembers(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for _, id := range a {
		if !slices.Contains(b, id) {
			return false
		}
	}
	return true
}
