package quorum

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

// roster is what the log keeps with a configuration beside Raft's part of it. It goes along
// with snapshots, so that every member knows it.
//
//	roster   members, removed(uvarint) { id index }..., leave with its length; a log founded
//	         before there were changes ends after the members
//	members  count(uvarint) { id flags(1) [store(16)] address with its length }...
type roster struct {
	members []MemberConfig // ascending by id
	removed []removal      // ascending by id; no members
	joint   bool           // a change is half done; not encoded, Raft's part tells
	leave   []byte         // what the state machine sees when the other half is done
	// founders: there was no change yet. index: from which it is in force. Not encoded.
	founders bool
	index    uint64
}

// removal is an id whose member was removed by the entry at an index.
type removal struct{ id, index uint64 }

func (r *roster) find(id uint64) (MemberConfig, bool) {
	i, ok := slices.BinarySearchFunc(r.members, id, func(m MemberConfig, id uint64) int { return cmp.Compare(m.ID, id) })
	if !ok {
		return MemberConfig{}, false
	}
	return r.members[i], true
}

// removedAt returns the index at which a member that is none now was removed, 0 if it was not.
func (r *roster) removedAt(id uint64) uint64 {
	for _, g := range r.removed {
		if g.id == id {
			return g.index
		}
	}
	return 0
}

// next returns the roster under another configuration. Known addresses and stores are
// overridden by those of added.
func (r *roster) next(added []MemberConfig, state *raftpb.ConfState, index uint64) roster {
	n := roster{members: mergeMembers(r.members, added, state), joint: len(state.VotersOutgoing) > 0, index: index}
	for _, g := range r.removed {
		if _, ok := n.find(g.id); !ok {
			n.removed = append(n.removed, g)
		}
	}
	for _, m := range r.members {
		if _, ok := n.find(m.ID); !ok {
			n.removed = append(n.removed, removal{m.ID, index})
		}
	}
	slices.SortFunc(n.removed, func(a, b removal) int { return cmp.Compare(a.id, b.id) })
	return n
}

// strangers are the ids that mean another log than before: whom they were first seen with does
// not count any more.
func (r *roster) strangers(before *roster) []uint64 {
	var ids []uint64
	for _, m := range before.members {
		if _, ok := r.find(m.ID); !ok {
			ids = append(ids, m.ID)
		}
	}
	for _, m := range r.members {
		old, ok := before.find(m.ID)
		if m.Store != ([16]byte{}) && (!ok || old.Store != m.Store) {
			ids = append(ids, m.ID)
		}
	}
	return ids
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
					if k.ID != id {
						continue
					}
					m.Addr = k.Addr
					if k.Store != ([16]byte{}) {
						m.Store = k.Store
					}
				}
			}
			out = append(out, m)
		}
	}
	slices.SortFunc(out, byID)
	return out
}

func byID(a, b MemberConfig) int { return cmp.Compare(a.ID, b.ID) }

var errMembers = errors.New("malformed list of members")

func (r *roster) encode() []byte {
	b := encodeMembers(r.members)
	b = binary.AppendUvarint(b, uint64(len(r.removed)))
	for _, g := range r.removed {
		b = binary.AppendUvarint(b, g.id)
		b = binary.AppendUvarint(b, g.index)
	}
	b = binary.AppendUvarint(b, uint64(len(r.leave)))
	return append(b, r.leave...)
}

func decodeRoster(b []byte, state *raftpb.ConfState) (roster, error) {
	r := roster{joint: len(state.VotersOutgoing) > 0}
	var err error
	if r.members, b, err = splitMembers(b); err != nil || len(b) == 0 {
		return r, err
	}
	s := memberScanner{b: b}
	for n := s.uvarint(); s.err == nil && n > 0; n-- {
		r.removed = append(r.removed, removal{s.uvarint(), s.uvarint()})
	}
	r.leave = s.bytes(s.uvarint())
	if s.err == nil && len(s.b) > 0 {
		s.err = errMembers
	}
	return r, s.err
}

// Flags of a member.
const (
	flagLearner = 1 << iota
	flagStore
)

func encodeMembers(members []MemberConfig) []byte {
	b := binary.AppendUvarint(nil, uint64(len(members)))
	for _, m := range members {
		b = binary.AppendUvarint(b, m.ID)
		flags := byte(0)
		if m.Learner {
			flags |= flagLearner
		}
		if m.Store != ([16]byte{}) {
			b = append(append(b, flags|flagStore), m.Store[:]...)
		} else {
			b = append(b, flags)
		}
		b = binary.AppendUvarint(b, uint64(len(m.Addr)))
		b = append(b, m.Addr...)
	}
	return b
}

// splitMembers decodes a list and returns what follows it.
func splitMembers(b []byte) (members []MemberConfig, rest []byte, err error) {
	s := memberScanner{b: b}
	for n := s.uvarint(); s.err == nil && n > 0; n-- {
		m := MemberConfig{ID: s.uvarint()}
		flags := s.bytes(1)
		if s.err != nil {
			break
		}
		m.Learner = flags[0]&flagLearner != 0
		if flags[0]&flagStore != 0 {
			copy(m.Store[:], s.bytes(uint64(len(m.Store))))
		}
		m.Addr = string(s.bytes(s.uvarint()))
		members = append(members, m)
	}
	if s.err != nil {
		return nil, nil, s.err
	}
	return members, s.b, nil
}

// memberScanner keeps the first error.
type memberScanner struct {
	b   []byte
	err error
}

func (s *memberScanner) uvarint() uint64 {
	v, n := binary.Uvarint(s.b)
	if n <= 0 || s.err != nil {
		s.err = errMembers
		return 0
	}
	s.b = s.b[n:]
	return v
}

func (s *memberScanner) bytes(n uint64) []byte {
	if s.err != nil || n > uint64(len(s.b)) {
		s.err = errMembers
		return nil
	}
	v := s.b[:n:n]
	s.b = s.b[n:]
	return v
}
