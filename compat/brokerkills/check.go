package brokerkills

import (
	"fmt"
	"slices"
	"time"
)

// reportMax bounds the violations of one rule that Check returns: one fault makes thousands.
const reportMax = 5

// Check returns what is wrong with h; it is empty if all properties hold.
func Check(h *History) []Violation {
	c := newChecker(h)
	for _, rule := range []func(){
		c.onePerOffset, c.dense, c.acknowledgedKept, c.producerOrder, c.endNeverBack, c.nothingVanishes, c.readsWhole,
		c.groups, c.bytesSame, c.replicasSame, c.epochsAscend, c.statesAscend, c.transactions, c.probes, c.outages,
	} {
		rule()
	}
	return c.found
}

// at is a place in the log.
type at struct {
	partition int32
	offset    int64
}

func (a at) String() string { return fmt.Sprintf("offset %d of partition %d", a.offset, a.partition) }

// checker holds what several rules look things up in.
type checker struct {
	h      *History
	writes map[ID]*Write
	logs   map[int32][]Entry // one replica of each partition, which the others are compared with
	index  map[at]Entry      // of logs
	found  []Violation
	counts map[string]int
}

func newChecker(h *History) *checker {
	c := &checker{h: h, writes: make(map[ID]*Write), logs: make(map[int32][]Entry), index: make(map[at]Entry), counts: make(map[string]int)}
	for i := range h.Writes {
		c.writes[h.Writes[i].ID] = &h.Writes[i]
	}
	for _, r := range h.Replicas {
		if len(r.Entries) < len(c.logs[r.Partition]) {
			continue
		}
		c.logs[r.Partition] = r.Entries
	}
	for p, entries := range c.logs {
		for _, e := range entries {
			c.index[at{p, e.Offset}] = e
		}
	}
	return c
}

func (c *checker) report(rule, format string, args ...any) {
	if c.counts[rule]++; c.counts[rule] <= reportMax {
		c.found = append(c.found, Violation{rule, fmt.Sprintf(format, args...)})
	}
}

// onePerOffset: whoever names what is at an offset names the same (K1).
func (c *checker) onePerOffset() {
	type claim struct {
		id  ID
		who string
	}
	claims := make(map[at]claim)
	see := func(a at, id ID, who string) {
		old, ok := claims[a]
		if !ok {
			claims[a] = claim{id, who}
		} else if old.id != id {
			c.report("K1", "%v holds %v for %s and %v for %s", a, old.id, old.who, id, who)
		}
	}
	for _, w := range c.h.Writes {
		if w.Acked {
			see(at{w.Partition, w.Offset}, w.ID, "its producer")
		}
	}
	for _, r := range c.h.Replicas {
		for _, e := range r.Entries {
			if !e.Control {
				see(at{r.Partition, e.Offset}, e.ID, fmt.Sprint("broker ", r.Broker))
			}
		}
	}
	for _, r := range c.h.Readers {
		for _, e := range r.Entries {
			see(at{r.Partition, e.Offset}, e.ID, r.Name)
		}
	}
}

// dense: a log has no hole and no offset twice (K1).
func (c *checker) dense() {
	for _, r := range c.h.Replicas {
		for i := 1; i < len(r.Entries); i++ {
			if before, e := r.Entries[i-1], r.Entries[i]; e.Offset != before.Offset+1 {
				c.report("K1", "broker %d, partition %d: offset %d comes after %d", r.Broker, r.Partition, e.Offset, before.Offset)
			}
		}
	}
}

// acknowledgedKept: every replica has every acknowledged record where it was acknowledged (K2),
// and readers were given it.
func (c *checker) acknowledgedKept() {
	byPartition := make(map[int32][]Write)
	for _, w := range c.h.Writes {
		if w.Acked {
			byPartition[w.Partition] = append(byPartition[w.Partition], w)
		}
	}
	for _, r := range c.h.Replicas {
		has := idsOf(r.Entries)
		for _, w := range byPartition[r.Partition] {
			if !has[w.ID] {
				c.report("K2", "broker %d lost %v, acknowledged at %v", r.Broker, w.ID, at{w.Partition, w.Offset})
			}
		}
	}
	for _, r := range c.h.Readers {
		has := idsOf(r.Entries)
		for _, w := range byPartition[r.Partition] {
			if visible := !r.Committed || w.Txn == 0 || c.h.Txns[w.Txn] == Committed; visible && !has[w.ID] {
				c.report("K2", "%s was not given %v, acknowledged at %v", r.Name, w.ID, at{w.Partition, w.Offset})
			}
		}
	}
}

func idsOf(entries []Entry) map[ID]bool {
	ids := make(map[ID]bool, len(entries))
	for _, e := range entries {
		if !e.Control {
			ids[e.ID] = true
		}
	}
	return ids
}

// producerOrder: a producer's records are there once and in its order (K3).
func (c *checker) producerOrder() {
	for p, entries := range c.logs {
		last := make(map[int]Entry)
		seen := make(map[ID]int64)
		for _, e := range entries {
			if e.Control {
				continue
			}
			if first, twice := seen[e.ID]; twice {
				c.report("K3", "%v is at offsets %d and %d of partition %d", e.ID, first, e.Offset, p)
				continue
			}
			seen[e.ID] = e.Offset
			if before, ok := last[e.Producer]; ok && before.Seq > e.Seq {
				c.report("K3", "%v at %v comes after %v", e.ID, at{p, e.Offset}, before.ID)
			}
			last[e.Producer] = e
		}
	}
}

// endNeverBack: the end that a client is told never goes back (K4), nor does the start (K9).
func (c *checker) endNeverBack() {
	last := make(map[int32]Sample)
	for _, s := range c.h.Samples {
		before, ok := last[s.Partition]
		if ok && s.High < before.High {
			c.report("K4", "partition %d: the end went from %d (epoch %d) to %d (epoch %d)", s.Partition, before.High, before.Epoch, s.High, s.Epoch)
		}
		if ok && s.Start < before.Start {
			c.report("K9", "partition %d: the start went from %d to %d", s.Partition, before.Start, s.Start)
		}
		last[s.Partition] = s
	}
	for p, s := range last {
		if entries, ok := c.logs[p]; ok && s.High > endOf(entries) {
			c.report("K11", "partition %d ends at %d, clients were told %d", p, endOf(entries), s.High)
		}
	}
}

func endOf(entries []Entry) int64 {
	if len(entries) == 0 {
		return 0
	}
	return entries[len(entries)-1].Offset + 1
}

// nothingVanishes: what a reader was given stays (K4), and it was sent by somebody (K7).
func (c *checker) nothingVanishes() {
	for _, r := range c.h.Readers {
		for _, e := range r.Entries {
			if _, ok := c.index[at{r.Partition, e.Offset}]; !ok {
				c.report("K4", "%s was given %v at %v, which is gone", r.Name, e.ID, at{r.Partition, e.Offset})
			}
		}
	}
}

// readsWhole: a reader goes forward and leaves out nothing that it may see (K5).
func (c *checker) readsWhole() {
	for _, r := range c.h.Readers {
		next := int64(0)
		for _, e := range r.Entries {
			if e.Offset < next {
				c.report("K5", "%s went back to %v, having been at %d", r.Name, at{r.Partition, e.Offset}, next)
				continue
			}
			for ; next < e.Offset; next++ {
				if skipped, ok := c.index[at{r.Partition, next}]; ok && c.mustShow(r, skipped) {
					c.report("K5", "%s skipped %v at %v", r.Name, skipped.ID, at{r.Partition, next})
				}
			}
			next++
		}
	}
}

// mustShow tells whether e is surely a record for r: a transaction of unknown outcome is not.
func (c *checker) mustShow(r Reader, e Entry) bool {
	if e.Control {
		return false
	}
	w, ok := c.writes[e.ID]
	return ok && (!r.Committed || w.Txn == 0 || c.h.Txns[w.Txn] == Committed)
}

// groups: commits, their fencing and the owners of partitions (K6).
func (c *checker) groups() {
	type key struct {
		group      string
		generation int32
		partition  int32
	}
	owner := make(map[key]string)
	for _, o := range c.h.Owners {
		k := key{o.Group, o.Generation, o.Partition}
		if other, ok := owner[k]; ok && other != o.Member {
			c.report("K6", "partition %d belongs to %s and %s in generation %d of %s", o.Partition, other, o.Member, o.Generation, o.Group)
		}
		owner[k] = o.Member
	}
	for _, m := range c.h.Commits {
		if m.Offset > m.Delivered {
			c.report("K6", "%s committed %d of partition %d, but was given records up to %d", m.Member, m.Offset, m.Partition, m.Delivered)
		}
		who, owned := owner[key{m.Group, m.Generation, m.Partition}]
		if m.Acked && (!owned || who != m.Member) {
			c.report("K6", "%s committed partition %d in generation %d, which is %q's", m.Member, m.Partition, m.Generation, who)
		}
		if final := c.h.Final[m.Group][m.Partition]; m.Acked && final < m.Offset {
			c.report("K6", "%s committed %d of partition %d, and %d is left", m.Member, m.Offset, m.Partition, final)
		}
	}
}

// bytesSame: what comes out is what went in (K7).
func (c *checker) bytesSame() {
	see := func(who string, p int32, entries []Entry) {
		for _, e := range entries {
			if e.Control {
				continue
			}
			if w, ok := c.writes[e.ID]; !ok {
				c.report("K7", "%s: nobody sent %v at %v", who, e.ID, at{p, e.Offset})
			} else if w.Sum != e.Sum || w.Partition != p {
				c.report("K7", "%s: %v at %v is not as it was sent to partition %d", who, e.ID, at{p, e.Offset}, w.Partition)
			}
		}
	}
	for _, r := range c.h.Replicas {
		see(fmt.Sprint("broker ", r.Broker), r.Partition, r.Entries)
	}
	for _, r := range c.h.Readers {
		see(r.Name, r.Partition, r.Entries)
	}
}

// replicasSame: all brokers hold the same log, whatever was killed and recovered (K8).
func (c *checker) replicasSame() {
	for _, r := range c.h.Replicas {
		if most := c.logs[r.Partition]; !slices.Equal(r.Entries, most) {
			c.report("K8", "partition %d: broker %d holds %d records up to %d; another holds %d up to %d, and they differ",
				r.Partition, r.Broker, len(r.Entries), endOf(r.Entries), len(most), endOf(most))
		}
	}
}

// epochsAscend: the leader epochs in a log never go back (K10): an old leader's batch after a
// newer one's was taken from someone who no longer led.
func (c *checker) epochsAscend() {
	for p, entries := range c.logs {
		for i := 1; i < len(entries); i++ {
			if entries[i].Epoch < entries[i-1].Epoch {
				c.report("K10", "partition %d: epoch %d at offset %d comes after epoch %d", p, entries[i].Epoch, entries[i].Offset, entries[i-1].Epoch)
			}
		}
	}
}

// transactions: read_committed shows no aborted record, and all or none of a transaction.
func (c *checker) transactions() {
	shown := make(map[int64]int)
	var names = make(map[int64]string)
	for _, r := range c.h.Readers {
		for _, e := range r.Entries {
			w, ok := c.writes[e.ID]
			if !ok || w.Txn == 0 || !r.Committed {
				continue
			}
			if c.h.Txns[w.Txn] == Aborted {
				c.report("TXN", "%s was given %v of an aborted transaction", r.Name, w.ID)
			}
			shown[w.Txn]++
			names[w.Txn] = r.Name
		}
	}
	sent := make(map[int64]int)
	for _, w := range c.h.Writes {
		if w.Txn != 0 && w.Acked {
			sent[w.Txn]++
		}
	}
	for txn, n := range shown {
		if n < sent[txn] {
			c.report("TXN", "%s was given %d of the %d records of transaction %d", names[txn], n, sent[txn], txn)
		}
	}
}

func (c *checker) probes() {
	for _, p := range c.h.Probes {
		if p.Got != p.Want {
			c.report(p.Rule, "%s: got %s, want %s", p.Question, p.Got, p.Want)
		}
	}
}

// outages: acknowledgements resume in time at every partition that the broker led (ACK).
func (c *checker) outages() {
	for _, o := range c.h.Outages {
		for _, p := range o.Partitions {
			if took, ok := c.resumed(o, p); !ok {
				c.report("ACK", "%s: no acknowledgement at partition %d after the session ended", o.Fault, p)
			} else if took > o.Limit {
				c.report("ACK", "%s: acknowledgements at partition %d resumed %v after the session ended, want at most %v", o.Fault, p, took.Round(time.Millisecond), o.Limit)
			}
		}
	}
}

// resumed returns how long after the end of o's session a record of the partition was
// acknowledged.
func (c *checker) resumed(o Outage, partition int32) (time.Duration, bool) {
	best, ok := time.Duration(0), false
	for _, w := range c.h.Writes {
		if took := w.Done - o.Ended; w.Acked && w.Partition == partition && took >= 0 && (!ok || took < best) {
			best, ok = took, true
		}
	}
	return best, ok
}
