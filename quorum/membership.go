package quorum

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
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

// ProposeChange proposes a change of membership, if this member leads. It
// comes out as an entry like any other; Raft turns one that is proposed while another
// is under way into an empty entry.
func (c *Core) ProposeChange(change MembershipChange) {
	defer c.guard("propose change of membership")
	if c.lead.Self {
		c.note(c.rn.ProposeConfChange(change.confChange()))
	}
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
	c.members, c.membersChanged = mergeMembers(c.members, added, state), true
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
