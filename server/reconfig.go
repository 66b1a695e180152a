package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/server/apply"
	"holt/server/membership"
	"holt/wire"
)

// A reconfig is judged by the leader before it is proposed, since Raft carries it out
// whatever the state machine says of it:
//
//	a list's next command is a reconfig (apply.Admit)
//	  ─▶ nothing more is proposed until all that was is applied here (quorum.Idle):
//	     what is judged now is judged the same when its entry is applied
//	  ─▶ refused:  an entry of the leader's verdict and the command
//	     accepted: a change of membership that brings this entry when it is in force;
//	               all lists but this one go on
//	  ─▶ the entry is applied: the text changes, watches fire, the client gets its reply
//
// Who is cut off from the leader meanwhile sends the command again, like any other; a new leader
// finishes the change and then finds the number taken.

// admitRetry is when a reconfig is looked at again for which it was too early: another change
// is under way, or a new leader has not written the ensemble's text yet.
const admitRetry = 20 * time.Millisecond

// caughtUp is the number of log entries by which a member may lag and still count for the quorum of
// the configuration that it joins.
const caughtUp = 1000

// judgement is what becomes of a reconfig.
type judgement struct {
	wait   bool // look at it again later
	plain  bool // propose it without a verdict: it will be refused, or ignored
	code   wire.ErrCode
	cause  string // of a code that is not OK, for the log
	lines  string // of the members afterwards
	change *quorum.MembershipChange
}

// judgeReconfig decides on a reconfig while this member leads and is idle.
// ZooKeeper: PrepRequestProcessor.pRequest2Txn, case reconfig.
func (s *Server) judgeReconfig(cmd *apply.Command) (judgement, error) {
	var req wire.ReconfigRequest
	d := wire.NewDecoder(cmd.Body)
	req.Decode(d)
	s.machine.RLock()
	next := s.machine.WouldTake(cmd)
	text, acl, err := s.configNode()
	s.machine.RUnlock()
	switch {
	case err != nil:
		return judgement{}, err
	case d.Err() != nil || !next || !s.cfg.ReconfigEnabled:
		return judgement{plain: true}, nil
	case s.cfg.Standalone():
		return judgement{code: wire.ErrUnimplemented, cause: "this is a standalone server"}, nil
	}
	current, err := membership.Parse(text)
	raft := s.peers.Status()
	switch {
	case !s.machine.Configured():
		return judgement{wait: true}, nil
	case err != nil:
		return judgement{code: wire.ErrBadArguments, cause: "the present configuration cannot be read: " + err.Error()}, nil
	case raft.Joint:
		return judgement{code: wire.ErrReconfigInProgress, cause: "another change is under way"}, nil
	case req.CurConfigID != -1 && uint64(req.CurConfigID) != current.Version:
		return judgement{code: wire.ErrBadVersion, cause: fmt.Sprintf("it is for version %x, and the present one is %x", uint64(req.CurConfigID), current.Version)}, nil
	}
	after, refusal := s.nextMembers(&current, &req)
	if refusal != nil {
		return judgement{code: refusal.Code, cause: refusal.Cause}, nil
	}
	late := s.notSynced(&after, &raft)
	switch {
	case !after.EnoughVoters(!s.cfg.StandaloneDisabled):
		return judgement{code: wire.ErrBadArguments, cause: fmt.Sprintf("too few voters would be left: %d", after.Voters())}, nil
	case after.Voters()-len(late) <= after.Voters()/2:
		return judgement{code: wire.ErrNewConfigNoQuorum,
			cause: fmt.Sprintf("no majority of the %d voters to be is there and up to date: missing are members %v", after.Voters(), late)}, nil
	case cmd.Flags&apply.SkipACL == 0 && !cmd.Flags.Schemes().AllowedBy(acl, wire.PermWrite, cmd.Identities):
		return judgement{code: wire.ErrNoAuth, cause: "the client may not write /zookeeper/config"}, nil
	case !after.ValidIDs(): // last, since the original has no such bound
		return judgement{code: wire.ErrBadArguments, cause: fmt.Sprintf("an id is not 1 to %d", membership.IDMax)}, nil
	}
	return judgement{
		lines:  strings.Join(after.Lines(), "\n"),
		change: raftChange(&current, &after, &raft, leavingIDs(&req)),
	}, nil
}

func (s *Server) nextMembers(current *membership.Ensemble, req *wire.ReconfigRequest) (membership.Ensemble, *membership.Refusal) {
	if req.NewMembers != nil {
		return membership.Replace(*req.NewMembers, !s.cfg.StandaloneDisabled)
	}
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	return current.Next(text(req.JoiningServers), text(req.LeavingServers))
}

// leavingIDs are those that an incremental change names, members or not: a member that came
// and was never added is sent away by them, too.
func leavingIDs(req *wire.ReconfigRequest) map[uint64]bool {
	ids := map[uint64]bool{}
	if req.NewMembers == nil && req.LeavingServers != nil {
		for _, id := range membership.IDs(*req.LeavingServers) {
			ids[id] = true
		}
	}
	return ids
}

// notSynced are the voters to be that are not connected, or do not have nearly all of the log. A change
// needs a majority of the others. ZooKeeper: Leader.isQuorumSynced.
func (s *Server) notSynced(after *membership.Ensemble, raft *quorum.Status) (late []uint64) {
	for i := range after.Servers {
		m := &after.Servers[i]
		if m.Observer || m.ID == s.cfg.MemberID {
			continue
		}
		if !slices.ContainsFunc(raft.Peers, func(p quorum.PeerStatus) bool {
			return p.ID == m.ID && p.Active && p.State == "replicate" && p.Match+caughtUp >= raft.Last
		}) {
			late = append(late, m.ID)
		}
	}
	return late
}

// raftChange is the difference for quorum, nil for none. Members that quorum has and the text
// does not, newcomers that nobody has added yet, stay unless they are named.
func raftChange(current, after *membership.Ensemble, raft *quorum.Status, leaving map[uint64]bool) *quorum.MembershipChange {
	var c quorum.MembershipChange
	for i := range after.Servers {
		m := &after.Servers[i]
		was, listed := current.Find(m.ID)
		known := slices.IndexFunc(raft.Members, func(r quorum.MemberConfig) bool { return r.ID == m.ID })
		addr := m.PeerAddr()
		if listed && known >= 0 && was.PeerAddr() == addr {
			addr = raft.Members[known].Addr
		}
		if known < 0 || raft.Members[known].Addr != addr || raft.Members[known].Learner != m.Observer {
			c.Add = append(c.Add, raftMember(m, addr))
		}
	}
	for _, r := range raft.Members {
		_, stays := after.Find(r.ID)
		_, was := current.Find(r.ID)
		if !stays && (was || leaving[r.ID]) {
			c.Remove = append(c.Remove, r.ID)
		}
	}
	if len(c.Add) == 0 && len(c.Remove) == 0 {
		return nil
	}
	return &c
}

// admit deals with the reconfig at the head of a list. It runs on the proposer's goroutine.
func (p *pipeline) admit(l *commandList, b []byte) {
	s := p.srv
	if !s.peers.Idle() {
		p.setLook(false)
		s.peers.ReadBarrier(func(error) { p.setLook(true) })
		return
	}
	var cmd apply.Command
	err := cmd.Decode(b)
	var j judgement
	if err == nil {
		j, err = s.judgeReconfig(&cmd)
	}
	if err != nil {
		s.failed(err)
		return
	}
	if j.wait {
		p.resume(l, false, admitRetry)
		return
	}
	batch := [][]byte{b}
	if j.code != wire.OK {
		s.log.Warn("reconfig refused", zap.Stringer("session", cmd.Session), zap.Error(j.code), zap.String("cause", j.cause))
	}
	if !j.plain {
		verdict := apply.Command{Op: wire.OpReconfig, Body: apply.AppendVerdict(nil, j.code, j.lines)}
		batch = [][]byte{verdict.AppendTo(nil), b}
	}
	if j.change == nil {
		p.resume(l, true, 0)
		p.propose(batch)
		return
	}
	j.change.Data = apply.AppendEntry(nil, s.stamp(), batch...)
	p.mu.Lock()
	applied := p.admission.applied
	p.mu.Unlock()
	err = s.peers.StartChange(*j.change)
	switch {
	case err == nil:
		s.log.Info("change of members begins", zap.Stringers("add", j.change.Add), zap.Uint64s("remove", j.change.Remove))
		p.block(l, applied)
	case errors.Is(err, quorum.ErrNotLeader), errors.Is(err, quorum.ErrClosed):
		p.resume(l, false, admitRetry) // the members send again to whoever leads next
	case errors.Is(err, quorum.ErrChangePending):
		p.resume(l, false, admitRetry)
	default:
		s.log.Warn("change of members refused", zap.Error(err))
		refusal := apply.Command{Op: wire.OpReconfig, Body: apply.AppendVerdict(nil, wire.ErrBadArguments, "")}
		p.resume(l, true, 0)
		p.propose([][]byte{refusal.AppendTo(nil), b})
	}
}

// toAdmitLocked returns the list whose next command is a reconfig that may be looked at now.
func (p *pipeline) toAdmitLocked() *commandList {
	for _, l := range p.lists {
		if !l.blocked && l.head < len(l.items) && needsAdmission(l.items[l.head]) && !p.srv.now().Before(p.admission.retry) {
			return l
		}
	}
	return nil
}

func needsAdmission(b []byte) bool {
	_, flags := apply.PeekCommand(b)
	return flags&apply.Admit != 0
}

// admission is how far the reconfig at hand has come, guarded by pipeline.mu.
type admission struct {
	holding bool // nothing is proposed meanwhile
	look    bool // it is worth looking whether everything is applied
	retry   time.Time
	applied int // changes of members, so far
}

// next forgets the reconfig at hand; another one may be looked at from a time on.
func (a *admission) next(retry time.Time) { *a = admission{retry: retry, applied: a.applied} }

func (p *pipeline) setLook(look bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.admission.look = look
	p.propWake.Signal()
}

// resume lets the other commands go on: with the reconfig done with, or to be looked at later.
func (p *pipeline) resume(l *commandList, taken bool, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.admission.next(p.srv.now().Add(after))
	if taken {
		p.popLocked(l)
	}
}

// block lets the others go on and holds the list until its reconfig is applied, unless it was already:
// applied is how many were before it was proposed.
func (p *pipeline) block(l *commandList, applied int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.admission.next(time.Time{})
	p.popLocked(l)
	l.blocked = p.admission.applied == applied
}

// unblock is told that a change of members was applied.
func (p *pipeline) unblock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.admission.applied++
	for _, l := range p.lists {
		l.blocked = false
	}
	p.propWake.Signal()
}

func (p *pipeline) popLocked(l *commandList) {
	if !slices.Contains(p.lists, l) || l.head == len(l.items) {
		return // leadership has changed
	}
	l.items[l.head] = nil
	l.head++
	p.waiting--
	l.compact()
}
