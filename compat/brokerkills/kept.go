package brokerkills

import (
	"fmt"
	"slices"
)

// Policy is what takes records out of a topic.
type Policy int

// The policies.
const (
	Whole     Policy = iota // nothing does
	Compacted               // a later record of the same key
	Retained                // age and size: whole segments from the beginning
)

// Kept is a topic with a policy, as its producers, its logs and a client saw it in the end.
type Kept struct {
	Topic  string
	Policy Policy
	Sent   []Sent
	// Untold: producers that say only what was acknowledged, not what they sent.
	Untold bool
	Logs   []KeptLog
}

// Sent is a record of an idempotent producer.
type Sent struct {
	KeptRecord
	Partition int32
	Acked     bool // at Offset; otherwise its outcome is unknown
}

// KeptRecord is a record in a log of a Kept topic.
type KeptRecord struct {
	ID
	Offset    int64
	Key       string
	Tombstone bool
}

// KeptLog is a partition's log as a broker's files have it, or as a client read it.
type KeptLog struct {
	Who       string
	Partition int32
	Bases     []int64 // of the segments; nil for a client
	Records   []KeptRecord
}

// keptChecker is checker for a Kept topic.
type keptChecker struct {
	checker
	k     *Kept
	sent  map[ID]*Sent
	truth map[at]KeptRecord // what is known to have been at an offset
}

// CheckKept returns what is wrong with k.
func CheckKept(k *Kept) []Violation {
	c := &keptChecker{checker: checker{counts: make(map[string]int)}, k: k, sent: make(map[ID]*Sent), truth: make(map[at]KeptRecord)}
	for i := range k.Sent {
		c.sent[k.Sent[i].ID] = &k.Sent[i]
	}
	c.oneValue()
	for _, l := range k.Logs {
		c.order(l)
		switch k.Policy {
		case Whole:
			c.kept(l, 0)
		case Retained:
			c.retained(l)
		case Compacted:
			c.compacted(l)
		}
	}
	return c.found
}

// oneValue: an offset has one value, whoever names it (K1).
func (c *keptChecker) oneValue() {
	see := func(who string, p int32, r KeptRecord) {
		a := at{p, r.Offset}
		if old, ok := c.truth[a]; ok && old != r {
			c.report("K1", "%s: %v is %v for %s, and %v for others", c.k.Topic, a, r.ID, who, old.ID)
			return
		}
		c.truth[a] = r
	}
	for _, s := range c.k.Sent {
		if s.Acked {
			see("its producer", s.Partition, s.KeptRecord)
		}
	}
	for _, l := range c.k.Logs {
		for _, r := range l.Records {
			see(l.Who, l.Partition, r)
		}
	}
}

// order: offsets ascend (K1), a producer's records are there once and in order (K3), and were sent (K7).
func (c *keptChecker) order(l KeptLog) {
	next, last := int64(0), make(map[int]ID)
	for _, r := range l.Records {
		if r.Offset < next {
			c.report("K1", "%s, %s: offset %d of partition %d after %d", c.k.Topic, l.Who, r.Offset, l.Partition, next-1)
		}
		next = r.Offset + 1
		if before, ok := last[r.Producer]; ok && before.Seq >= r.Seq {
			c.report("K3", "%s, %s: %v comes after %v", c.k.Topic, l.Who, r.ID, before)
		}
		last[r.Producer] = r.ID
		if s, ok := c.sent[r.ID]; !ok && !c.k.Untold || ok && (s.Key != r.Key || s.Tombstone != r.Tombstone || s.Partition != l.Partition) {
			c.report("K7", "%s, %s: %v is not as it was sent", c.k.Topic, l.Who, r.ID)
		}
	}
}

// kept: what was acknowledged from an offset on is there (K2), and without holes where nothing else
// takes offsets.
func (c *keptChecker) kept(l KeptLog, from int64) {
	has := make(map[ID]bool, len(l.Records))
	for i, r := range l.Records {
		has[r.ID] = true
		if i > 0 && r.Offset != l.Records[i-1].Offset+1 {
			c.report("K1", "%s, %s: offset %d of partition %d comes after %d", c.k.Topic, l.Who, r.Offset, l.Partition, l.Records[i-1].Offset)
		}
	}
	for _, s := range c.k.Sent {
		if s.Acked && s.Partition == l.Partition && s.Offset >= from && !has[s.ID] {
			c.report("K2", "%s: %s lost %v, acknowledged at %v", c.k.Topic, l.Who, s.ID, at{s.Partition, s.Offset})
		}
	}
}

// retained: whole segments have gone from the beginning, and some have; the rest is all there (K9, K2).
func (c *keptChecker) retained(l KeptLog) {
	if len(l.Records) == 0 {
		c.report("K9", "%s, %s: nothing is left of partition %d", c.k.Topic, l.Who, l.Partition)
		return
	}
	first := l.Records[0].Offset
	switch {
	case first == 0:
		c.report("K9", "%s, %s: nothing has gone of partition %d: the run shows nothing", c.k.Topic, l.Who, l.Partition)
	case l.Bases != nil && l.Bases[0] != first:
		c.report("K9", "%s, %s: partition %d begins at %d, its first segment at %d", c.k.Topic, l.Who, l.Partition, first, l.Bases[0])
	}
	c.kept(l, first)
}

// compacted: replayed, the log gives each key its last value, or none after a tombstone, and something has
// gone (K9). Records of unknown outcome that are in a log count.
func (c *keptChecker) compacted(l KeptLog) {
	want, got := c.lastOf(l.Partition), make(map[string]KeptRecord)
	end, total := int64(0), int64(0)
	for _, r := range l.Records {
		got[r.Key] = r
	}
	for a := range c.truth {
		if a.partition == l.Partition {
			end = max(end, a.offset+1)
			total++
		}
	}
	for key, w := range want {
		g, ok := got[key]
		if (!ok || g.Tombstone) && w.Tombstone {
			continue
		}
		if g != w {
			c.report("K9", "%s, %s: key %s of partition %d has %v at %d, want %v at %d", c.k.Topic, l.Who, key, l.Partition, g.ID, g.Offset, w.ID, w.Offset)
		}
	}
	if int64(len(l.Records)) >= end {
		c.report("K9", "%s, %s: nothing has gone of partition %d's %d records: the run shows nothing", c.k.Topic, l.Who, l.Partition, total)
	}
}

// lastOf is the last record of each key of a partition.
func (c *keptChecker) lastOf(partition int32) map[string]KeptRecord {
	last := make(map[string]KeptRecord)
	for a, r := range c.truth {
		if old, ok := last[r.Key]; a.partition == partition && (!ok || old.Offset < r.Offset) {
			last[r.Key] = r
		}
	}
	return last
}

// State is a partition's state in the tree, as somebody read it.
type State struct {
	Partition                    int32
	Version                      int32
	Leader                       int32
	LeaderEpoch, ControllerEpoch int32
	ISR                          []int32
}

// statesAscend: of a partition's states, each later one is of no older leader and no older controller: what
// a controller that was succeeded decided is refused (K10). States are in the order in which they were read.
func (c *checker) statesAscend() {
	last := make(map[int32]State)
	for _, s := range c.h.States {
		before, ok := last[s.Partition]
		last[s.Partition] = s
		if !ok {
			continue
		}
		text := fmt.Sprintf("partition %d: state %d (leader epoch %d, controller epoch %d) comes after state %d (%d, %d)", s.Partition,
			s.Version, s.LeaderEpoch, s.ControllerEpoch, before.Version, before.LeaderEpoch, before.ControllerEpoch)
		switch {
		case s.Version < before.Version, s.LeaderEpoch < before.LeaderEpoch, s.ControllerEpoch < before.ControllerEpoch:
			c.report("K10", "%s", text)
		case s.Version == before.Version && (s.Leader != before.Leader || s.LeaderEpoch != before.LeaderEpoch || !slices.Equal(s.ISR, before.ISR)):
			c.report("K10", "partition %d: state %d is two different ones", s.Partition, s.Version)
		case s.LeaderEpoch == before.LeaderEpoch && s.Leader != before.Leader:
			c.report("K10", "partition %d: brokers %d and %d both lead in epoch %d", s.Partition, before.Leader, s.Leader, s.LeaderEpoch)
		}
	}
}
