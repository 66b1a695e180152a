package quorum

import (
	"encoding/binary"

	"go.etcd.io/raft/v3"
)

// reads are the read barriers. Those that arrive while a round is being
// started share it. A round asks the leader, under a context never used before,
// for a commit index that a majority confirms to be the leader's after the
// request; a round without an answer is asked again under a further context. Any
// of its answers will do, since each request was made after the barriers came.
type reads struct {
	seq      uint64 // of the last context
	waiting  []func(error)
	rounds   []*readRound
	answered []Read
}

type readRound struct {
	done  []func(error)
	ctxs  []uint64 // ascending
	ticks int      // since the last request
	again bool
}

// maxReadRounds is the number of rounds that may be waiting for answers. With
// more than one, a barrier need not wait for an earlier one's round to end.
const maxReadRounds = 4

// Read asks for a read barrier: done comes out with an index in Ready.Reads.
// Barriers survive any number of changes of leader.
func (c *Core) Read(done ...func(error)) { c.reads.waiting = append(c.reads.waiting, done...) }

// AbandonReads takes back all barriers that have no index yet.
func (c *Core) AbandonReads() []func(error) {
	all := c.reads.waiting
	for _, r := range c.reads.rounds {
		all = append(all, r.done...)
	}
	for _, r := range c.reads.answered {
		all = append(all, r.Done...)
	}
	c.reads = reads{seq: c.reads.seq}
	return all
}

func (r *reads) ready(leader uint64) bool {
	if leader == 0 {
		return false
	}
	if len(r.waiting) > 0 && len(r.rounds) < maxReadRounds {
		return true
	}
	for _, round := range r.rounds {
		if round.again {
			return true
		}
	}
	return false
}

// mayAnswerReads: a leader knows what is committed only after an entry of its
// own term is. Raft sees to that itself, except in an ensemble with one voter:
// there its commit index may be one from before a crash.
func (c *Core) mayAnswerReads() bool { return !c.lead.Self || c.commitTerm == c.lead.Term }

func (c *Core) readsReady() bool { return c.mayAnswerReads() && c.reads.ready(c.lead.Leader) }

func (c *Core) stepReads() {
	r := &c.reads
	if !c.readsReady() {
		return
	}
	for _, round := range r.rounds {
		if round.again {
			c.ask(round)
		}
	}
	if len(r.waiting) > 0 && len(r.rounds) < maxReadRounds {
		round := &readRound{done: r.waiting}
		r.waiting = nil
		r.rounds = append(r.rounds, round)
		c.ask(round)
	}
}

func (c *Core) ask(round *readRound) {
	r := &c.reads
	r.seq++
	round.ctxs = append(round.ctxs, r.seq)
	round.again, round.ticks = false, 0
	ctx := binary.BigEndian.AppendUint64(nil, c.cfg.Incarnation)
	c.rn.ReadIndex(binary.BigEndian.AppendUint64(ctx, r.seq))
}

// ownRead decodes a context, false if it is of an earlier incarnation.
func (c *Core) ownRead(ctx []byte) (uint64, bool) {
	if len(ctx) != 16 || binary.BigEndian.Uint64(ctx) != c.cfg.Incarnation {
		return 0, false
	}
	return binary.BigEndian.Uint64(ctx[8:]), true
}

// answerRead takes Raft's answer. One to a round that is over is ignored.
func (c *Core) answerRead(s raft.ReadState) {
	seq, ok := c.ownRead(s.RequestCtx)
	if !ok {
		return
	}
	r := &c.reads
	for i, round := range r.rounds {
		for _, x := range round.ctxs {
			if x == seq {
				r.answered = append(r.answered, Read{Index: s.Index, Done: round.done})
				r.rounds = append(r.rounds[:i], r.rounds[i+1:]...)
				return
			}
		}
	}
}

// tick has rounds asked again that got no answer for some heartbeats: Raft
// drops requests when there is no leader, and messages get lost.
func (r *reads) tick(heartbeatTicks int) {
	for _, round := range r.rounds {
		if round.ticks++; round.ticks >= 3*heartbeatTicks {
			round.again = true
		}
	}
}

func (r *reads) retryAll() {
	for _, round := range r.rounds {
		round.again = true
	}
}
