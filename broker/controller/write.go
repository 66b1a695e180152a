package controller

import (
	"maps"
	"slices"

	"holt/broker/kerror"
	"holt/broker/metadata"
)

// Write is something to be written in one piece, fenced by the controller's epoch.
// Writes of one Take may share a multi, in any order.
type Write struct {
	ID   int64
	What string        // for people: "state", "assignment", "election node", ...
	Ops  []metadata.Op // without the fence

	// Remove, if set, is a topic to delete with all below it, instead of Ops: what
	// there is to delete is only known by looking.
	Remove string

	topic    *topic
	states   []stateWrite
	claimed  []*partition          // nothing else is to be written about them meanwhile
	assigned []metadata.Assignment // of all partitions, when the topic's node is written
	wishes   map[int32]wish        // fulfilled by this
	newID    metadata.TopicID
	election *election
	claim    *claim
	dir      bool // makes the parent of a topic's partitions
}

// stateWrite is a partition's part in a Write.
type stateWrite struct {
	p       *partition
	state   metadata.PartitionState
	version int32           // after the write
	bounced map[int32]int64 // dealt with by it
}

// Fresh is what a path that a failed Write was about holds now.
type Fresh struct {
	Path    string
	Data    []byte
	Stat    metadata.Stat
	Missing bool
}

// Take returns writes to make, oldest decisions first. Each must be reported by Done or
// Failed.
func (c *Core) Take() []*Write {
	taken := c.ready
	c.ready = nil
	for _, w := range taken {
		c.underway[w.ID] = w
	}
	return taken
}

// Underway is the number of writes taken and not reported.
func (c *Core) Underway() int { return len(c.underway) }

func (c *Core) add(w *Write) {
	c.lastWrite++
	w.ID = c.lastWrite
	c.ready = append(c.ready, w)
}

// writeState writes one partition's state.
func (c *Core) writeState(p *partition, s metadata.PartitionState, e *election) {
	op, sw := c.stateOps(p, s)
	c.add(&Write{What: "state", Ops: op, topic: p.topic, states: []stateWrite{sw}, election: e})
}

// stateOps are the operations that give a partition a state. The first state's parent
// is made together with it, unless it was found to be there; the one above, for all
// partitions, is made with the topic, unless it was found to be missing.
func (c *Core) stateOps(p *partition, s metadata.PartitionState) ([]metadata.Op, stateWrite) {
	p.busy = true
	sw := stateWrite{p: p, state: s, version: p.Version + 1, bounced: maps.Clone(p.bounced)}
	path := metadata.StatePath(p.topic.name, p.number)
	if p.HasState() {
		return []metadata.Op{metadata.Set(path, s.Encode(), p.Version)}, sw
	}
	state := metadata.Create(path, s.Encode())
	if p.hasParent {
		return []metadata.Op{state}, sw
	}
	return []metadata.Op{metadata.Create(metadata.PartitionPath(p.topic.name, p.number), nil), state}, sw
}

// failuresAtOnce is how often a partition's write may fail in a row before it waits
// for the next tick: a topic that is going away refuses every one.
const failuresAtOnce = 3

// noState is the state of a partition that has none.
var noState = metadata.PartitionState{Leader: metadata.NoLeader, LeaderEpoch: -1}

// Done reports a Write that was made, with the results of its Ops.
func (c *Core) Done(w *Write, results []metadata.Result) {
	delete(c.underway, w.ID)
	c.release(w)
	if w.assigned != nil && w.topic.version >= 0 {
		c.assignmentDone(w, results)
	}
	for _, s := range w.states {
		c.stateDone(s, results)
	}
	if w.election != nil && len(w.states) > 0 {
		c.electionDone(w.states[0].p, *w.election, kerror.OK)
	}
	if w.Remove != "" {
		w.topic.removal = w // until an image shows it gone
	}
	c.work()
}

func (c *Core) stateDone(s stateWrite, results []metadata.Result) {
	p := s.p
	p.failures = 0
	for r, epoch := range s.bounced {
		if p.bounced[r] == epoch {
			delete(p.bounced, r)
		}
	}
	if p.Version >= s.version {
		c.touch(p)
		return // an image was faster
	}
	p.PartitionState, p.Version, p.Modified = s.state, s.version, unknownZxid
	path := metadata.StatePath(p.topic.name, p.number)
	for _, r := range results {
		if r.Path == path && r.Stat.Modified != 0 {
			p.Modified = r.Stat.Modified
		}
	}
	c.touch(p)
}

// Failed reports a Write that was refused, or whose outcome nobody knows, with what
// is there now at each of its paths. What still is to be done is decided again.
func (c *Core) Failed(w *Write, fresh []Fresh) {
	delete(c.underway, w.ID)
	c.release(w)
	for n, wish := range w.wishes {
		switch _, newer := w.topic.wishes[n]; {
		case c.topics[w.topic.name] != w.topic:
			c.resolve(wish.ticket, wish.index, kerror.UnknownTopicOrPartition)
		case newer:
			c.resolve(wish.ticket, wish.index, kerror.OK)
		default:
			w.topic.wishes[n] = wish
		}
	}
	for _, s := range w.states {
		if s.p.failures++; s.p.failures == failuresAtOnce {
			c.later = append(c.later, s.p)
		}
	}
	if w.election != nil && len(w.states) > 0 {
		if p := w.states[0].p; len(p.elections) > 0 {
			p.elections[0].tried = true
		}
	}
	for _, f := range fresh {
		c.refresh(w, f)
	}
	if w.Remove != "" {
		w.topic.removal, w.topic.retryAt = nil, c.now.Add(retryAfter)
	}
	c.work()
}

// release ends the claims of a write.
func (c *Core) release(w *Write) {
	for _, s := range w.states {
		s.p.busy = false
		c.touch(s.p)
	}
	for _, p := range w.claimed {
		p.busy = false
		c.touch(p)
	}
	if w.topic != nil && (len(w.topic.wishes) > 0 || w.topic.deleting) {
		c.touchTopic(w.topic)
	}
	if w.assigned != nil {
		w.topic.busy = false
		c.touchTopic(w.topic)
	}
	if w.dir {
		// Made, or somebody else's; or the topic is gone.
		w.topic.busyDir, w.topic.needsDir = false, false
		for _, p := range w.topic.partitions {
			c.touch(p)
		}
	}
	if w.claim != nil {
		w.claim.release(c.now)
	}
}

// refresh takes what was read after a failure.
func (c *Core) refresh(w *Write, f Fresh) {
	if w.topic == nil {
		return
	}
	if f.Path == metadata.PartitionsPath(w.topic.name) && f.Missing && !w.dir {
		w.topic.needsDir = true
		c.touchTopic(w.topic)
	}
	for _, s := range w.states {
		if f.Path == metadata.PartitionPath(w.topic.name, s.p.number) {
			s.p.hasParent = !f.Missing
		}
	}
	if _, number, ok := metadata.ParseTopicPath(f.Path); ok && number >= 0 && int(number) < len(w.topic.partitions) {
		c.refreshState(w.topic.partitions[number], f)
	}
	if f.Missing {
		return // if the topic is gone the image will show it
	}
	if f.Path == metadata.TopicPath(w.topic.name) && f.Stat.Created == w.topic.created && f.Stat.Version > w.topic.version {
		if node, err := metadata.DecodeTopic(f.Data); err == nil {
			w.topic.id, w.topic.version = node.ID, f.Stat.Version
			c.assign(w.topic, node.Partitions)
		}
	}
}

func (c *Core) refreshState(p *partition, f Fresh) {
	switch {
	case f.Missing && p.HasState():
		// If the topic is gone the image will show it; else somebody deleted the state.
		p.PartitionState, p.Version, p.Modified = noState, -1, 0
	case f.Missing, f.Stat.Version <= p.Version, f.Stat.Created < p.topic.created:
		return
	default:
		state, err := metadata.DecodePartitionState(f.Data)
		if err != nil {
			return // somebody wrote nonsense; the image keeps what was there before
		}
		p.PartitionState, p.Version, p.Modified = state, f.Stat.Version, f.Stat.Modified
	}
	c.touch(p)
}

// Paths are those whose contents Failed wants.
func (w *Write) Paths() []string {
	var paths []string
	for _, op := range w.Ops {
		if op.Kind != metadata.OpDelete {
			paths = append(paths, op.Path)
		}
	}
	for _, s := range w.states {
		path := metadata.PartitionPath(s.p.topic.name, s.p.number)
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	if len(w.states) > 0 {
		paths = append(paths, metadata.PartitionsPath(w.topic.name))
	}
	return paths
}
