package server

import (
	"testing"
	"time"

	"holt/server/apply"
	"holt/wire"
)

// TestGather walks a leader's proposer through what is under way and what waits.
func TestGather(t *testing.T) {
	s := &Server{clock: time.Now}
	s.cfg.MemberID = 1
	p := &s.pipeline
	p.init(s, 1)
	p.setLeader(1)
	m := entryMaker{seen: map[wire.SessionID]struct{}{}}
	arrive := func(n int) {
		for range n {
			c := apply.Command{Session: 7}
			p.add(2, [][]byte{c.AppendTo(nil)})
		}
	}
	form := func(want int) {
		t.Helper()
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.toProposeLocked() {
			t.Fatalf("waits with %d under way and %d waiting", p.underway.commands, p.waiting)
		}
		batch := p.chooseLocked(nil, m.seen)
		if p.underway.formed(len(batch)); len(batch) != want {
			t.Fatalf("an entry of %d commands, want %d", len(batch), want)
		}
	}
	waits := func() {
		t.Helper()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.toProposeLocked() {
			t.Fatalf("forms an entry with %d under way and %d waiting", p.underway.commands, p.waiting)
		}
	}
	// A few commands go out at once, one by one.
	for range entryCommandsMin - 1 {
		arrive(1)
		form(1)
	}
	arrive(1)
	form(1)
	// Now there are enough under way to wait for as many again,
	arrive(entryCommandsMin - 1)
	waits()
	arrive(1)
	form(entryCommandsMin)
	// or for those to be applied.
	arrive(3)
	waits()
	for range entryCommandsMin {
		p.applied()
		waits()
	}
	p.applied()
	form(3)
	p.applied()
	p.applied() // an earlier leader's
	if p.underway.commands != 0 {
		t.Errorf("%d commands under way", p.underway.commands)
	}
	// Where nothing is applied, nothing is gathered after a tick or two; and a new term begins anew.
	for _, stop := range []func(){
		func() { p.tick(s.now()); p.tick(s.now()) },
		func() { p.setLeader(1) },
	} {
		arrive(entryCommandsMin)
		form(entryCommandsMin)
		arrive(1)
		waits()
		stop()
		form(1)
		p.setLeader(1)
	}
}
