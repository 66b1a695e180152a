package server

import (
	"testing"
	"testing/synctest"
	"time"

	"holt/wire"
)

func localOnes(upgrade bool) func(uint64, *Config) {
	return func(_ uint64, c *Config) { c.LocalSessions, c.LocalSessionsUpgrade = true, upgrade }
}

func (e *testEnsemble) sessionsKnown(id uint64) int {
	s := e.servers[id]
	s.machine.RLock()
	defer s.machine.RUnlock()
	return s.machine.Sessions().Len()
}

func TestLocalSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, localOnes(false))
		leader := e.leader(1, 2, 3)
		here, there := others(leader)[0], others(leader)[1]
		c := connect(t, e.servers[here], wire.ConnectRequest{TimeoutMillis: 4000})
		// It writes, and costs no session.
		if h := c.call(wire.OpCreate, create("/n", "", 0), nil); h.Err != wire.OK || h.Zxid.Counter() > 2 {
			t.Fatalf("%v at %v", h.Err, h.Zxid)
		}
		if n := e.sessionsKnown(leader); n != 0 {
			t.Errorf("the ensemble knows %d sessions", n)
		}
		// Ephemeral nodes are refused, in their turn, also within a multi.
		x1 := c.send(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte("x"), Version: -1})
		x2 := c.send(wire.OpCreate, create("/e", "", 1))
		x3 := c.send(wire.OpMulti, &wire.MultiRequest{Ops: []wire.MultiOp{{Op: wire.OpCreate, Record: create("/e", "", 1)}}})
		x4 := c.send(wire.OpCreate, create("/p", "", 0))
		for i, want := range []wire.ErrCode{wire.OK, wire.ErrEphemeralOnLocalSession, wire.ErrEphemeralOnLocalSession, wire.OK} {
			if h := c.receive([]wire.Xid{x1, x2, x3, x4}[i], nil); h.Err != want {
				t.Errorf("request %d: %v, want %v", i, h.Err, want)
			}
		}
		// It can be taken up again here, not elsewhere, and not with another password.
		again := wire.ConnectRequest{SessionID: c.session.SessionID, Passwd: c.session.Passwd, TimeoutMillis: 4000}
		if d := connect(t, e.servers[there], again); d.session.TimeoutMillis != 0 {
			t.Errorf("taken up elsewhere: %+v", d.session)
		}
		wrong := again
		wrong.Passwd = make([]byte, wire.PasswdSize)
		if d := connect(t, e.servers[here], wrong); d.session.TimeoutMillis != 0 {
			t.Errorf("taken up with a wrong password: %+v", d.session)
		}
		d := connect(t, e.servers[here], again)
		if d.session.SessionID != c.session.SessionID || !c.closed() {
			t.Fatalf("not taken up: %+v", d.session)
		}
		// Heard of, it stays; silent, it expires.
		for range 5 {
			time.Sleep(2 * time.Second)
			d.call(wire.OpExists, &wire.ExistsRequest{Path: "/n"}, nil)
		}
		if time.Sleep(8 * time.Second); !d.closed() {
			t.Error("a silent session goes on")
		}
		if f := connect(t, e.servers[here], again); f.session.TimeoutMillis != 0 {
			t.Error("an expired session was taken up")
		}
		// Closing costs nothing either.
		f := connect(t, e.servers[here], wire.ConnectRequest{})
		before := e.servers[here].machine.LastZxid()
		if h := f.call(wire.OpCloseSession, nil, nil); h.Err != wire.OK || h.Zxid != before || !f.closed() {
			t.Errorf("close: %v at %v", h.Err, h.Zxid)
		}
	})
}

func TestLocalSessionBecomesGlobal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, localOnes(true))
		leader := e.leader(1, 2, 3)
		here, there := others(leader)[0], others(leader)[1]
		c := connect(t, e.servers[here], wire.ConnectRequest{TimeoutMillis: 4000})
		c.call(wire.OpCreate, create("/n", "", 0), nil)
		x1 := c.send(wire.OpCreate, create("/n/e", "", 1))
		x2 := c.send(wire.OpSetData, &wire.SetDataRequest{Path: "/n/e", Data: []byte("x"), Version: -1})
		if h1, h2 := c.receive(x1, nil), c.receive(x2, nil); h1.Err != wire.OK || h2.Err != wire.OK {
			t.Fatal(h1.Err, h2.Err)
		}
		if n := e.sessionsKnown(here); n != 1 {
			t.Errorf("the ensemble knows %d sessions", n)
		}
		var get wire.GetDataResponse
		c.call(wire.OpGetData, &wire.GetDataRequest{Path: "/n/e"}, &get)
		if wire.SessionID(get.Stat.EphemeralOwner) != c.session.SessionID {
			t.Errorf("owner %x", get.Stat.EphemeralOwner)
		}
		// Now it can move.
		d := connect(t, e.servers[there], wire.ConnectRequest{SessionID: c.session.SessionID, Passwd: c.session.Passwd, TimeoutMillis: 4000})
		if d.session.SessionID != c.session.SessionID || !c.closed() {
			t.Fatalf("not taken up: %+v", d.session)
		}
		// And it expires like any other, with its node.
		if time.Sleep(10 * time.Second); !d.closed() {
			t.Error("a silent session goes on")
		}
		f := connect(t, e.servers[leader], wire.ConnectRequest{})
		if h := f.call(wire.OpExists, &wire.ExistsRequest{Path: "/n/e"}, nil); h.Err != wire.ErrNoNode {
			t.Error(h.Err)
		}
	})
}
