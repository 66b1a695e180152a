package apply

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"holt/wire"
)

// state is what the machine knows besides tree and sessions. It is written with
// every entry.
type state struct {
	zxid   wire.Zxid
	term   uint64 // of the last entry
	millis int64  // time of the last entry; never goes back
	// origins are the members heard of, by id.
	origins []progress
}

// progress is how far the commands of a member were taken.
type progress struct{ member, incarnation, seq uint64 }

// enterTerm begins an epoch if the term is new.
func (s *state) enterTerm(term uint64) error {
	if term < s.term {
		return fmt.Errorf("of term %d after one of term %d", term, s.term)
	}
	if term > s.term {
		s.term = term
		s.zxid = wire.MakeZxid(s.zxid.Epoch()+1, 0)
	}
	return nil
}

// nextZxid takes a zxid. A counter that is used up goes on in the next epoch.
func (s *state) nextZxid() wire.Zxid {
	if s.zxid.Counter() == math.MaxUint32 {
		s.zxid = wire.MakeZxid(s.zxid.Epoch()+1, 0)
	}
	s.zxid++
	return s.zxid
}

// take reports whether a command is the next of its origin, and notes it.
func (s *state) take(o *Origin) bool {
	if o.Member == 0 {
		return true
	}
	i, known := s.find(o.Member)
	last := progress{member: o.Member}
	if known {
		last = s.origins[i]
	}
	if o.Incarnation > last.incarnation {
		last.incarnation, last.seq = o.Incarnation, 0
	}
	if o.Incarnation < last.incarnation || o.Seq != last.seq+1 {
		return false
	}
	last.seq = o.Seq
	if known {
		s.origins[i] = last
	} else {
		s.origins = slices.Insert(s.origins, i, last)
	}
	return true
}

// find returns where the progress of a member is in origins, or belongs.
func (s *state) find(member uint64) (int, bool) {
	for i := range s.origins {
		if s.origins[i].member >= member {
			return i, s.origins[i].member == member
		}
	}
	return len(s.origins), false
}

const stateVersion = 1

func (s *state) appendTo(b []byte) []byte {
	b = append(b, stateVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(s.zxid))
	b = binary.BigEndian.AppendUint64(b, s.term)
	b = binary.BigEndian.AppendUint64(b, uint64(s.millis))
	for i := range s.origins {
		o := &s.origins[i]
		b = binary.BigEndian.AppendUint64(b, o.member)
		b = binary.BigEndian.AppendUint64(b, o.incarnation)
		b = binary.BigEndian.AppendUint64(b, o.seq)
	}
	return b
}

func decodeState(b []byte) (s state, err error) {
	const fixed, each = 1 + 3*8, 3 * 8
	if len(b) < fixed || (len(b)-fixed)%each != 0 {
		return s, fmt.Errorf("state of %d bytes", len(b))
	}
	if b[0] != stateVersion {
		return s, fmt.Errorf("state of format %d, which is unknown", b[0])
	}
	u64 := func(i int) uint64 { return binary.BigEndian.Uint64(b[1+8*i:]) }
	s.zxid, s.term, s.millis = wire.Zxid(u64(0)), u64(1), int64(u64(2))
	for i := 3; 1+8*i < len(b); i += 3 {
		s.origins = append(s.origins, progress{u64(i), u64(i + 1), u64(i + 2)})
	}
	return s, nil
}
