package quorum

import (
	"errors"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// proposals are entries to be appended by this leader, in order. They are
// bounded by the caller (Member.Propose blocks).
type proposals struct {
	queue   [][]byte
	blocked bool // Raft refused; try again when something has changed
}

func (p *proposals) ready(leading bool) bool { return leading && len(p.queue) > 0 && !p.blocked }

// leadershipChanged forgets what was not appended: its proposer learns of the
// change and decides anew.
func (p *proposals) leadershipChanged() { *p = proposals{} }

// Propose queues entries for the log, in order, if this member leads in term;
// otherwise it drops them. Proposals under way are dropped when leadership
// ends; whether an entry was committed is known when it is applied.
func (c *Core) Propose(term uint64, data ...[]byte) {
	if !c.lead.Self || c.lead.Term != term {
		return
	}
	c.proposals.queue = append(c.proposals.queue, data...)
}

// stepProposals appends all that is queued as one message, so that it is one
// append and one message to each follower.
func (c *Core) stepProposals() {
	p := &c.proposals
	if !p.ready(c.lead.Self) {
		return
	}
	ents := make([]*raftpb.Entry, len(p.queue))
	for i, data := range p.queue {
		ents[i] = &raftpb.Entry{Data: data}
	}
	err := c.rn.Step(&raftpb.Message{Type: raftpb.MsgProp.Enum(), From: new(c.cfg.ID), Entries: ents})
	switch {
	case err == nil:
		p.queue = nil
	case errors.Is(err, raft.ErrProposalDropped):
		// Leadership is being handed over, or too much is uncommitted. While this
		// member leads nobody else will repeat the proposals, so they are kept.
		p.blocked = true
	default:
		c.fail(err)
	}
}
