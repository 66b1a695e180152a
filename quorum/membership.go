package quorum

import (
	"cmp"
	"context"
	"encoding/binary"
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

// MembershipChange is applied as a whole, through joint consensus where
// needed.
type MembershipChange struct {
	// Add are new members, voters that become learners, learners that become
	// voters, or members with a new address.
	Add []MemberConfig
	// Remove are ids. They are never used again.
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
	if !ok || c.changes.ownFirst == 0 || c.jobs.applied < c.changes.ownFirst || c.jobs.applied < c.changes.last || len(conf.State.VotersOutgoing) > 0 {
		return ErrChangePending
	}
	cc := change.confChange()
	if err := checkChange(conf.State, cc); err != nil {
		return fmt.Errorf("change of membership: %w", err)
	}
	if err := c.rn.ProposeConfChange(cc); err != nil {
		return ErrChangePending // leadership is being handed over
	}
	c.changes.last = math.MaxUint64 // until it is seen in the log
	return nil
}

// changes are the changes of membership in this leader's log.
type changes struct {
	ownFirst uint64 // its first entry: whether earlier ones are changes it does not look up
	last     uint64 // index of the last one appended by it
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
	find := func(id uint64) (MemberConfig, bool) {
		i := slices.IndexFunc(c.members, func(m MemberConfig) bool { return m.ID == id })
		if i < 0 {
			return MemberConfig{}, false
		}
		return c.members[i], true
	}
	for _, want := range change.Add {
		if got, ok := find(want.ID); !ok || got != want {
			return false
		}
	}
	for _, id := range change.Remove {
		if _, ok := find(id); ok {
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
	c.members, c.membersChanged, c.confIndex = mergeMembers(c.members, added, state), true, e.GetIndex()
	return storage.Conf{Index: e.GetIndex(), State: state, Members: encodeMembers(c.members)}, data, nil
}

// mergeMembers returns the members of state, with the addresses known so far
// overridden by those of added, ascending by id.
func mergeMembers(known, added []MemberConfig, state *raftpb.ConfState) []MemberConfig {
	var out []MemberConfig
	for _, set := range []struct {
		ids     []uint64
		learner bool
	}{{state.Voters, false}, {state.VotersOutgoing, false}, {state.Learners, true}, {state.LearnersNext, true}} {
		for _, id := range set.ids {
			if slices.ContainsFunc(out, func(m MemberConfig) bool { return m.ID == id }) {
				continue
			}
			m := MemberConfig{ID: id, Learner: set.learner}
			for _, from := range [][]MemberConfig{known, added} {
				for _, k := range from {
					if k.ID == id {
						m.Addr = k.Addr
					}
				}
			}
			out = append(out, m)
		}
	}
	slices.SortFunc(out, byID)
	return out
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
	return storage.Conf{Index: foundingIndex, State: state, Members: encodeMembers(sorted)}
}

func byID(a, b MemberConfig) int { return cmp.Compare(a.ID, b.ID) }

var errMembers = errors.New("malformed list of members")

// encodeMembers writes count, then id, learner and address of each.
func encodeMembers(members []MemberConfig) []byte {
	b := binary.AppendUvarint(nil, uint64(len(members)))
	for _, m := range members {
		b = binary.AppendUvarint(b, m.ID)
		learner := byte(0)
		if m.Learner {
			learner = 1
		}
		b = append(b, learner)
		b = binary.AppendUvarint(b, uint64(len(m.Addr)))
		b = append(b, m.Addr...)
	}
	return b
}

// splitMembers decodes a list and returns what follows it.
func splitMembers(b []byte) (members []MemberConfig, rest []byte, err error) {
	uvarint := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			err = errMembers
			return 0
		}
		b = b[n:]
		return v
	}
	for n := uvarint(); err == nil && n > 0; n-- {
		m := MemberConfig{ID: uvarint()}
		if err != nil || len(b) == 0 {
			return nil, nil, errMembers
		}
		m.Learner = b[0] != 0
		b = b[1:]
		size := uvarint()
		if err != nil || size > uint64(len(b)) {
			return nil, nil, errMembers
		}
		m.Addr = string(b[:size])
		b = b[size:]
		members = append(members, m)
	}
	return members, b, err
}

func decodeMembers(b []byte) ([]MemberConfig, error) {
	members, rest, err := splitMembers(b)
	if err == nil && len(rest) > 0 {
		err = errMembers
	}
	return members, err
}
