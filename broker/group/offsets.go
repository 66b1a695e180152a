package group

import (
	"cmp"
	"strings"
)

type topicPartition struct {
	topic     string
	partition int32
}

func (a topicPartition) compare(b topicPartition) int {
	return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// committed is what was committed for a partition.
type committed struct {
	offset      int64
	leaderEpoch int32 // of the record consumed last, -1: unknown
	metadata    string
	commitTime  int64 // wall clock, milliseconds
	expireTime  int64 // -1: by the retention
}

// offset is a partition in a group: what is committed, and what may become so.
type offset struct {
	committed
	at     int64 // where in the log what counts is, or what removed it; -1: nothing yet
	exists bool  // committed is something
	// writing are commits on their way into the log, txns producers with a pending commit.
	writing, txns int
}

// pendingCommit is what a transaction commits if it commits.
type pendingCommit struct {
	committed
	at int64 // where in the log it is
}

// txnCommits is the pending commits of one producer in one group.
type txnCommits struct {
	commits map[topicPartition]pendingCommit
	writing int // batches on their way into the log
	// ends are markers acknowledged before a commit that precedes them in the log was. There are none
	// unless something is on its way.
	ends []TxnEnd
}

// offset returns the partition in the group, made if need be.
func (g *group) offset(tp topicPartition) *offset {
	o := g.offsets[tp]
	if o == nil {
		if g.offsets == nil {
			g.offsets = make(map[topicPartition]*offset)
		}
		o = &offset{at: -1}
		tp.topic = strings.Clone(tp.topic)
		g.offsets[tp] = o
	}
	return o
}

// apply makes v what is committed, unless something later in the log counts already.
func (o *offset) apply(v committed, at int64) {
	if at > o.at {
		o.committed, o.at, o.exists = v, at, true
	}
}

// removeAt removes what is committed, unless it is later in the log.
func (o *offset) removeAt(at int64) {
	if at > o.at {
		o.committed, o.at, o.exists = committed{}, at, false
	}
}

// unstable reports whether what is committed may be about to change.
func (o *offset) unstable() bool { return o.writing > 0 || o.txns > 0 }

// sweep drops a partition about which there is nothing to know.
func (g *group) sweep(tp topicPartition, o *offset) {
	if !o.exists && !o.unstable() {
		delete(g.offsets, tp)
	}
}

// txn returns a producer's pending commits in the group, made if need be.
func (g *group) txn(producerID int64) *txnCommits {
	t := g.txns[producerID]
	if t == nil {
		if g.txns == nil {
			g.txns = make(map[int64]*txnCommits)
		}
		t = &txnCommits{commits: make(map[topicPartition]pendingCommit)}
		g.txns[producerID] = t
	}
	return t
}

// hold notes that a transaction commits an offset if it commits. Of two for a partition the one later in
// the log counts.
func (g *group) hold(t *txnCommits, tp topicPartition, p pendingCommit) {
	before, ok := t.commits[tp]
	if ok && before.at > p.at {
		return
	}
	if !ok {
		tp.topic = strings.Clone(tp.topic)
		g.offset(tp).txns++
	}
	t.commits[tp] = p
}

// release ends a pending commit. commit says whether it counts.
func (g *group) release(producerID int64, t *txnCommits, tp topicPartition, commit bool) {
	p := t.commits[tp]
	delete(t.commits, tp)
	o := g.offset(tp)
	o.txns--
	if commit {
		o.apply(p.committed, p.at)
	}
	g.sweep(tp, o)
	g.sweepTxn(producerID, t)
}

// sweepTxn drops a producer that has nothing pending and nothing on its way.
func (g *group) sweepTxn(producerID int64, t *txnCommits) {
	if t.writing == 0 {
		t.ends = nil
		if len(t.commits) == 0 {
			delete(g.txns, producerID)
		}
	}
}

// endTxn ends what a marker ends: the commits before it in the log. Where a commit still on its way is
// will be known later.
func (g *group) endTxn(end TxnEnd) {
	t := g.txns[end.ProducerID]
	if t == nil {
		return
	}
	for tp, p := range t.commits {
		if p.at < end.Offset {
			g.release(end.ProducerID, t, tp, end.Commit)
		}
	}
	if t.writing > 0 {
		t.ends = append(t.ends, end)
	}
}

// endOf returns the marker that ended what is at an offset, if one did.
func (t *txnCommits) endOf(at int64) (TxnEnd, bool) {
	for _, e := range t.ends {
		if at < e.Offset {
			return e, true
		}
	}
	return TxnEnd{}, false
}
