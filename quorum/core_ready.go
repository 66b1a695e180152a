package quorum

import (
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"holt/quorum/storage"
)

// Ready is what the core wants done. Its parts may be done at the same time,
// except that Append jobs are done in the order handed out, and so are Apply
// jobs.
type Ready struct {
	// Send goes to peers now; losing, doubling and reordering do no harm.
	Send []*raftpb.Message
	// Snapshots to send, files and message, each reported by SnapshotSent.
	Snapshots []*raftpb.Message
	// Append is a job for the log, reported by Appended. Nil: none.
	Append *Append
	// Apply are jobs for the state machine, reported by Applied.
	Apply []*Apply
	// Reads are barriers to be released once the state machine has applied up
	// to their index.
	Reads []Read
	// Leadership has changed. Nil: it has not.
	Leadership *Leadership
	// Members are those of the configuration in force, if it has changed.
	Members []MemberConfig
	// Flush asks for StateMachine.Flush, reported by Flushed.
	Flush bool
	// Checkpoint asks for StateMachine.Checkpoint, reported by Checkpointed.
	Checkpoint bool
	// DropCheckpoint: the files of the last checkpoint are not needed any more.
	DropCheckpoint bool
	// Discard are directories given to StepSnapshot that are not needed.
	Discard []string
}

// Truncating reports whether the log is to be truncated.
func (rd *Ready) Truncating() bool { return rd.Append != nil && rd.Append.Truncate > 0 }

// Append is a write to the log and what may be said once it is durable. Jobs
// that wait may be written together; each is reported.
type Append struct {
	storage.Write
	// Send goes to peers once Write is durable and, with a snapshot, the state
	// machine has taken it over.
	Send []*raftpb.Message
	// Proposals of this member among the entries, made as leader in Term.
	Proposals int
	Term      uint64

	seq  uint64
	self []*raftpb.Message

	handed time.Duration // to the log's goroutine, by the member's clock; the member's
}

// Apply is a run of committed entries.
type Apply struct {
	Entries []Entry

	waitFor uint64 // the append that makes the configurations among Entries durable
	resp    *raftpb.Message

	committed time.Duration // when it was known, by the member's clock; the member's
}

// Read is a round of read barriers that has its index.
type Read struct {
	Index uint64
	Done  []func(error)
}

// jobs are the core's dealings with log and state machine.
type jobs struct {
	appendSeq uint64 // of the last Append handed out
	appended  uint64 // of the last Append done
	// No append was reported after stallSeq for stallTicks.
	stallSeq   uint64
	stallTicks int
	held       []*Apply
	applied    uint64
	incoming   string // directory of a snapshot stepped and not yet seen in a Ready
	discard    []string

	vote  storage.Hard  // the last handed to the log; its commit index is not kept up
	hard  *storage.Hard // a newer commit index, for the next Append; nil if there is none
	acked said          // to a leader, since the last tick
	saved said          // to Raft
}

// said is what a response to an append says.
type said struct{ to, term, index, logTerm uint64 }

// HasReady reports whether Ready would return anything.
func (c *Core) HasReady() bool {
	if c.err != nil {
		return false
	}
	return c.rn.HasReady() || c.proposals.ready(c.lead.Self) || c.readsReady() ||
		len(c.reads.answered) > 0 || c.applyReady() || c.upkeep.ready(c) || len(c.jobs.discard) > 0
}

// Ready takes out what is to be done. It is empty after a failure.
func (c *Core) Ready() (rd Ready) {
	defer func() {
		if c.err != nil {
			rd = Ready{}
		}
	}()
	defer c.guard("ready")
	c.stepProposals()
	c.stepReads()
	var r raft.Ready
	if c.rn.HasReady() {
		r = c.rn.Ready()
	}
	c.takeState(&r, &rd)
	for _, m := range r.Messages {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			c.takeAppend(m, &rd)
		case raft.LocalApplyThread:
			c.takeApply(m, &rd)
		default:
			if m.GetType() == raftpb.MsgSnap {
				c.upkeep.sending++
				rd.Snapshots = append(rd.Snapshots, m)
			} else {
				rd.Send = append(rd.Send, m)
			}
		}
	}
	rd.Send = withoutOvertaken(rd.Send)
	for _, s := range r.ReadStates {
		c.answerRead(s)
	}
	rd.Reads, c.reads.answered = c.reads.answered, nil
	if c.jobs.incoming != "" {
		// A snapshot that was of use has come out as an append.
		c.jobs.discard = append(c.jobs.discard, c.jobs.incoming)
		c.jobs.incoming = ""
	}
	rd.Discard, c.jobs.discard = c.jobs.discard, nil
	if c.membersChanged {
		rd.Members, c.membersChanged = c.Members(), false
	}
	c.upkeep.take(c, &rd)
	c.releaseApplies(&rd)
	if c.election.refused {
		c.refusedVote()
	}
	return rd
}

// withoutOvertaken leaves out appends that carry a commit index only, if a
// later append to the same follower carries it, too. That is one message and one
// answer less for each entry while entries follow each other closely.
func withoutOvertaken(msgs []*raftpb.Message) []*raftpb.Message {
	rest := msgs[:0]
	for i, m := range msgs {
		if m.GetType() != raftpb.MsgApp || len(m.GetEntries()) > 0 || !slices.ContainsFunc(msgs[i+1:], func(l *raftpb.Message) bool {
			return l.GetType() == raftpb.MsgApp && l.GetTo() == m.GetTo() && l.GetTerm() == m.GetTerm() &&
				len(l.GetEntries()) > 0 && l.GetCommit() >= m.GetCommit()
		}) {
			rest = append(rest, m)
		}
	}
	return rest
}

// takeState notices changes of leader, role and term.
func (c *Core) takeState(r *raft.Ready, rd *Ready) {
	l := c.lead
	if r.SoftState != nil {
		c.role = r.SoftState.RaftState
		l.Leader, l.Self = r.SoftState.Lead, r.SoftState.RaftState == raft.StateLeader
	}
	if r.HardState != nil {
		if r.HardState.GetCommit() > c.hard.Commit {
			c.proposals.blocked = false
		}
		c.hard = storage.Hard{Term: r.HardState.GetTerm(), Vote: r.HardState.GetVote(), Commit: r.HardState.GetCommit()}
		l.Term = c.hard.Term
	}
	if l == c.lead {
		return
	}
	c.lead = l
	rd.Leadership = &l
	if l.Leader != 0 {
		c.election.stop()
	}
	c.proposals.leadershipChanged()
	c.changes = changes{}
	c.upkeep.heard = map[uint64]int{}
	c.reads.retryAll()
}

func (c *Core) nextAppend(rd *Ready) *Append {
	if rd.Append == nil {
		c.jobs.appendSeq++
		rd.Append = &Append{seq: c.jobs.appendSeq, Write: storage.Write{Hard: c.jobs.hard}}
		c.jobs.hard = nil
	}
	return rd.Append
}

// LastAppend is a job of what was kept for the next one, nil if that is nothing. It is
// asked for after the last Ready, and not reported.
func (c *Core) LastAppend() *Append {
	if c.jobs.hard == nil {
		return nil
	}
	return c.nextAppend(&Ready{})
}

// takeAppend turns Raft's order to its storage thread into a job. Only jobs
// that carry responses have to be durable: those say what was promised. A commit index
// alone is no job: it waits for the next one, see storage.Write.
func (c *Core) takeAppend(m *raftpb.Message, rd *Ready) {
	var hard *storage.Hard
	if m.Term != nil {
		hard = &storage.Hard{Term: m.GetTerm(), Vote: m.GetVote(), Commit: m.GetCommit()}
	}
	responses := c.jobs.news(m.GetResponses())
	if len(responses) == 0 && len(m.GetEntries()) == 0 && m.GetSnapshot() == nil && (hard == nil || hard.SameVote(c.jobs.vote)) {
		if hard != nil {
			c.jobs.hard = hard
		}
		return
	}
	a := c.nextAppend(rd)
	a.Sync = len(responses) > 0
	a.Entries = m.GetEntries()
	if hard != nil {
		a.Hard, c.jobs.vote = hard, *hard
	}
	if c.lead.Self {
		a.Term = c.lead.Term
		for _, e := range a.Entries {
			if e.GetTerm() != c.lead.Term {
				continue
			}
			c.changes.appended(e)
			if len(e.GetData()) > 0 && e.GetType() == raftpb.EntryNormal {
				a.Proposals++
			}
		}
	}
	for _, resp := range responses {
		if resp.GetType() == raftpb.MsgPreVoteResp && resp.GetReject() {
			c.election.refused = true
		}
		if resp.GetTo() == c.cfg.ID {
			a.self = append(a.self, resp)
		} else {
			a.Send = append(a.Send, resp)
		}
	}
	if s := m.GetSnapshot(); s != nil {
		md := s.GetMetadata()
		a.Install = &storage.Install{Index: md.GetIndex(), Term: md.GetTerm(), Dir: c.jobs.incoming}
		a.Confs = []storage.Conf{{Index: md.GetIndex(), State: md.GetConfState(), Members: s.GetData()}}
		c.jobs.incoming = ""
		c.upkeep.installed(md.GetIndex())
		r, err := decodeRoster(s.GetData(), md.GetConfState())
		if err != nil {
			c.fail(fmt.Errorf("members of snapshot at %d: %w", md.GetIndex(), err))
			return
		}
		r.index = md.GetIndex()
		a.Confs[0].Forget = r.strangers(&c.roster)
		c.roster, c.membersChanged, c.confIndex = r, true, md.GetIndex()
	}
}

// news leaves out what the response before has said, too. A leader that tells of a commit index alone,
// once for each entry, is answered with what it has heard when the entry was saved; and Raft has itself told
// that what is on its way to the log is saved with each word to the log, for which one will do. An answer may get
// lost, so one is given again after a tick.
func (j *jobs) news(responses []*raftpb.Message) []*raftpb.Message {
	rest := responses[:0]
	for _, m := range responses {
		s := said{m.GetTo(), m.GetTerm(), m.GetIndex(), m.GetLogTerm()}
		var before *said
		switch {
		case m.GetType() == raftpb.MsgAppResp && !m.GetReject():
			before = &j.acked
		case m.GetType() == raftpb.MsgStorageAppendResp:
			before = &j.saved
		}
		if before == nil || m.GetSnapshot() != nil {
			j.acked, j.saved = said{}, said{}
		} else if s == *before {
			continue
		} else {
			*before = s
		}
		rest = append(rest, m)
	}
	return rest
}

// takeApply turns committed entries into a job. Changes of membership take
// effect here, as soon as they are known to be committed; the state machine sees
// their entries only when the new configuration is durable, so that after a crash
// the configuration at its applied index can be found.
func (c *Core) takeApply(m *raftpb.Message, rd *Ready) {
	a := &Apply{Entries: make([]Entry, len(m.GetEntries())), resp: m.GetResponses()[0]}
	for i, e := range m.GetEntries() {
		a.Entries[i] = Entry{Index: e.GetIndex(), Term: e.GetTerm(), Data: e.GetData()}
		c.commitTerm = e.GetTerm()
		c.upkeep.sinceFlush += int64(len(e.GetData())) + entryCost
		if e.GetType() == raftpb.EntryNormal {
			continue
		}
		conf, data, err := c.applyConfChange(e)
		if err != nil {
			c.fail(fmt.Errorf("change of membership at %d: %w", e.GetIndex(), err))
			return
		}
		a.Entries[i].Data = data
		// The commit index that covers it was handed out before or is in this
		// job, and the log writes the newest one with each batch: so a member that
		// restarts knows that there is a change it has to apply before it may campaign.
		j := c.nextAppend(rd)
		j.Confs = append(j.Confs, conf)
		a.waitFor = j.seq
	}
	c.jobs.held = append(c.jobs.held, a)
}

// entryCost is what an entry costs in the log besides its data.
const entryCost = 32

func (c *Core) applyReady() bool {
	return len(c.jobs.held) > 0 && c.jobs.held[0].waitFor <= c.jobs.appended
}

func (c *Core) releaseApplies(rd *Ready) {
	for c.applyReady() {
		rd.Apply = append(rd.Apply, c.jobs.held[0])
		c.jobs.held[0] = nil
		c.jobs.held = c.jobs.held[1:]
	}
	if len(c.jobs.held) == 0 {
		c.jobs.held = nil
	}
}

// Appended reports that a job is durable and its snapshot, if any, taken over.
func (c *Core) Appended(a *Append) {
	defer c.guard("append")
	c.jobs.appended = max(c.jobs.appended, a.seq)
	if a.Install != nil {
		c.jobs.applied = max(c.jobs.applied, a.Install.Index)
	}
	for _, m := range a.self {
		c.note(c.rn.Step(m))
	}
}

// Applied reports that a job's entries are applied.
func (c *Core) Applied(a *Apply) {
	defer c.guard("apply")
	c.jobs.applied = max(c.jobs.applied, a.Entries[len(a.Entries)-1].Index)
	c.note(c.rn.Step(a.resp))
	c.leaveJoint()
}
