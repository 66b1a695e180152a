package quorum

import (
	"math"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// election hastens the choice of a new leader when the old one is known to be
// gone, which is much earlier than the election timeout says it.
type election struct {
	attempts int // left
	wait     int // ticks until the next one

	// early is the last member that asked for a pre-vote while the leader was thought to live, which Raft
	// then does not answer, and earlyTicks how long ago.
	early      *raftpb.Message
	earlyTicks int
	refused    bool // a pre-vote was refused since the last Ready
}

func (e *election) stop() { e.attempts = 0 }

// PeerGone reports that a peer's process has ended: its connection broke and
// its address refuses new ones. If it was the leader, this member forgets it, so
// that it may vote at once, and campaigns in turns with the other voters. A mistake
// does no harm: pre-votes are refused by those that still hear from the leader,
// and its next heartbeat is believed.
func (c *Core) PeerGone(peer uint64) {
	defer c.guard("peer gone")
	c.lost[peer] = true
	if peer == 0 || peer != c.lead.Leader || c.lead.Self {
		return
	}
	c.note(c.rn.ForgetLeader())
	c.startElection(0, peer)
	if m := c.election.early; m != nil {
		// Another noticed a moment before and waits for our answer: it comes late, as it may.
		c.election.early = nil
		c.election.asked()
		c.note(c.rn.Step(m))
	}
	c.hasten()
}

// hear notes a message that only a leader sends. One of an earlier term is no word of the
// present leader's.
func (c *Core) hear(m *raftpb.Message) {
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
		if m.GetTerm() >= c.lead.Term {
			c.silent = 0
		}
	}
}

// silenceTick forgets a leader that has been silent for longer than any voter waits. Voters
// campaign before that. A learner never does, so Raft alone would have it follow for ever a leader that
// lost its majority and stepped down, or is cut off together with it; its clients would go on believing in
// sessions that the majority has long expired.
func (c *Core) silenceTick() {
	if c.lead.Leader == 0 || c.lead.Self {
		c.silent = 0
		return
	}
	if c.silent++; c.silent >= 2*c.cfg.ElectionTicks {
		c.silent = 0
		c.note(c.rn.ForgetLeader())
	}
}

// turnTicks are between one member's attempt and the next one's: at least one
// whole tick, the time an election takes.
const turnTicks = 2

// startTicks is how long a member that has just started listens for a leader.
const startTicks = 3

// startElection plans this member's attempts, the first one after some ticks
// and when the voters before it (without gone) have had their turn.
func (c *Core) startElection(after int, gone uint64) {
	turn, voters := c.turn(gone)
	if turn < 0 {
		return
	}
	c.election.wait = after + turnTicks*turn
	// Long enough for the usual timeouts to have passed, too.
	c.election.attempts = 1 + 3*c.cfg.ElectionTicks/(turnTicks*max(voters, 1))
}

func (c *Core) electionTick() {
	if c.election.early != nil {
		if c.election.earlyTicks++; c.election.earlyTicks > turnTicks {
			c.election.early = nil
		}
	}
	if c.election.attempts > 0 {
		c.election.wait--
		c.hasten()
	}
}

// asked notes that another member campaigns: this one lets it finish.
func (e *election) asked() { e.wait = max(e.wait, turnTicks) }

// askedEarly keeps a request for a pre-vote for when the leader turns out to be gone.
func (e *election) askedEarly(m *raftpb.Message) { e.early, e.earlyTicks = m, 0 }

// refusedVote campaigns at once if the member that was refused a pre-vote, since its log is shorter than this
// one's, cannot be elected without this one: of three that is so when one is gone. Otherwise it is let
// finish, since two at a time may split the vote.
func (c *Core) refusedVote() {
	c.election.refused = false
	if _, voters := c.turn(0); voters-2 > voters/2 || c.lead.Leader != 0 {
		return
	}
	c.election.wait = 0
	c.hasten()
}

// hasten campaigns if it is this member's turn. Members campaign at different
// times: together they would split the vote.
func (c *Core) hasten() {
	e := &c.election
	if e.wait > 0 || e.attempts == 0 {
		return
	}
	e.attempts--
	_, voters := c.turn(0)
	e.wait = turnTicks * max(voters-1, 1)
	if c.role != raft.StateLeader {
		c.note(c.rn.Campaign())
	}
}

// turn is this member's position among the voters without gone, -1 if it is
// none, and their number.
func (c *Core) turn(gone uint64) (turn, voters int) {
	conf, ok := c.log.ConfAt(math.MaxUint64)
	if !ok {
		return -1, 0
	}
	ids := append(slices.Clone(conf.State.Voters), conf.State.VotersOutgoing...)
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id uint64) bool { return id == gone })
	return slices.Index(ids, c.cfg.ID), len(ids)
}

// stallTick hands leadership over when this leader's disk stands still: its
// heartbeats go on, so that the others would wait for it for ever. Another voter needs no
// disk of ours: the entries were sent to it at once.
func (c *Core) stallTick() {
	j := &c.jobs
	if j.appended != j.stallSeq || j.appended == j.appendSeq {
		j.stallSeq, j.stallTicks = j.appended, 0
		return
	}
	if j.stallTicks++; !c.lead.Self || j.stallTicks%(2*c.cfg.ElectionTicks) != 0 {
		return
	}
	if to := c.bestVoter(); to != 0 {
		c.zlog.Warn("disk stands still, leadership is handed over", zap.Uint64("peer", to))
		c.rn.TransferLeader(to)
	}
}
