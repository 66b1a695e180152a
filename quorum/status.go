package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// Status is what a member knows of itself and, if it leads, of the others.
type Status struct {
	ID uint64
	Leadership
	// Role is "follower", "pre-candidate", "candidate", "leader" or "learner".
	Role string
	// Commit and Applied are log indexes; the log holds entries from First to
	// Last, about LogBytes of them.
	Commit, Applied, First, Last uint64
	LogBytes                     int64
	// Members are those of the configuration in force, ascending by id.
	Members []MemberConfig
	// Joint: a change of membership is half done.
	Joint bool
	// Peers is filled in on the leader only, ascending by id.
	Peers []PeerStatus
}

// PeerStatus is a follower as its leader sees it.
type PeerStatus struct {
	ID uint64
	// Match is the last entry it is known to have stored.
	Match uint64
	// State is "probe", "replicate" or "snapshot".
	State string
	// Active: it has answered within the last election timeout.
	Active bool
}

// Status returns the present state, or the zero value after the member has
// ended.
func (m *Member) Status() (s Status) {
	if !m.do(func(c *Core) { s = c.Status() }) {
		return Status{}
	}
	return s
}

// Status returns the present state.
func (c *Core) Status() Status {
	s := Status{ID: c.cfg.ID, Leadership: c.lead, Commit: c.hard.Commit, Applied: c.jobs.applied, LogBytes: c.log.Bytes()}
	s.First, _ = c.log.FirstIndex()
	s.Last, _ = c.log.LastIndex()
	s.Members = slices.Clone(c.roster.members)
	s.Role = map[raft.StateType]string{
		raft.StateFollower: "follower", raft.StatePreCandidate: "pre-candidate",
		raft.StateCandidate: "candidate", raft.StateLeader: "leader",
	}[c.role]
	for _, m := range c.roster.members {
		if m.ID == c.cfg.ID && m.Learner {
			s.Role = "learner"
		}
	}
	if conf, ok := c.log.ConfAt(c.jobs.applied); ok {
		s.Joint = len(conf.State.VotersOutgoing) > 0
	}
	if !c.lead.Self {
		return s
	}
	c.rn.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
		if id == c.cfg.ID {
			return
		}
		state := map[tracker.StateType]string{
			tracker.StateProbe: "probe", tracker.StateReplicate: "replicate", tracker.StateSnapshot: "snapshot",
		}[p.State]
		s.Peers = append(s.Peers, PeerStatus{ID: id, Match: p.Match, State: state, Active: p.RecentActive})
	})
	slices.SortFunc(s.Peers, func(a, b PeerStatus) int { return int(a.ID) - int(b.ID) })
	return s
}

// Idle reports whether this member leads and has applied everything that was proposed to it: as
// long as nothing further is, the state machine stays as it is. A change of membership that
// was begun by others counts, too.
func (m *Member) Idle() (idle bool) {
	m.do(func(c *Core) { idle = c.Idle() })
	return idle
}

// Idle is Member.Idle.
func (c *Core) Idle() bool {
	last, err := c.log.LastIndex()
	return err == nil && c.lead.Self && len(c.proposals.queue) == 0 && c.jobs.appended == c.jobs.appendSeq &&
		last == c.jobs.applied && c.changesKnown()
}

var errNobody = errors.New("nobody to hand leadership to")

// TransferLeadership hands leadership to a voter, 0 for the one whose log is
// most complete, and waits until this member no longer leads, or an election timeout
// has passed. ErrNotLeader if it does not lead.
func (m *Member) TransferLeadership(to uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), m.cfg.TickInterval*time.Duration(m.cfg.ElectionTicks))
	defer cancel()
	return m.transfer(ctx, to)
}

// HandOver begins to hand leadership to a voter, if this member leads. It does not wait: whether it
// came about is told by OnLeadership.
func (m *Member) HandOver(to uint64) { m.do(func(c *Core) { c.Transfer(to) }) }

func (m *Member) transfer(ctx context.Context, to uint64) error {
	var started Leadership
	target := to
	begin := func() (err error) {
		err = ErrClosed
		m.do(func(c *Core) { err = c.transferTo(&target, to == 0) })
		return err
	}
	m.do(func(c *Core) { started = c.lead })
	if err := begin(); err != nil {
		return err
	}
	poll := time.NewTicker(m.cfg.TickInterval / 4)
	defer poll.Stop()
	for {
		if l := m.Leadership(); l.Term != started.Term && l.Leader != 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("transfer leadership: %w", ctx.Err())
		case <-m.loopDone:
			return ErrClosed
		case <-poll.C:
			if err := begin(); err != nil && !errors.Is(err, ErrNotLeader) {
				return err
			}
		}
	}
}

// transferTo begins the transfer to target. If it may choose, it does so when there is none
// or the one chosen before is lost.
func (c *Core) transferTo(target *uint64, choose bool) error {
	switch {
	case !c.lead.Self:
		return ErrNotLeader
	case choose && (*target == 0 || c.lost[*target]):
		*target = c.bestVoter()
	}
	if *target == 0 {
		return errNobody
	}
	c.Transfer(*target)
	return nil
}

// bestVoter is the active voter with the most complete log, 0 if there is
// none. Raft calls active whoever was within the last election timeout.
func (c *Core) bestVoter() uint64 { return c.bestOf(nil) }

// bestOf is bestVoter among some.
func (c *Core) bestOf(among []uint64) (best uint64) {
	var match uint64
	c.rn.WithProgress(func(id uint64, typ raft.ProgressType, p tracker.Progress) {
		if among != nil && !slices.Contains(among, id) {
			return
		}
		if id != c.cfg.ID && typ == raft.ProgressTypePeer && p.RecentActive && !c.lost[id] && (best == 0 || p.Match > match) {
			best, match = id, p.Match
		}
	})
	return best
}
