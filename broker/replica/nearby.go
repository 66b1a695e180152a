package replica

import (
	"cmp"
	"slices"

	"holt/broker/kerror"
	"holt/broker/protocol"
)

// Reading from followers (KIP-392): a leader that is asked by a consumer of another rack names a follower of that
// rack, and gives no records; the consumer asks that one from then on, and the leader again after some minutes, or
// when the follower refuses.
//
//	consumer ─Fetch, rack b─▶ leader, rack a           who is in sync, has the offset, and stands in rack b?
//	         ◀─read from 2───
//	consumer ─Fetch─────────▶ follower 2, rack b ─Fetch─▶ leader
//	         ◀─records below   the high watermark, as it came with the leader's last answer
//
// A follower shows nothing that is not committed: its high watermark is one that the leader had, as far as its own
// log goes. It may be behind what the consumer has seen elsewhere. What lies between it and the log's end the
// consumer waits for, what lies behind the end is out of range, and has the consumer ask the leader.
//
// Whoever asks in a request of version 11 or later may read from a follower, named or not. What only a leader can
// say (ListOffset, EpochEnd) only a leader says.

// anywhere reports whether who asks can read from a follower: a consumer that knows of it.
func anywhere(req *protocol.FetchRequest) bool {
	return req.ReplicaID < 0 && req.Version >= protocol.FetchRack
}

// serves judges a request of f for r, as lead does, or have if it may be read from a follower. r.as is held.
func (f *fetch) serves(r *replica, epoch int32) kerror.Code {
	if f.anywhere {
		return r.have(epoch)
	}
	return r.lead(epoch)
}

// nearer is the follower that a consumer of r should read from, -1 for none: there is none in its rack, or the leader
// is in it. r.as is held. (Kafka: ReplicaManager.findPreferredReadReplica, RackAwareReplicaSelector)
func (f *fetch) nearer(p *fetchPart, r *replica) int32 {
	if !f.set.cfg.RackAware || !f.anywhere || f.req.Rack == "" || r.role != leading {
		return -1
	}
	image := f.set.image.Load()
	if b := image.Broker(f.set.cfg.Self); b != nil && b.Rack == f.req.Rack {
		return -1
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core.nearest(p.want.Offset, func(id int32) bool {
		b := image.Broker(id)
		if b == nil || b.Rack != f.req.Rack {
			return false
		}
		_, reachable := b.Endpoint(f.listener)
		return reachable
	})
}

// nearest is the member of the ISR, of those that are near, which has the offset and most of what comes after it,
// -1 if none has. One that is not in the ISR may lag for ever, and its readers with it.
func (c *core) nearest(offset int64, near func(broker int32) bool) int32 {
	var best *follower
	for i := range c.followers {
		f := &c.followers[i]
		if f.fenced || f.leo < offset || f.logStart > offset || !slices.Contains(c.isr, f.id) || !near(f.id) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(f.leo, best.leo), cmp.Compare(f.caughtUp, best.caughtUp), cmp.Compare(f.id, best.id)) > 0 {
			best = f
		}
	}
	if best == nil {
		return -1
	}
	return best.id
}

// hurries reports whether a follower is told at once of a high watermark that has moved, and not with the records
// that come next, or after its FetchWait: consumers may be sent to it, who would wait as long.
//
// Differs from Kafka, which has this no more since KAFKA-9952: it can double the requests of a follower that keeps
// up. Here it concerns only followers that consumers may be sent to: none, unless that was asked for.
func (f *fetch) hurries() bool {
	s := f.set
	image := s.image.Load()
	if !f.follower || !s.cfg.RackAware || image == nil {
		return false
	}
	own, other := image.Broker(s.cfg.Self), image.Broker(f.req.ReplicaID)
	return other != nil && other.Rack != "" && (own == nil || own.Rack != other.Rack)
}

// late reports whether a follower that hurries was told of another high watermark than this. Without a session
// nobody knows what it was told.
func (f *fetch) late(p *fetchPart, hw int64) bool {
	return f.hurried && f.answer.onlyIf && p.toldHW >= 0 && hw > p.toldHW
}

// wakeConsumers has those that wait here look again, for the follower's high watermark has moved or its log was cut.
// No lock is held.
func (r *replica) wakeConsumers() {
	r.mu.Lock()
	waiting := make([]*fetch, 0, len(r.consumers))
	for f := range r.consumers {
		waiting = append(waiting, f)
	}
	r.mu.Unlock()
	for _, f := range waiting {
		f.attempt(false)
	}
}
