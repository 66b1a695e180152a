package server

import (
	"encoding/binary"
	"fmt"
	"sync"

	"go.uber.org/zap"
)

// Members that applied the same entries have the same tree. Each tells the
// others the digest of its tree at certain log indexes; one that learns that a
// majority has another one stops itself, before it serves more of what is wrong.

const (
	// agreeEvery is the distance of the indexes that are compared.
	agreeEvery = 64
	// agreeKept bounds how far members may be apart and still compare, in
	// indexes that are compared.
	agreeKept = 256
)

// agreement holds digests by index: this member's and what others have told.
type agreement struct {
	mu     sync.Mutex
	own    map[uint64]uint64
	others map[uint64]map[uint64]uint64 // index, member: digest
	newest uint64                       // greatest index in own
	told   uint64                       // newest that was sent
	flip   uint64                       // for tests: bits of own digests that are wrong
}

// applied notes the digest after an entry. It returns the digest and what others
// have told of the same index.
func (a *agreement) applied(index, digest uint64) (own uint64, others map[uint64]uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	digest ^= a.flip
	if a.own == nil {
		a.own = make(map[uint64]uint64)
	}
	a.own[index] = digest
	a.newest = index
	old := index - min(index, agreeEvery*agreeKept)
	for i := range a.own {
		if i < old {
			delete(a.own, i)
		}
	}
	for i := range a.others {
		if i < old {
			delete(a.others, i)
		}
	}
	return digest, a.others[index]
}

// heard notes what a member tells. It returns all that was told of that index,
// and this member's own digest if it has got there.
func (a *agreement) heard(member, index, digest uint64) (others map[uint64]uint64, own uint64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if index+agreeEvery*agreeKept < a.newest || len(a.others) > 2*agreeKept {
		return nil, 0, false
	}
	if a.others == nil {
		a.others = make(map[uint64]map[uint64]uint64)
	}
	if a.others[index] == nil {
		a.others[index] = make(map[uint64]uint64)
	}
	a.others[index][member] = digest
	own, ok = a.own[index]
	return a.others[index], own, ok
}

// toTell returns the newest digest, if it was not told yet.
func (a *agreement) toTell() (index, digest uint64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest == a.told {
		return 0, 0, false
	}
	a.told = a.newest
	return a.newest, a.own[a.newest], true
}

// reset forgets this member's digests: a snapshot has replaced the tree.
func (a *agreement) reset() {
	a.mu.Lock()
	a.own, a.newest, a.told = nil, 0, 0
	a.mu.Unlock()
}

// differs reports whether so many others that they are a majority of the voters
// have one digest that is not own.
func differs(own uint64, others map[uint64]uint64, voters int) bool {
	count := make(map[uint64]int)
	for _, d := range others {
		count[d]++
		if d != own && count[d] > voters/2 {
			return true
		}
	}
	return false
}

// compareDigest is called by the apply goroutine after an entry.
func (s *Server) compareDigest(index uint64) {
	if index%agreeEvery != 0 || s.cfg.Standalone() {
		return
	}
	own, others := s.agreement.applied(index, s.machine.Tree().Counts().Digest)
	s.judgeDigest(index, own, others)
}

func (s *Server) judgeDigest(index, own uint64, others map[uint64]uint64) {
	s.agreement.mu.Lock()
	bad := differs(own, others, s.voters())
	alone := false
	for _, d := range others {
		alone = alone || d != own
	}
	s.agreement.mu.Unlock()
	if bad {
		s.metrics.DigestMismatches.Inc()
		s.failed(fmt.Errorf("the tree differs from that of a majority at log index %d (digest 0x%x): this member's disk or memory is damaged; remove its data and start it again, it will get a copy", index, own))
	} else if alone {
		s.log.Error("a member has another tree", zap.Uint64("index", index))
	}
}

// tellDigest sends the newest digest to all members.
func (s *Server) tellDigest() {
	index, digest, ok := s.agreement.toTell()
	if !ok {
		return
	}
	msg := []byte{byte(messageDigest)}
	msg = binary.BigEndian.AppendUint64(msg, index)
	msg = binary.BigEndian.AppendUint64(msg, digest)
	for _, m := range s.members().Servers {
		if m.ID == s.cfg.MemberID {
			continue
		}
		if err := s.peers.Send(m.ID, msg); err != nil {
			s.log.Debug("send digest", zap.Uint64("peer", m.ID), zap.Error(err))
		}
	}
}

// heardDigest takes a member's message.
func (s *Server) heardDigest(from uint64, msg []byte) error {
	if len(msg) != 16 {
		return fmt.Errorf("digest of %d bytes", len(msg))
	}
	index := binary.BigEndian.Uint64(msg)
	others, own, ok := s.agreement.heard(from, index, binary.BigEndian.Uint64(msg[8:]))
	if ok {
		s.judgeDigest(index, own, others)
	}
	return nil
}

// voters counts the voting members.
func (s *Server) voters() int { return s.members().Voters() }
