package quorum

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"holt/quorum/transport"
)

// A member asks others where it belongs (Config.Discover):
//
//	empty log     discover, before anything else: found or join?
//	no leader     runSearch, again and again: "take me in", if it is no member, and
//	              whom else it could ask
//
//	question  kind(1) fresh(1) founders(its configuration's list) body
//	answer    standing(1) index(8) members(list) body; index: of the configuration, or of the removal
//
// A body is the business of the state machines (Member.Ask). A version that knows nothing of it answers the rest.

// ErrRemoved: the member was removed from the ensemble, or was while it was away. It ends; to come
// back it has to be added again, with an empty log.
var ErrRemoved = errors.New("this member was removed from the ensemble: it takes no part any more; " +
	"to bring it back, empty its directories, start it and add it by reconfig")

// searchInterval is between two rounds of questions.
const searchInterval = 200 * time.Millisecond

type questionKind byte

const (
	questionPlace questionKind = iota + 1 // where do I belong
	questionAdmit                         // take me in
	questionOther                         // what the body says
)

// standing is what a member says of one that asks.
type standing byte

const (
	standingUnfounded standing = iota + 1 // I know no members either; index 1: and would found the same
	standingFounder                       // you are one of the founders, and were never seen
	standingMember                        // a change has made you a member
	standingStranger                      // you are no member
	standingRemoved                       // you were removed by the entry at index
	standingLost                          // you had another log when you were seen first
)

type question struct {
	kind     questionKind
	fresh    bool // the log is empty
	founders []MemberConfig
	body     []byte
}

func (q *question) encode() []byte {
	b := []byte{byte(q.kind), 0}
	if q.fresh {
		b[1] = 1
	}
	return append(append(b, encodeMembers(q.founders)...), q.body...)
}

func decodeQuestion(b []byte) (q question, err error) {
	if len(b) < 2 {
		return q, errMembers
	}
	q.kind, q.fresh = questionKind(b[0]), b[1] != 0
	q.founders, q.body, err = splitMembers(b[2:])
	return q, err
}

type answer struct {
	standing standing
	index    uint64
	members  []MemberConfig
	body     []byte // empty: the question was not understood
}

func (a *answer) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{byte(a.standing)}, a.index)
	return append(append(b, encodeMembers(a.members)...), a.body...)
}

func decodeAnswer(b []byte) (a answer, err error) {
	if len(b) < 9 {
		return a, errMembers
	}
	a.standing, a.index = standing(b[0]), binary.BigEndian.Uint64(b[1:])
	a.members, a.body, err = splitMembers(b[9:])
	return a, err
}

// Asked implements transport.Handler.
func (h handler) Asked(from uint64, store [16]byte, body []byte) []byte {
	q, err := decodeQuestion(body)
	if err != nil {
		return nil
	}
	a := h.m.place(from, store, &q)
	if a.standing == standingStranger && q.kind == questionAdmit {
		h.m.admit(from, store, &q)
	}
	if q.kind == questionOther && h.m.cfg.OnQuestion != nil {
		a.body = h.m.cfg.OnQuestion(from, q.body)
	}
	return a.encode()
}

// Ask puts a question to the state machine of another member (Config.OnQuestion), on a connection of its
// own. The answer is empty if it has none for it, or is of a version that knows no such questions.
func (m *Member) Ask(ctx context.Context, id uint64, body []byte) ([]byte, error) {
	peer, ok := m.roster.Load().find(id)
	if !ok || peer.Addr == "" {
		return nil, fmt.Errorf("ask member %d: it has no address here", id)
	}
	b, err := m.transport.Ask(ctx, id, peer.Addr, (&question{kind: questionOther, body: body}).encode())
	if err != nil {
		return nil, fmt.Errorf("ask member %d: %w", id, err)
	}
	a, err := decodeAnswer(b)
	if err != nil {
		return nil, fmt.Errorf("ask member %d: %w", id, err)
	}
	return a.body, nil
}

// place says where a member belongs that has this log.
func (m *Member) place(from uint64, store [16]byte, q *question) answer {
	r := m.roster.Load()
	if len(r.members) == 0 { // or it waits for its first snapshot
		a := answer{standing: standingUnfounded}
		if !m.placed.Load() && slices.Equal(foundingConf(q.founders).Members, foundingConf(m.cfg.Members).Members) {
			a.index = 1
		}
		return a
	}
	a := answer{standing: standingStranger, members: r.members, index: r.index}
	known, isMember := r.find(from)
	seen, wasSeen := m.log.Seen(from)
	if known.Store != ([16]byte{}) {
		seen, wasSeen = known.Store, true
	}
	switch {
	case isMember && wasSeen && seen != store:
		a.standing = standingLost
	case isMember && r.founders:
		a.standing = standingFounder
	case isMember:
		a.standing = standingMember
	case r.removedAt(from) != 0 && !q.fresh:
		a.standing, a.index = standingRemoved, r.removedAt(from)
	}
	return a
}

// admit makes a stranger a learner, if this member leads. It asks again if that comes to nothing.
func (m *Member) admit(from uint64, store [16]byte, q *question) {
	i := slices.IndexFunc(q.founders, func(f MemberConfig) bool { return f.ID == from })
	if !m.cfg.Discover || i < 0 || q.founders[i].Addr == "" {
		return
	}
	newcomer := MemberConfig{ID: from, Addr: q.founders[i].Addr, Learner: true, Store: store}
	m.in.add(func(ev *events) {
		ev.calls = append(ev.calls, func(c *Core) {
			if err := c.ProposeChange(MembershipChange{Add: []MemberConfig{newcomer}}); err == nil {
				m.zlog.Info("newcomer becomes a learner", zap.Uint64("peer", from))
			}
		})
	})
}

// ask puts a question to all that are configured or known, at once.
func (m *Member) ask(kind questionKind, fresh bool) map[uint64]answer {
	ctx, cancel := context.WithTimeout(m.snapshots.ctx, time.Second)
	defer cancel()
	body := (&question{kind: kind, fresh: fresh, founders: m.cfg.Members}).encode()
	targets := map[uint64]string{}
	for _, list := range [][]MemberConfig{m.cfg.Members, *m.hints.Load(), m.roster.Load().members} {
		for _, t := range list {
			if t.ID != m.cfg.ID && t.Addr != "" {
				targets[t.ID] = t.Addr
			}
		}
	}
	type result struct {
		id uint64
		a  answer
	}
	results := make(chan *result)
	for id, addr := range targets {
		go func() {
			b, err := m.transport.Ask(ctx, id, addr, body)
			var a answer
			if err == nil {
				a, err = decodeAnswer(b)
			}
			if err != nil {
				results <- nil
				return
			}
			results <- &result{id, a}
		}()
	}
	answers := map[uint64]answer{}
	var hints []MemberConfig
	for range targets {
		if r := <-results; r != nil {
			answers[r.id] = r.a
			hints = append(hints, r.a.members...)
		}
	}
	if len(hints) > 0 {
		m.hints.Store(&hints)
	}
	return answers
}

// discover decides, for a member whose log is empty, whether it founds or joins an ensemble, and
// makes its core. It runs on the loop; false if the member ends.
func (m *Member) discover() bool {
	told := false
	for {
		join, decided, lost := m.decide(m.ask(questionPlace, true))
		if lost && !told {
			told = true
			m.zlog.Error("this member's log is gone, its id is still that of a member with a log: " + remedyLost + "; it waits for that")
		}
		if decided {
			err := m.found(join)
			if err == nil {
				err = m.openCore()
			}
			if err != nil {
				m.fail(err)
				return false
			}
			m.zlog.Info("place in the ensemble found", zap.Bool("founder", !join))
			m.setPeers()
			return true
		}
		t := time.NewTimer(searchInterval)
		select {
		case <-t.C:
		case <-m.stopLoop:
			t.Stop()
			return false
		}
	}
}

// decide draws the conclusion. Whoever has a log knows; if nobody has, those who would found the
// same ensemble must be a majority.
func (m *Member) decide(answers map[uint64]answer) (join, decided, lost bool) {
	voters, fellows := 0, 0
	founder := false
	for _, f := range m.cfg.Members {
		a := answers[f.ID]
		if !f.Learner {
			voters++
			if f.ID == m.cfg.ID || a.standing == standingUnfounded && a.index == 1 {
				fellows++
			}
		}
		founder = founder || f.ID == m.cfg.ID
	}
	for _, a := range answers {
		switch a.standing {
		case standingLost:
			lost = true
		case standingMember, standingStranger, standingRemoved:
			join, decided = true, true
		case standingFounder:
			decided = true
		}
	}
	switch {
	case lost:
		return false, false, true
	case decided:
		return join, true, false
	}
	return false, founder && fellows > voters/2, false
}

// runSearch helps a member that hears of no leader, or cannot answer it.
func (m *Member) runSearch() {
	if !m.cfg.Discover {
		return
	}
	tick := time.NewTicker(searchInterval)
	defer tick.Stop()
	quiet := 0 // rounds without a leader
	for {
		select {
		case <-m.stopLoop:
			return
		case <-m.loopDone:
			return
		case <-tick.C:
		}
		l := m.Leadership()
		if !m.placed.Load() || l.Leader == m.cfg.ID || l.Leader != 0 && m.transport.Knows(l.Leader) {
			quiet = 0
			continue
		}
		if quiet++; quiet < 3 {
			continue
		}
		m.search()
	}
}

func (m *Member) search() {
	r := m.roster.Load()
	index := uint64(0)
	if !m.do(func(c *Core) { index = c.confIndex }) {
		return
	}
	self, known := r.find(m.cfg.ID)
	kind := questionPlace
	if !known {
		kind = questionAdmit
	}
	for id, a := range m.ask(kind, index == 0) {
		if a.standing == standingRemoved {
			m.removed(id, a.index)
		}
		for _, told := range a.members {
			// A change that this member has not seen moved it: the leader calls it there.
			if told.ID == m.cfg.ID && known && told.Addr != self.Addr && a.index > index {
				m.openAddr(told.Addr)
			}
		}
	}
	m.do(func(*Core) { m.setPeers() })
}

// removed is a peer's word that this member was removed by the entry at index. One that has
// come back since, with a newer configuration or an empty log, knows better.
func (m *Member) removed(peer, index uint64) {
	m.in.add(func(ev *events) {
		ev.calls = append(ev.calls, func(c *Core) {
			if c.confIndex == 0 || c.confIndex > index {
				return
			}
			c.fail(fmt.Errorf("%w (member %d says so)", ErrRemoved, peer))
		})
	})
}

// Removed implements transport.Handler.
func (h handler) Removed(peer, index uint64) { h.m.removed(peer, index) }

var _ transport.Handler = handler{}
