package replica

import (
	"errors"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/partition"
)

// role is what a replica is at the moment.
type role uint8

const (
	idle      role = iota // nobody leads, or this broker does not know enough to follow or lead
	leading               // this broker leads
	following             // another broker leads
)

// replica is this broker's copy of one partition.
//
// Lock order: as, mu. Nothing of another replica is called with either.
type replica struct {
	set *Set
	tp  metadata.TopicPartition
	id  metadata.TopicID
	dir *partition.Dir
	log *partition.Log

	// as is held for reading by whoever does something as a leader or follower, disk and all, and for
	// writing by who changes the role: so nothing is done in the name of a former role.
	as     sync.RWMutex
	role   role
	epoch  int32 // the latest leader epoch known, -1 none
	leader int32 // -1 nobody
	gone   bool  // deleted, or to be

	lag      atomic.Int64 // as a follower, in records
	ctlEpoch atomic.Int32 // of the controller that wrote the state

	servesSlowly, copiesSlowly atomic.Bool // throttled as a leader, as a follower

	mu        sync.Mutex
	core      *core // nil unless this broker leads
	acks      ackQueue
	consumers map[*fetch]struct{} // that wait for the high watermark
	followers map[*fetch]struct{} // that wait for the log's end
	deletions []*deletion
	sent      bool // the core's pending change is on its way to the tree
}

func newReplica(s *Set, d *partition.Dir, l *partition.Log) *replica {
	n := l.Name()
	return &replica{
		set: s, tp: metadata.TopicPartition{Topic: n.Topic, Partition: n.Partition}, id: l.TopicID(), dir: d, log: l,
		epoch: -1, leader: -1,
	}
}

func (r *replica) logger() *zap.Logger {
	return r.set.log.With(zap.String("topic", r.tp.Topic), zap.Int32("partition", r.tp.Partition))
}

// check judges a request's idea of the leader epoch, -1 for none. r.as is held.
func (r *replica) check(epoch int32) kerror.Code {
	switch {
	case r.gone:
		return kerror.NotLeaderOrFollower
	case epoch >= 0 && epoch < r.epoch:
		return kerror.FencedLeaderEpoch
	case epoch > r.epoch:
		return kerror.UnknownLeaderEpoch
	}
	return kerror.OK
}

// have is check, and that this broker leads or follows.
func (r *replica) have(epoch int32) kerror.Code {
	code := r.check(epoch)
	switch {
	case code != kerror.OK:
		return code
	case r.role == idle:
		return kerror.NotLeaderOrFollower
	case r.log.Err() != nil:
		return kerror.KafkaStorageError
	}
	return kerror.OK
}

// lead is have, and that this broker leads.
func (r *replica) lead(epoch int32) kerror.Code {
	if code := r.check(epoch); code == kerror.OK && r.role != leading {
		return kerror.NotLeaderOrFollower
	}
	return r.have(epoch)
}

// broken reports a failure of the log, and what to tell whoever asked.
func (r *replica) broken(err error) kerror.Code {
	var outside *partition.OutOfRangeError
	switch {
	case errors.Is(err, partition.ErrClosed):
		return kerror.NotLeaderOrFollower
	case errors.As(err, &outside): // the log was cut, or old records went, meanwhile
		return kerror.OffsetOutOfRange
	}
	r.logger().Error("log failed", zap.Error(err))
	return kerror.KafkaStorageError // if all of the directory has, it says so itself: see Set.DirFailed
}

// wakes is who is to be called when locks are released.
type wakes struct {
	acks    []ack
	code    kerror.Code // for acks
	fetches []*fetch
	deletes []*deletion
}

// settleLocked collects who is to be woken: when moved, the high watermark has moved; when grown, the
// log has. r.mu is held.
func (r *replica) settleLocked(w *wakes, moved, grown bool) {
	if moved {
		for f := range r.consumers {
			w.fetches = append(w.fetches, f)
		}
		w.acks = r.acks.passed(r.core.hw)
		if len(w.acks) > 0 {
			w.code = r.core.acknowledges()
		}
	}
	if moved || grown {
		for f := range r.followers {
			if grown || f.hurried {
				w.fetches = append(w.fetches, f)
			}
		}
	}
}

// run calls whoever was woken; no lock is held.
func (w *wakes) run() {
	for i := range w.acks {
		w.acks[i].finish(w.code)
	}
	for _, f := range w.fetches {
		f.attempt(false)
	}
	for _, d := range w.deletes {
		d.look()
	}
}

// raise tells the log of a high watermark that has moved. r.as is held, r.mu is not.
func (r *replica) raise(moved bool, hw int64) {
	if moved {
		r.log.SetHighWatermark(hw)
	}
}

// drain answers whoever waits.
func (r *replica) drain() {
	var w wakes
	r.mu.Lock()
	w.acks, w.code = r.acks.all(), kerror.NotLeaderOrFollower
	fetches := r.parkedLocked()
	w.deletes = r.deletions
	r.mu.Unlock()
	w.run()
	for _, f := range fetches {
		f.attempt(true)
	}
}

// parkedLocked returns all fetches that wait here. r.mu is held.
func (r *replica) parkedLocked() []*fetch {
	var all []*fetch
	for f := range r.consumers {
		all = append(all, f)
	}
	for f := range r.followers {
		all = append(all, f)
	}
	return all
}
