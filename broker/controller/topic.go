package controller

import (
	"maps"
	"slices"

	"holt/broker/kerror"
	"holt/broker/metadata"
)

// wish is a reassignment asked for and not begun.
type wish struct {
	target []int32 // nil: end the one that is under way
	ticket Ticket
	index  int
}

// assignmentOps bounds the states that go into one multi with a topic's node.
const assignmentOps = 200

// decideTopic makes the writes that concern a topic's own node: its deletion, an id
// for one without, reassignments to begin, to cancel, and to finish.
func (c *Core) decideTopic(t *topic) {
	if c.topics[t.name] != t {
		return
	}
	if c.image.Deleting(t.name) && !c.cfg.NoDelete {
		c.remove(t)
		return
	}
	if t.deleting && t.removal == nil {
		t.deleting = false // the request was taken back
		delete(c.deleting, t)
		for _, p := range t.partitions {
			c.touch(p)
		}
	}
	if t.needsDir && !t.busyDir {
		t.busyDir = true
		c.add(&Write{What: "partitions", Ops: []metadata.Op{metadata.Create(metadata.PartitionsPath(t.name), nil)}, topic: t, dir: true})
	}
	if !t.busy && !t.deleting {
		c.writeAssignment(t)
	}
}

// remove deletes a topic. Nothing waits for brokers that are down: the topic's id
// tells them, when they return, that what they have is not it.
func (c *Core) remove(t *topic) {
	if !t.deleting {
		t.deleting = true
		c.deleting[t] = struct{}{}
		for n, w := range t.wishes {
			c.resolve(w.ticket, w.index, kerror.UnknownTopicOrPartition)
			delete(t.wishes, n)
		}
		for _, p := range t.partitions {
			c.touch(p)
		}
	}
	if t.removal != nil || c.now.Before(t.retryAt) || t.written() {
		return
	}
	t.removal = &Write{What: "remove", Remove: t.name, topic: t}
	c.add(t.removal)
}

// written tells whether anything about the topic is being written. The removal waits for
// it: written late, it would find a topic of the same name that was made since, whose
// nodes may well have the same versions.
func (t *topic) written() bool {
	return t.busy || t.busyDir || slices.ContainsFunc(t.partitions, func(p *partition) bool { return p.busy })
}

// writeAssignment writes a topic's node, if something in it is to be another way.
func (c *Core) writeAssignment(t *topic) {
	w := &Write{What: "assignment", topic: t, newID: t.id, wishes: map[int32]wish{}}
	assigned := t.assignments()
	changed := false
	if t.id == (metadata.TopicID{}) {
		w.newID, changed = c.cfg.NewTopicID(), true
	}
	for _, n := range slices.Sorted(maps.Keys(t.wishes)) {
		if c.beginReassignment(w, n, assigned) {
			changed = true
		}
	}
	for _, p := range t.partitions {
		if _, wished := w.wishes[p.number]; wished || !p.Reassigning() || p.busy || len(w.Ops) >= assignmentOps {
			continue
		}
		v := c.viewOf(p)
		if s, done := v.finish(p.Target()); done {
			ops, sw := c.stateOps(p, s)
			w.Ops, w.states = append(w.Ops, ops...), append(w.states, sw)
			assigned[p.number] = metadata.Assignment{Replicas: p.Target()}
			changed = true
		}
	}
	if !changed {
		return
	}
	node := metadata.TopicNode{ID: w.newID, Partitions: assigned}
	w.Ops = append(w.Ops, metadata.Set(metadata.TopicPath(t.name), node.Encode(), t.version))
	w.assigned, t.busy = assigned, true
	c.add(w)
}

func (t *topic) assignments() []metadata.Assignment {
	all := make([]metadata.Assignment, len(t.partitions))
	for i, p := range t.partitions {
		all[i] = p.Assignment
	}
	return all
}

// beginReassignment puts a wish into the assignments, or resolves it if there is
// nothing to write. One that takes replicas away at once, as a cancellation does, must
// leave one that is in the ISR, and waits for a write of the state under way. (KRaft
// refuses such cancellations too.)
func (c *Core) beginReassignment(w *Write, number int32, assigned []metadata.Assignment) bool {
	t := w.topic
	wish := t.wishes[number]
	next, code := c.reassigned(t, number, wish.target)
	if code != kerror.OK || next.Equal(&t.partitions[number].Assignment) {
		delete(t.wishes, number)
		c.resolve(wish.ticket, wish.index, code)
		return false
	}
	p := t.partitions[number]
	if len(without(p.Replicas, next.Replicas)) > 0 {
		if p.busy {
			return false
		}
		c.leaveReplicas(w, p, next)
	}
	delete(t.wishes, number)
	w.wishes[number] = wish
	assigned[number] = next
	return true
}

// leaveReplicas has the state fit the next assignment in the same multi: a leader that is
// a replica no more could otherwise make itself the only member of the ISR in between.
func (c *Core) leaveReplicas(w *Write, p *partition, next metadata.Assignment) {
	v := c.viewOf(p)
	v.partition.Assignment = next
	if s, changed := v.decide(); changed && p.HasState() {
		ops, sw := c.stateOps(p, s)
		w.Ops, w.states = append(w.Ops, ops...), append(w.states, sw)
		return
	}
	p.busy = true // nothing else is written about it meanwhile
	w.claimed = append(w.claimed, p)
	if p.HasState() {
		w.Ops = append(w.Ops, metadata.Check(metadata.StatePath(p.topic.name, p.number), p.Version))
	}
}

// reassigned is a partition's assignment with a wish begun.
func (c *Core) reassigned(t *topic, number int32, target []int32) (metadata.Assignment, kerror.Code) {
	if code := c.judge(t, number, target); code != kerror.OK {
		return metadata.Assignment{}, code
	}
	p := t.partitions[number]
	if target == nil {
		target = p.Origin()
	}
	next := p.Assignment.Reassign(target)
	if p.HasState() && len(without(p.ISR, next.Replicas)) == len(p.ISR) {
		return metadata.Assignment{}, kerror.InvalidReplicaAssignment
	}
	return next, kerror.OK
}

// without returns the elements of a that are not in b.
func without(a, b []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(a), func(x int32) bool { return slices.Contains(b, x) })
}

// judge tells what is wrong with a reassignment. (Kafka:
// KafkaController.validateReplicas)
func (c *Core) judge(t *topic, number int32, target []int32) kerror.Code {
	if t == nil || t.deleting || number < 0 || int(number) >= len(t.partitions) {
		return kerror.UnknownTopicOrPartition
	}
	p := t.partitions[number]
	if target == nil {
		if !p.Reassigning() {
			return kerror.NoReassignmentInProgress
		}
		return kerror.OK
	}
	if len(target) == 0 {
		return kerror.InvalidReplicaAssignment
	}
	for i, r := range target {
		if r < 0 || slices.Contains(target[:i], r) {
			return kerror.InvalidReplicaAssignment
		}
		if c.image.Broker(r) == nil && !slices.Contains(p.Origin(), r) {
			return kerror.InvalidReplicaAssignment
		}
	}
	return kerror.OK
}

// assignmentDone takes an assignment that was written.
func (c *Core) assignmentDone(w *Write, results []metadata.Result) {
	t := w.topic
	version := int32(-1)
	for _, r := range results {
		if r.Path == metadata.TopicPath(t.name) {
			version = r.Stat.Version
		}
	}
	for _, wish := range w.wishes {
		c.resolve(wish.ticket, wish.index, kerror.OK)
	}
	if version <= t.version || c.topics[t.name] != t {
		return // an image was faster
	}
	t.id, t.version = w.newID, version
	c.assign(t, w.assigned)
	c.touchTopic(t)
}
