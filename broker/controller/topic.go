package controller

import (
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
		for n, w := range t.wishes {
			c.resolve(w.ticket, w.index, kerror.UnknownTopicOrPartition)
			delete(t.wishes, n)
		}
		for _, p := range t.partitions {
			c.touch(p)
		}
	}
	if t.removal != nil || c.now.Before(t.retryAt) {
		return
	}
	t.removal = &Write{What: "remove", Remove: t.name, topic: t}
	c.add(t.removal)
}

// writeAssignment writes a topic's node, if something in it is to be another way.
func (c *Core) writeAssignment(t *topic) {
	w := &Write{What: "assignment", topic: t, newID: t.id, wishes: map[int32]wish{}}
	assigned := t.assignments()
	changed := false
	if t.id == (metadata.TopicID{}) {
		w.newID, changed = c.cfg.NewTopicID(), true
	}
	for n, wish := range t.wishes {
		if c.beginReassignment(t, n, wish, assigned) {
			w.wishes[n] = wish
			changed = true
		}
	}
	clear(t.wishes)
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
// nothing to write.
func (c *Core) beginReassignment(t *topic, number int32, w wish, assigned []metadata.Assignment) bool {
	code := c.judge(t, number, w.target)
	if code != kerror.OK {
		c.resolve(w.ticket, w.index, code)
		return false
	}
	p := t.partitions[number]
	target := w.target
	if target == nil {
		target = p.Origin()
	}
	next := p.Assignment.Reassign(target)
	if next.Equal(&p.Assignment) {
		c.resolve(w.ticket, w.index, kerror.OK)
		return false
	}
	assigned[number] = next
	return true
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
