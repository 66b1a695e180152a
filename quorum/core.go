package quorum

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"holt/quorum/storage"
)

// ErrLogLost means that the leader knows of entries which this member had
// acknowledged and no longer has. It must not take part any more: remove it
// from the ensemble and add it again, empty.
var ErrLogLost = errors.New("the log has lost entries that were acknowledged")

// CoreConfig configures a Core. All fields are needed unless said otherwise.
type CoreConfig struct {
	ID  uint64
	Log *storage.Log
	// Applied is the state machine's.
	Applied uint64
	// Incarnation differs each time a core is made for this member.
	Incarnation uint64

	ElectionTicks, HeartbeatTicks int

	MaxUncommittedBytes, MaxMessageBytes, MaxInflightBytes, MaxApplyBytes uint64
	MaxInflight                                                           int

	FlushBytes, LogBytes, LogBytesMax int64
	FlushTicks, HoldTicks             int // 0: flush by bytes only; hold for nobody lost

	// IDsReused: a member that has just joined does not vote before it has a snapshot, since
	// the id may have been that of a member with another log. Not needed.
	IDsReused bool

	Logger *zap.Logger
}

// Core is a Raft member without goroutines, clock, network or disk writes: a
// struct stepped by one caller at a time. The caller puts in what happened
// (Tick, Step, Propose, ...) and takes out, by Ready, what is to be done; it
// reports jobs back when they are done. Member is the caller in production,
// quorumtest the one in simulations.
//
// After any method the core may have failed, see Err: nothing it handed out
// since may be used, and it is not called again.
type Core struct {
	cfg  CoreConfig
	rn   *raft.RawNode
	log  *storage.Log
	zlog *zap.Logger
	err  error

	lead           Leadership
	role           raft.StateType
	hard           storage.Hard // as last handed out
	roster         roster       // of the configuration in force
	membersChanged bool
	confIndex      uint64 // from which it is in force
	commitTerm     uint64 // of the newest entry known to be committed
	// lost are the peers whose connection broke and of which nothing was heard since.
	lost map[uint64]bool
	// silent counts the ticks since the leader's last word.
	silent int

	proposals proposals
	reads     reads
	election  election
	changes   changes
	jobs      jobs
	upkeep    upkeep
}

// NewCore makes the core of a member with a founded log.
func NewCore(cfg CoreConfig) (c *Core, err error) {
	c = &Core{cfg: cfg, log: cfg.Log, zlog: cfg.Logger, lost: map[uint64]bool{}}
	if err := c.checkLog(); err != nil {
		return nil, err
	}
	c.hard = c.log.HardState()
	c.hard.Commit = max(c.hard.Commit, cfg.Applied)
	c.jobs.applied = cfg.Applied
	c.jobs.vote = c.hard
	conf, ok := c.log.ConfAt(max(cfg.Applied, foundingIndex))
	if !ok {
		return nil, fmt.Errorf("log knows no configuration at %d", cfg.Applied)
	}
	c.confIndex = conf.Index
	if c.roster, err = decodeRoster(conf.Members, conf.State); err != nil {
		return nil, fmt.Errorf("configuration at %d: %w", conf.Index, err)
	}
	c.roster.founders, c.roster.index = conf.Index == foundingIndex, conf.Index
	defer func() {
		if c.err != nil {
			c, err = nil, c.err
		}
	}()
	defer c.guard("start")
	first, _ := c.log.FirstIndex()
	c.rn, err = raft.NewRawNode(&raft.Config{
		ID:                        cfg.ID,
		ElectionTick:              cfg.ElectionTicks,
		HeartbeatTick:             cfg.HeartbeatTicks,
		Storage:                   coreStorage{c.log, c},
		Applied:                   max(cfg.Applied, first-1),
		AsyncStorageWrites:        true,
		MaxSizePerMsg:             cfg.MaxMessageBytes,
		MaxCommittedSizePerReady:  cfg.MaxApplyBytes,
		MaxUncommittedEntriesSize: cfg.MaxUncommittedBytes,
		MaxInflightMsgs:           cfg.MaxInflight,
		MaxInflightBytes:          cfg.MaxInflightBytes,
		CheckQuorum:               true,
		PreVote:                   true,
		DisableProposalForwarding: true,
		StepDownOnRemoval:         true,
		Logger:                    raftLogger{cfg.Logger},
	})
	if err != nil {
		return nil, err
	}
	c.lead.Term = c.hard.Term
	// After a start of the whole ensemble nobody need wait for the election
	// timeout; one that leads is heard from within a few ticks. The only voter
	// waits for nobody.
	c.startElection(startTicks, 0)
	if v := conf.State.Voters; len(v) == 1 && v[0] == cfg.ID && len(conf.State.VotersOutgoing) == 0 {
		c.note(c.rn.Campaign())
	}
	return c, nil
}

// checkLog compares the log with the state machine: between them nothing may
// be missing.
func (c *Core) checkLog() error {
	first, _ := c.log.FirstIndex()
	last, _ := c.log.LastIndex()
	switch {
	case !c.log.Founded():
		return errors.New("log is not founded")
	case c.cfg.Applied > last:
		return fmt.Errorf("%w: it ends at %d, the state machine has applied %d", ErrLogLost, last, c.cfg.Applied)
	case c.cfg.Applied+1 < first && first != foundingIndex+1:
		return fmt.Errorf("state machine has applied %d, the log begins at %d: the state machine has lost entries", c.cfg.Applied, first)
	}
	return nil
}

// foundingIndex is the index of the entry that exists nowhere: all founding
// members agree that it is committed and that the log begins after it.
const foundingIndex = 1

// Err returns the failure that ended the core, nil while it works.
func (c *Core) Err() error { return c.err }

// Leadership returns who leads.
func (c *Core) Leadership() Leadership { return c.lead }

// Members returns the members of the configuration in force, ascending by id.
func (c *Core) Members() []MemberConfig { return slices.Clone(c.roster.members) }

// Tick advances the clock by one unit.
func (c *Core) Tick() {
	defer c.guard("tick")
	c.rn.Tick()
	c.silenceTick()
	c.jobs.acked = said{}
	c.proposals.blocked = false
	c.reads.tick(c.cfg.HeartbeatTicks)
	c.electionTick()
	c.stallTick()
	if c.roster.joint {
		c.changes.leaving++
	}
	c.leaveJoint()
	c.upkeep.tick(c)
}

// Step takes a message from a peer. Messages that make no sense are dropped.
// The core keeps m.
func (c *Core) Step(m *raftpb.Message) {
	defer c.guardMessage(m)
	if len(c.lost) > 0 {
		delete(c.lost, m.GetFrom())
	}
	switch {
	case m.GetTo() != c.cfg.ID, raft.IsLocalMsg(m.GetType()):
		return
	case m.GetType() == raftpb.MsgProp, m.GetType() == raftpb.MsgSnap:
		return
	case m.GetType() == raftpb.MsgReadIndex && !c.mayAnswerReads():
		return // it will ask again
	case m.GetType() == raftpb.MsgPreVote, m.GetType() == raftpb.MsgVote:
		if c.cfg.IDsReused && c.confIndex == 0 {
			return // it has joined and knows nothing yet: a former self may have voted
		}
		c.election.asked()
		if m.GetType() == raftpb.MsgPreVote && c.lead.Leader != 0 {
			c.election.askedEarly(m)
		}
	case m.GetType() == raftpb.MsgApp && len(m.GetEntries()) > 0:
		c.jobs.acked = said{} // the answer to the same entries may have been lost
	}
	c.hear(m)
	c.note(c.rn.Step(m))
}

// StepSnapshot takes a leader's MsgSnap whose files lie in dir. If Raft has no
// use for it, the next Ready says so (Discard).
func (c *Core) StepSnapshot(m *raftpb.Message, dir string) {
	defer c.guardMessage(m)
	if m.GetType() != raftpb.MsgSnap || m.GetTo() != c.cfg.ID {
		c.jobs.discard = append(c.jobs.discard, dir)
		return
	}
	if c.jobs.incoming != "" {
		c.jobs.discard = append(c.jobs.discard, c.jobs.incoming)
	}
	c.jobs.incoming = dir
	c.hear(m)
	c.note(c.rn.Step(m))
}

// Unreachable reports that messages to a peer were lost, so that the leader
// does not count on them.
func (c *Core) Unreachable(peer uint64) {
	defer c.guard("report unreachable")
	c.lost[peer] = true
	c.rn.ReportUnreachable(peer)
}

// Transfer hands leadership to a voter, if this member leads. Proposals wait
// meanwhile; if it fails, this member goes on after ElectionTicks.
func (c *Core) Transfer(to uint64) {
	defer c.guard("transfer")
	if c.lead.Self {
		c.rn.TransferLeader(to)
	}
}

// Campaign tries to get elected. For tests and for operators.
func (c *Core) Campaign() {
	defer c.guard("campaign")
	c.note(c.rn.Campaign())
}

// note ignores what Raft reports about messages it has no use for.
func (c *Core) note(err error) {
	if err != nil {
		c.zlog.Debug("raft", zap.Error(err))
	}
}

// guard turns Raft's panics into the core's failure: the process has an
// orderly way to stop, and shares its fate with other members in tests and in
// development mode. Panics that are not Raft's go on.
func (c *Core) guard(doing string) {
	switch r := recover().(type) {
	case nil:
	case raftPanic:
		c.fail(fmt.Errorf("raft: %s: %s", doing, string(r)))
	case *storage.ReadError:
		c.fail(r)
	default:
		panic(r)
	}
}

func (c *Core) guardMessage(m *raftpb.Message) {
	switch r := recover().(type) {
	case nil:
	case raftPanic:
		if m.GetType() == raftpb.MsgHeartbeat {
			// The only check a heartbeat can fail: its commit index is at most
			// what this member acknowledged.
			c.fail(fmt.Errorf("%w: leader %d expects entry %d; %s (%s)",
				ErrLogLost, m.GetFrom(), m.GetCommit(), remedyLost, string(r)))
			return
		}
		c.fail(fmt.Errorf("raft: %s from member %d: %s", m.GetType(), m.GetFrom(), string(r)))
	case *storage.ReadError:
		c.fail(r)
	default:
		panic(r)
	}
}

func (c *Core) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// coreStorage is the log as Raft sees it.
type coreStorage struct {
	*storage.Log
	c *Core
}

// InitialState implements raft.Storage.
func (s coreStorage) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	conf, _ := s.ConfAt(max(s.c.cfg.Applied, foundingIndex)) // NewCore has looked
	h := s.c.hard
	return &raftpb.HardState{Term: new(h.Term), Vote: new(h.Vote), Commit: new(h.Commit)}, conf.State, nil
}

// Snapshot implements raft.Storage. A checkpoint is made by the state
// machine's goroutine; until then there is none, and Raft asks again.
func (s coreStorage) Snapshot() (*raftpb.Snapshot, error) {
	first, err := s.FirstIndex()
	if err != nil {
		return nil, err
	}
	return s.c.upkeep.snapshot(first, s.c.confIndex)
}
