package server

import (
	"fmt"
	"slices"
	"testing"

	"holt/server/apply"
	"holt/wire"
)

// flights parses commands written as session letter and, behind waiting reads,
// an apostrophe.
func flights(commands ...string) []flight {
	var list []flight
	for _, c := range commands {
		list = append(list, flight{session: wire.SessionID(c[0]), afterRead: len(c) > 1})
	}
	return list
}

func TestRounds(t *testing.T) {
	var r rounds
	r.of = make(map[wire.SessionID]int)
	for _, test := range []struct {
		commands []string
		want     []int
	}{
		{nil, nil},
		{[]string{"a", "a", "b"}, []int{0, 1, 2}},
		{[]string{"a", "a'", "a'", "b", "b'"}, []int{0, 3, 1, 4, 2}},
		{[]string{"a", "a'", "a", "b", "c", "c'", "b"}, []int{0, 3, 4, 6, 1, 2, 5}},
		// Reads in front of the first command wait for one sent earlier.
		{[]string{"a'", "b"}, []int{0, 1}},
	} {
		if got := r.order(flights(test.commands...)); !slices.Equal(got, test.want) {
			t.Errorf("%v: order %v, want %v", test.commands, got, test.want)
		}
	}
}

func TestEntryTakesARoundOfEveryMember(t *testing.T) {
	p := &pipeline{}
	put := func(member uint64, session wire.SessionID, flags apply.Flags) {
		c := apply.Command{Session: session, Flags: flags}
		p.listLocked(member).items = append(p.listLocked(member).items, c.AppendTo(nil))
		p.waiting++
	}
	for member := uint64(1); member <= 3; member++ {
		for session := range wire.SessionID(5) {
			put(member, wire.SessionID(member)*10+session, 0)
		}
		for session := range wire.SessionID(5) {
			put(member, wire.SessionID(member)*10+session, apply.AfterRead)
		}
	}
	seen := make(map[wire.SessionID]struct{})
	for entry := range 2 {
		if got := p.chooseLocked(nil, seen); len(got) != 15 {
			t.Errorf("entry %d takes %d commands, want 15", entry, len(got))
		}
	}
	if p.waiting != 0 {
		t.Errorf("%d commands left", p.waiting)
	}
}

func TestManyConnectionsWithReadsBetweenWrites(t *testing.T) {
	s := newServer(t, nil)
	const clients, writes = 8, 60
	conns := make([]*rawConn, clients)
	for i := range conns {
		conns[i] = connect(t, s, wire.ConnectRequest{})
		conns[i].call(wire.OpCreate, create(fmt.Sprintf("/n%d", i), "", 0), nil)
	}
	for range writes {
		for i, c := range conns {
			path := fmt.Sprintf("/n%d", i)
			c.send(wire.OpSetData, &wire.SetDataRequest{Path: path, Version: -1})
			c.send(wire.OpExists, &wire.ExistsRequest{Path: path})
		}
	}
	for _, c := range conns {
		for n := range writes {
			var set wire.SetDataResponse
			var ex wire.ExistsResponse
			c.receive(wire.Xid(2*n+2), &set)
			c.receive(wire.Xid(2*n+3), &ex)
			if set.Stat.Version != int32(n+1) || ex.Stat.Version != int32(n+1) {
				t.Fatalf("write %d: version %d, then read %d", n+1, set.Stat.Version, ex.Stat.Version)
			}
		}
	}
}
