package quorum

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"holt/quorum/transport"
)

// A member that none of this one's configurations has may be of a newer one, which this member, having been away, does not know
// yet: it has to hear that one's leader. Or it belongs to another ensemble, and has an address of this one in its configuration;
// its leader's term, if it is the higher, would depose this ensemble's. So the other members are asked whom they know.
//
//	one has a newer configuration with that id and log   it is heard
//	a majority of this member's voters has none          it is refused, until it is heard of
//	too few answer                                       it is heard: a member must not be cut off
//	                                                     from those that took the others' places

// errStranger is why a member of another ensemble is refused.
var errStranger = errors.New("it is in no configuration of this ensemble: if it belongs to another ensemble, correct its server lines; " +
	"if it is new, add it by reconfig, or to the configuration of all members")

const (
	// strangerFor is how long an answer counts: the lanes of a peer come together.
	strangerFor = time.Second
	// newcomerFor is how long a member that nobody knows is told to come again later, without a word to anybody: a newcomer
	// is made a learner when it asks for that, soon after it has begun to call.
	newcomerFor = 5 * time.Second
	// strangersMax bounds the members whose first call is remembered; the others count as newcomers.
	strangersMax = 1000
)

// inquiry is what the others are asked of one member.
type inquiry struct {
	id    uint64
	store [16]byte
	done  chan struct{} // closed when there is err
	at    time.Time     // when that was
	err   error
}

// strangers holds the last inquiry. There is one at a time, since whoever reaches the port can name any id.
type strangers struct {
	mu    sync.Mutex
	last  *inquiry
	since map[[16]byte]time.Time // by log: when nobody knew it first
}

// refuse makes of a refusal a word to come again later while the member may be a newcomer.
func (s *strangers) refuse(store [16]byte, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.since, store)
		return nil
	}
	first, ok := s.since[store]
	if !ok && len(s.since) < strangersMax {
		if s.since == nil {
			s.since = map[[16]byte]time.Time{}
		}
		s.since[store] = time.Now()
	}
	if !ok || time.Since(first) < newcomerFor {
		return fmt.Errorf("%w: %w", transport.ErrNotNow, err)
	}
	return err
}

// begin returns the inquiry of a member, and whether it is the caller's to make; nil: not now.
func (s *strangers) begin(id uint64, store [16]byte) (i *inquiry, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.last; i != nil {
		same, over := i.id == id && i.store == store, false
		select {
		case <-i.done:
			over = true
		default:
		}
		switch {
		case same && (!over || time.Since(i.at) < strangerFor):
			return i, false
		case !over:
			return nil, false
		}
	}
	s.last = &inquiry{id: id, store: store, done: make(chan struct{})}
	return s.last, true
}

// judgeStranger judges a member that is not in r.
func (m *Member) judgeStranger(r *roster, id uint64, store [16]byte) error {
	if len(r.members) == 0 || slices.ContainsFunc(m.cfg.Members, func(c MemberConfig) bool { return c.ID == id }) {
		return nil
	}
	i, mine := m.strangers.begin(id, store)
	if i == nil {
		return fmt.Errorf("%w: the others are being asked of another member", transport.ErrNotNow)
	}
	if mine {
		i.err = m.strangers.refuse(store, r.stranger(id, store, m.cfg.ID, m.ask(questionPlace, false)))
		i.at = time.Now()
		close(i.done)
	}
	<-i.done
	return i.err
}

// stranger draws the conclusion from what others answer. self has this roster.
func (r *roster) stranger(id uint64, store [16]byte, self uint64, answers map[uint64]answer) error {
	voters, without := 0, 0
	for _, m := range r.members {
		if m.Learner {
			continue
		}
		voters++
		if a, ok := answers[m.ID]; m.ID == self || ok && len(a.members) > 0 {
			without++
		}
	}
	for from, a := range answers {
		if from == id || a.index <= r.index {
			continue
		}
		newer := roster{members: a.members}
		if known, ok := newer.find(id); ok && (known.Store == [16]byte{} || known.Store == store) {
			return nil
		}
	}
	if without > voters/2 {
		return errStranger
	}
	return nil
}
