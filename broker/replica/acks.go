package replica

import (
	"slices"
	"time"

	"holt/broker/kerror"
	"holt/broker/protocol"
)

// ack is a producer that waits for its records to be acknowledged.
type ack struct {
	end      int64 // what it waits for: the high watermark, or what is durable, to be here
	all      bool  // the high watermark
	deadline instant
	result   protocol.ProducedPartition
	done     func(protocol.ProducedPartition)
}

func (a *ack) finish(code kerror.Code) {
	if code != kerror.OK {
		a.done(protocol.FailedProduce(a.result.Index, code))
		return
	}
	a.done(a.result)
}

// ackQueue is the producers that wait at one partition, by offset. A producer in it has been let in
// by the limits on requests under way, so that it has no bound of its own. It is guarded by replica.mu.
type ackQueue struct {
	waiting []ack
	due     instant // when a timer looks for late ones; 0: none runs
}

// add has a wait, but no longer than timeout. Where nobody may wait it is refused soon.
func (q *ackQueue) add(r *replica, a ack, timeout time.Duration) {
	if r.set.drained.Load() {
		timeout = 0
	}
	a.deadline = r.set.now() + instant(timeout)
	i := len(q.waiting)
	for i > 0 && q.waiting[i-1].end > a.end {
		i--
	}
	q.waiting = slices.Insert(q.waiting, i, a)
	q.alarm(r, a.deadline)
}

// alarm has expireAcks called at a deadline, if it is not called earlier.
func (q *ackQueue) alarm(r *replica, deadline instant) {
	if q.due == 0 || deadline < q.due {
		q.due = max(deadline, 1)
		time.AfterFunc(max(deadline.sub(r.set.now()), 0), r.expireAcks)
	}
}

// passed takes out those that the high watermark hw has passed.
func (q *ackQueue) passed(hw int64) []ack {
	return q.take(func(a *ack) bool { return a.all && a.end <= hw })
}

// durable takes out those that wait for nothing but the own log.
func (q *ackQueue) durable(offset int64) []ack {
	return q.take(func(a *ack) bool { return !a.all && a.end <= offset })
}

func (q *ackQueue) all() []ack { return q.take(func(*ack) bool { return true }) }

func (q *ackQueue) take(which func(*ack) bool) (taken []ack) {
	if len(q.waiting) == 0 {
		return nil
	}
	left := q.waiting[:0]
	for i := range q.waiting {
		if a := &q.waiting[i]; which(a) {
			taken = append(taken, *a)
		} else {
			left = append(left, *a)
		}
	}
	clear(q.waiting[len(left):])
	q.waiting = left
	return taken
}

// expireAcks answers those whose time is up, and sets the timer for the next.
func (r *replica) expireAcks() {
	now := r.set.now()
	r.mu.Lock()
	late := r.acks.take(func(a *ack) bool { return a.deadline <= now })
	if r.acks.due <= now {
		r.acks.due = 0
	}
	if len(r.acks.waiting) > 0 {
		next := r.acks.waiting[0].deadline
		for i := range r.acks.waiting {
			next = min(next, r.acks.waiting[i].deadline)
		}
		r.acks.alarm(r, next)
	}
	r.mu.Unlock()
	for i := range late {
		late[i].finish(kerror.RequestTimedOut)
	}
}
