package controller

import (
	"slices"

	"holt/broker/metadata"
)

// condition is what the controller knows of a replica's broker.
type condition uint8

const (
	dead      condition = iota // no registration, or the replica's log directory has failed
	leaving                    // alive, and asked to be relieved of its leaderships
	restarted                  // alive, and registered since the state was written: what the state says is about its former life
	fit
)

// view is what a decision about one partition is made from.
type view struct {
	partition  metadata.Partition
	condition  func(replica int32) condition
	unclean    bool  // a leader from outside the ISR is better than none
	controller int32 // epoch of the controller that decides
	read       bool  // consumers may read from followers
}

// decide returns the state that a partition should have, and whether it differs
// from the one it has. It is the whole of Kafka's partition and replica state
// machines for everything but requests: new partitions get a leader, leaders that are
// dead, restarted, leaving or no longer replicas are replaced, and the ISR loses those
// members.
func (v *view) decide() (metadata.PartitionState, bool) {
	if !v.partition.HasState() {
		return v.begin()
	}
	isr := v.fitISR(v.partition.Replicas)
	leader := v.partition.Leader
	if leader != metadata.NoLeader && slices.Contains(isr, leader) {
		return v.shrink(leader, isr)
	}
	if next, ok := v.first(v.partition.Replicas, isr); ok {
		return v.elect(next, isr, false)
	}
	// Nobody in the ISR is beyond doubt. A restarted member has what it had on disk,
	// which is what the ISR's word is worth; then one that is leaving.
	if next, ok := v.firstIn(restarted); ok {
		return v.elect(next, []int32{next}, false)
	}
	if v.member(leader) && v.condition(leader) == leaving {
		return v.change(leader, []int32{leader}, v.partition.Recovering)
	}
	if next, ok := v.firstIn(leaving); ok {
		return v.elect(next, []int32{next}, false)
	}
	if v.unclean {
		if s, changed, ok := v.electUnclean(); ok {
			return s, changed
		}
	}
	// The ISR stays: those who died together are equally good when they return.
	if leader == metadata.NoLeader {
		return v.partition.PartitionState, false
	}
	return v.elect(metadata.NoLeader, v.partition.ISR, v.partition.Recovering)
}

// begin is the first state: led by the first replica that is alive.
func (v *view) begin() (metadata.PartitionState, bool) {
	var alive, stable []int32
	for _, r := range v.partition.Replicas {
		switch v.condition(r) {
		case dead:
		case leaving:
			alive = append(alive, r)
		default:
			alive, stable = append(alive, r), append(stable, r)
		}
	}
	if len(stable) > 0 {
		alive = stable
	}
	if len(alive) == 0 {
		return v.partition.PartitionState, false
	}
	return metadata.PartitionState{Leader: alive[0], ISR: alive, ControllerEpoch: v.controller}, true
}

// fitISR returns the ISR's members that are beyond doubt, in the ISR's order.
func (v *view) fitISR(replicas []int32) []int32 {
	isr := make([]int32, 0, len(v.partition.ISR))
	for _, r := range v.partition.ISR {
		if slices.Contains(replicas, r) && v.condition(r) == fit {
			isr = append(isr, r)
		}
	}
	return isr
}

// first returns the first replica in assignment order that is in isr.
func (v *view) first(replicas, isr []int32) (int32, bool) {
	for _, r := range replicas {
		if slices.Contains(isr, r) {
			return r, true
		}
	}
	return 0, false
}

// firstIn returns the first replica in assignment order that is in the ISR and in
// the condition.
func (v *view) firstIn(c condition) (int32, bool) {
	for _, r := range v.partition.Replicas {
		if v.member(r) && v.condition(r) == c {
			return r, true
		}
	}
	return 0, false
}

// member tells whether r is a replica and in the ISR.
func (v *view) member(r int32) bool {
	return slices.Contains(v.partition.ISR, r) && slices.Contains(v.partition.Replicas, r)
}

// electUnclean takes the first replica that is alive. Records may be lost, which
// the state says until the leader has recovered.
func (v *view) electUnclean() (s metadata.PartitionState, changed, ok bool) {
	for _, worst := range []condition{restarted, leaving} {
		for _, r := range v.partition.Replicas {
			if v.condition(r) >= worst {
				s, changed = v.elect(r, []int32{r}, true)
				return s, changed, true
			}
		}
	}
	return metadata.PartitionState{}, false, false
}

// preferred is the election of the first replica, if it is fit and in the ISR.
func (v *view) preferred() (metadata.PartitionState, bool) {
	isr := v.fitISR(v.partition.Replicas)
	if len(v.partition.Replicas) == 0 || !slices.Contains(isr, v.partition.Replicas[0]) {
		return metadata.PartitionState{}, false
	}
	return v.elect(v.partition.Replicas[0], isr, false)
}

// finish is the end of a reassignment: target alone, once all of it is in the ISR.
// The epoch moves on though the leader may stay, so that nobody takes the word of
// those that have left.
func (v *view) finish(target []int32) (metadata.PartitionState, bool) {
	for _, r := range target {
		if !slices.Contains(v.partition.ISR, r) {
			return metadata.PartitionState{}, false
		}
	}
	isr := v.fitISR(target)
	leader := v.partition.Leader
	if !slices.Contains(isr, leader) {
		var ok bool
		if leader, ok = v.first(target, isr); !ok {
			return metadata.PartitionState{}, false
		}
	}
	return v.elect(leader, isr, v.partition.Recovering && leader == v.partition.Leader)
}

// elect is a state of the next leader epoch.
func (v *view) elect(leader int32, isr []int32, recovering bool) (metadata.PartitionState, bool) {
	return metadata.PartitionState{
		Leader: leader, LeaderEpoch: v.partition.LeaderEpoch + 1, ISR: isr, ControllerEpoch: v.controller, Recovering: recovering,
	}, true
}

// shrink is an ISR without those that are dead, restarted or leaving, of the leader that there is. Where a consumer may
// be reading from one that is dead or leaving, the epoch moves on: clients ask a broker that is gone until the metadata
// has another leader or epoch. (Kafka in ZooKeeper mode has it move on in any case.)
func (v *view) shrink(leader int32, isr []int32) (metadata.PartitionState, bool) {
	for _, r := range v.partition.ISR {
		if v.read && !slices.Contains(isr, r) && v.condition(r) < restarted {
			return v.elect(leader, isr, v.partition.Recovering)
		}
	}
	return v.change(leader, isr, v.partition.Recovering)
}

// change keeps leader and epoch; nothing to do if the ISR stays too.
func (v *view) change(leader int32, isr []int32, recovering bool) (metadata.PartitionState, bool) {
	if slices.Equal(isr, v.partition.ISR) {
		return v.partition.PartitionState, false
	}
	s := v.partition.PartitionState
	s.ISR, s.ControllerEpoch, s.Recovering = isr, v.controller, recovering
	return s, true
}
