package replica

import (
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// apply takes what the tree has of the partition.
func (r *replica) apply(p *metadata.Partition, image *metadata.Image) {
	own := r.set.epoch.Load()
	switch {
	case !p.HasState() || p.LeaderEpoch < r.epoch:
	case p.Leader == r.set.cfg.Self && r.role == leading && p.LeaderEpoch == r.epoch:
		r.stay(p)
	case p.Leader == r.set.cfg.Self && own > 0 && int64(p.Modified) > own:
		r.ascend(p, image)
	case p.Leader >= 0 && p.Leader != r.set.cfg.Self:
		r.submit(p)
	default:
		// Nobody leads, or this broker did in a former life: what it had then it may have lost, so
		// that it waits for the controller to elect anew.
		r.resign(func() {
			r.epoch, r.leader = p.LeaderEpoch, -1
		})
	}
}

// ascend makes this broker the leader.
//
// One that has led in the epoch before goes on with what it has appended: nobody led between, and the producers that
// wait are acknowledged in the new epoch.
func (r *replica) ascend(p *metadata.Partition, image *metadata.Image) {
	goesOn := r.role == leading && p.LeaderEpoch == r.epoch+1
	r.change(goesOn, func() {
		end := r.log.EndOffset()
		if err := r.log.AssignEpoch(p.LeaderEpoch, end); err != nil {
			r.broken(err)
			return
		}
		c := newCore(r.set.now(), leadership{
			Self: r.set.cfg.Self, Epoch: p.LeaderEpoch, Version: p.Version, ISR: p.ISR, Replicas: p.Replicas,
			Recovering: p.Recovering, LEO: end, Durable: r.durable(), HW: r.log.HighWatermark(), MinISR: r.log.Config().MinISR,
			LagMax: r.set.cfg.LagMax, Lives: livesOf(image, r.tp),
		})
		for _, id := range p.ISR {
			if id != r.set.cfg.Self && image.Restarted(p, id) {
				c.voided(id)
			}
		}
		r.role, r.epoch, r.leader = leading, p.LeaderEpoch, r.set.cfg.Self
		r.ctlEpoch.Store(p.ControllerEpoch)
		r.mu.Lock()
		r.core, r.sent = c, false
		r.mu.Unlock()
		r.log.SetHighWatermark(c.hw)
	})
	if r.role == leading {
		r.set.metrics.Elected.Add(1)
		r.set.begun.Store(true)
		r.propose(false) // an unclean election wants to be confirmed
		r.flushed()
		if f := r.set.leaders[r.tp.Topic]; f != nil {
			f(r.tp.Partition, r.epoch, true)
		}
	}
}

// stay takes another ISR or assignment of the same term.
func (r *replica) stay(p *metadata.Partition) {
	r.reconsider(func(c *core) bool {
		moved := c.updated(r.set.now(), p.Version, p.ISR, p.Replicas, p.Recovering)
		r.ctlEpoch.Store(p.ControllerEpoch)
		r.sent = r.sent && c.pending != nil
		return moved
	})
	r.propose(false)
}

// submit makes this broker follow another.
func (r *replica) submit(p *metadata.Partition) {
	if r.role == following && r.leader == p.Leader && r.epoch == p.LeaderEpoch {
		return
	}
	r.resign(func() {
		r.role, r.epoch, r.leader = following, p.LeaderEpoch, p.Leader
	})
	r.set.follow.assign(r)
}

// resign ends the replica's role, and has then begin another one while nobody acts. Whoever waits
// here is answered.
func (r *replica) resign(then func()) { r.change(false, then) }

// change is resign; if the replica goes on to lead, producers wait on.
func (r *replica) change(goesOn bool, then func()) {
	var w wakes
	r.as.Lock()
	was, epoch := r.role, r.epoch
	r.role = idle
	r.mu.Lock()
	r.core = nil
	w.fetches, w.deletes = r.parkedLocked(), r.deletions
	r.mu.Unlock()
	then()
	r.mu.Lock()
	if goesOn && r.core != nil {
		w.acks, w.code = r.acks.passed(r.core.hw), r.core.acknowledges()
	} else {
		w.acks, w.code = r.acks.all(), kerror.NotLeaderOrFollower
	}
	r.mu.Unlock()
	r.as.Unlock()
	if was == following {
		r.set.follow.remove(r)
	}
	if f := r.set.leaders[r.tp.Topic]; was == leading && f != nil {
		f(r.tp.Partition, epoch, false)
	}
	w.run()
}

// reconsider changes what the leader knows, by a function that reports whether the high watermark
// moved, and does what follows of it. Of a replica that does not lead it does nothing.
func (r *replica) reconsider(change func(*core) (moved bool)) {
	var w wakes
	r.as.RLock()
	r.mu.Lock()
	if r.core == nil {
		r.mu.Unlock()
		r.as.RUnlock()
		return
	}
	moved := change(r.core)
	hw := r.core.hw
	r.settleLocked(&w, moved, false)
	r.mu.Unlock()
	r.raise(moved, hw)
	r.as.RUnlock()
	w.run()
}

// livesOf are the lives that an image's brokers are in, as far as one partition goes: where its
// replica is offline, none.
func livesOf(image *metadata.Image, tp metadata.TopicPartition) lives {
	return func(id int32) int64 {
		b := image.Broker(id)
		if b == nil || b.IsOffline(tp.Topic, tp.Partition) {
			return -1
		}
		return b.Epoch
	}
}
