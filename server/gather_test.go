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
	s.cfg.MemberID, s.cfg.Members = 1, []Member{{ID: 1}, {ID: 2}, {ID: 3}}
	p := &s.pipeline
	p.init(s, 1)
	p.setLeader(1)
	m := entryMaker{seen: map[wire.SessionID]struct{}{}}
	arriveAs := func(flags apply.Flags, n int) {
		for range n {
			c := apply.Command{Session: 7, Flags: flags}
			p.add(2, [][]byte{c.AppendTo(nil)})
		}
	}
	arrive := func(n int) { arriveAs(0, n) }
	form := func(want int) {
		t.Helper()
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.toProposeLocked() {
			t.Fatalf("waits with %d under way and %d waiting", p.underway.commands, p.waiting)
		}
		if p.formLocked(&m); len(m.batch) != want {
			t.Fatalf("an entry of %d commands, want %d", len(m.batch), want)
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
	for range gatherMin {
		arrive(1)
		form(1)
	}
	// Now there are enough under way to wait for many,
	arrive(entryCommandsMin - 1)
	waits()
	arrive(1)
	form(entryCommandsMin)
	// or for those to be applied.
	arrive(3)
	waits()
	for range gatherMin {
		p.applied()
		waits()
	}
	p.applied()
	form(3)
	// Rounds that wait go out in as many entries, with what comes meanwhile; then others wait.
	arriveAs(apply.AfterRead, entryCommandsMin)
	for range entryCommandsMin - 1 {
		form(1)
	}
	arrive(2)
	form(3)
	arrive(1)
	waits()
	for range entryCommandsMin {
		p.applied()
	}
	form(1)
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
