package quorum

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.etcd.io/raft/v3/confchange"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"holt/quorum/storage"
)

// MembershipChange is applied as a whole. One that is more than a single step
// goes through joint consensus:
//
//	old ──▶ old and new: both majorities are needed ──▶ new
//	     entry 1                                   entry 2, by whoever leads then
//
// The second entry follows by itself. Only it brings Data: who is told of the change can
// end the members that it removes.
type MembershipChange struct {
	// Add are new members, voters that become learners, learners that become
	// voters, or members with a new address.
	Add []MemberConfig
	// Remove are ids. A member that comes back after its removal is refused
	// (ErrRemoved) until its id is added again, with an empty log.
	Remove []uint64
	// Data is the entry that the state machine sees when the change takes
	// effect.
	Data []byte
}

// confChange encodes a change for the log.
func (c MembershipChange) confChange() *raftpb.ConfChangeV2 {
	cc := &raftpb.ConfChangeV2{Context: append(encodeMembers(c.Add), c.Data...)}
	single := func(t raftpb.ConfChangeType, id uint64) {
		cc.Changes = append(cc.Changes, &raftpb.ConfChangeSingle{Type: t.Enum(), NodeId: new(id)})
	}
	for _, id := range c.Remove {
		single(raftpb.ConfChangeRemoveNode, id)
	}
	for _, m := range c.Add {
		if m.Learner {
			single(raftpb.ConfChangeAddLearnerNode, m.ID)
		} else {
			single(raftpb.ConfChangeAddNode, m.ID)
		}
	}
	if len(cc.Changes) > 1 {
		cc.Transition = raftpb.ConfChangeTransition_ConfChangeTransitionJointExplicit.Enum()
	}
	return cc
}

// ErrChangePending: another change of membership is under way, or a new
// leader does not know yet whether one is. Try again.
var ErrChangePending = errors.New("another change of membership is under way")

// ProposeChange proposes a change of membership: ErrNotLeader, ErrChangePending
// or an error that says what is wrong with it. It comes out as an entry like any
// other, or not at all if leadership ends first.
func (c *Core) ProposeChange(change MembershipChange) (err error) {
	defer c.guard("propose change of membership")
	if !c.lead.Self {
		return ErrNotLeader
	}
	conf, ok := c.log.ConfAt(c.jobs.applied)
	if !ok || !c.changesKnown() || len(conf.State.VotersOutgoing) > 0 {
		return ErrChangePending
	}
	cc := change.confChange()
	if len(cc.Changes) == 1 && c.losesVoice(&change) {
		// A leader that only steps down leaves the others to an election timeout.
		cc.Transition = raftpb.ConfChangeTransition_ConfChangeTransitionJointExplicit.Enum()
	}
	if err := checkChange(conf.State, cc); err != nil {
		return fmt.Errorf("change of membership: %w", err)
	}
	if err := c.rn.ProposeConfChange(cc); err != nil {
		return ErrChangePending // leadership is being handed over
	}
	c.changes.last = math.MaxUint64 // until it is seen in the log
	return nil
}

// changesKnown: this leader has applied every change of membership in its log.
func (c *Core) changesKnown() bool {
	g := &c.changes
	return g.ownFirst != 0 && c.jobs.applied >= g.ownFirst && c.jobs.applied >= g.last
}

// losesVoice reports whether this member does not vote after the change.
func (c *Core) losesVoice(change *MembershipChange) bool {
	return slices.Contains(change.Remove, c.cfg.ID) ||
		slices.ContainsFunc(change.Add, func(m MemberConfig) bool { return m.ID == c.cfg.ID && m.Learner })
}

// leaveJoint proposes the second half of a change, if this member leads and the first is in
// force. A leader that will not vote afterwards hands over first, and goes on by itself only
// if that does not come about. While leadership is being handed over the proposal is refused; the
// next tick tries again.
func (c *Core) leaveJoint() {
	if !c.lead.Self || !c.roster.joint || !c.changesKnown() || c.jobs.applied < c.confIndex {
		return
	}
	conf, ok := c.log.ConfAt(c.confIndex)
	if !ok {
		return // not written yet
	}
	if !slices.Contains(conf.State.Voters, c.cfg.ID) && c.changes.leaving < 2*c.cfg.ElectionTicks {
		if c.leaveTo(conf.State.Voters) {
			return
		}
	}
	cc := &raftpb.ConfChangeV2{Context: append(encodeMembers(nil), c.roster.leave...)}
	if err := c.rn.ProposeConfChange(cc); err == nil {
		c.changes.last = math.MaxUint64 // until it is seen in the log
	}
}

// leaveTo hands leadership to one of the voters to be; false if there is none. Not at once: one that
// has not applied the first half yet ignores the call, and Raft waits for it for an
// election timeout. The next one in turn makes Raft give up the one before.
func (c *Core) leaveTo(voters []uint64) bool {
	const wait, turn = 2, 3 // ticks
	if n := c.changes.leaving - wait; n < 0 || n%turn != 0 || c.changes.triedAt == c.changes.leaving {
		return true
	}
	c.changes.triedAt = c.changes.leaving
	among := slices.DeleteFunc(slices.Clone(voters), func(id uint64) bool { return id == c.changes.leaveTo })
	to := c.bestOf(among)
	if to == 0 {
		to = c.bestOf(voters)
	}
	if to != 0 {
		c.changes.leaveTo = to
		c.rn.TransferLeader(to)
	}
	return to != 0
}

// changes are the changes of membership in this leader's log.
type changes struct {
	ownFirst uint64 // its first entry: whether earlier ones are changes it does not look up
	last     uint64 // index of the last one appended by it
	leaving  int    // ticks for which a change has been half done
	triedAt  int    // leaving when it tried last to hand over before it loses its voice
	leaveTo  uint64 // to whom
}

func (g *changes) appended(e *raftpb.Entry) {
	if g.ownFirst == 0 {
		g.ownFirst = e.GetIndex()
	}
	if e.GetType() != raftpb.EntryNormal {
		g.last = e.GetIndex()
	}
}

// checkChange tries the change, as Raft will when it is applied: there an
// impossible one would end every member.
func checkChange(conf *raftpb.ConfState, cc *raftpb.ConfChangeV2) error {
	if len(cc.GetChanges()) == 0 {
		return errors.New("it changes nothing")
	}
	seen := map[uint64]bool{}
	for _, c := range cc.GetChanges() {
		if c.GetNodeId() == 0 || seen[c.GetNodeId()] {
			return fmt.Errorf("member id %d is zero or named twice", c.GetNodeId())
		}
		seen[c.GetNodeId()] = true
	}
	changer := confchange.Changer{Tracker: tracker.MakeProgressTracker(1, 0)}
	var err error
	if changer.Tracker.Config, changer.Tracker.Progress, err = confchange.Restore(changer, conf); err != nil {
		return err
	}
	if autoLeave, joint := cc.EnterJoint(); joint {
		_, _, err = changer.EnterJoint(autoLeave, cc.GetChanges()...)
	} else {
		_, _, err = changer.Simple(cc.GetChanges()...)
	}
	return err
}

// StartChange proposes a change and does not wait for it: it is in force when the state machine
// sees its Data. See Core.ProposeChange for the errors.
func (m *Member) StartChange(change MembershipChange) error {
	err := ErrClosed
	m.do(func(c *Core) { err = c.ProposeChange(change) })
	return err
}

// ChangeMembership changes who the members are, and waits until the change is
// in force on this member or ctx ends; then, or when leadership ends, it may still
// come into force. Leader only.
//
// Add a member as a learner first, and make it a voter when Status says that
// it has caught up: a voter that has nothing yet can keep the others from deciding.
func (m *Member) ChangeMembership(ctx context.Context, change MembershipChange) error {
	err := ErrClosed
	var term uint64
	m.do(func(c *Core) { err, term = c.ProposeChange(change), c.lead.Term })
	if err != nil {
		return err
	}
	poll := time.NewTicker(m.cfg.TickInterval / 2)
	defer poll.Stop()
	for {
		inForce, led := false, false
		if !m.do(func(c *Core) {
			inForce, led = c.inForce(change), c.lead.Self && c.lead.Term == term
		}) {
			return ErrClosed
		}
		if inForce {
			return nil
		}
		if !led {
			return fmt.Errorf("change of membership may not take effect: %w", ErrNotLeader)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("change of membership: %w", ctx.Err())
		case <-poll.C:
		}
	}
}

// inForce reports whether the members are what change makes them.
func (c *Core) inForce(change MembershipChange) bool {
	if c.Status().Joint {
		return false
	}
	for _, want := range change.Add {
		got, ok := c.roster.find(want.ID)
		if want.Store == ([16]byte{}) {
			want.Store = got.Store
		}
		if !ok || got != want {
			return false
		}
	}
	for _, id := range change.Remove {
		if _, ok := c.roster.find(id); ok {
			return false
		}
	}
	return true
}

// applyConfChange puts a committed change into force and returns the
// configuration to be remembered and what the state machine gets to see.
func (c *Core) applyConfChange(e *raftpb.Entry) (storage.Conf, []byte, error) {
	cc := &raftpb.ConfChangeV2{}
	switch e.GetType() {
	case raftpb.EntryConfChangeV2:
		if err := proto.Unmarshal(e.GetData(), cc); err != nil {
			return storage.Conf{}, nil, err
		}
	default:
		return storage.Conf{}, nil, fmt.Errorf("entry of type %s", e.GetType())
	}
	var added []MemberConfig
	var data []byte
	if len(cc.GetContext()) > 0 {
		var err error
		if added, data, err = splitMembers(cc.GetContext()); err != nil {
			return storage.Conf{}, nil, err
		}
	}
	state := c.rn.ApplyConfChange(cc)
	before := c.roster
	c.roster = before.next(added, state, e.GetIndex())
	if c.roster.joint {
		c.roster.leave, data = data, nil
	}
	c.membersChanged, c.confIndex = true, e.GetIndex()
	conf := storage.Conf{Index: e.GetIndex(), State: state, Members: c.roster.encode()}
	conf.Forget = c.roster.strangers(&before)
	return conf, data, nil
}

// foundingConf is the configuration all founders write down by themselves.
func foundingConf(members []MemberConfig) storage.Conf {
	state := &raftpb.ConfState{}
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, byID)
	for _, m := range sorted {
		if m.Learner {
			state.Learners = append(state.Learners, m.ID)
		} else {
			state.Voters = append(state.Voters, m.ID)
		}
	}
	return storage.Conf{Index: foundingIndex, State: state, Members: (&roster{members: sorted}).encode()}
}
