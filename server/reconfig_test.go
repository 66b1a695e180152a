package server

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/quorum"
	"holt/server/membership"
	"holt/wire"
)

// reconfigurable has members take reconfig from anybody.
func reconfigurable(id uint64, c *Config) {
	c.ReconfigEnabled, c.SkipACL = true, true
	if id > 3 { // a newcomer lists itself and the founders
		c.Members = append(c.Members, Member{ID: id, Host: fmt.Sprintf("m%d", id), QuorumPort: 1, ElectionPort: 2})
	}
}

func text(s string) *string { return &s }

// reconfig asks for a change and returns the reply.
func (c *rawConn) reconfig(req wire.ReconfigRequest) (wire.ReplyHeader, wire.GetDataResponse) {
	c.t.Helper()
	var resp wire.GetDataResponse
	return c.call(wire.OpReconfig, &req, &resp), resp
}

func TestReconfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		e := newTestEnsembleOf(t, func(id uint64, c *Config) {
			reconfigurable(id, c)
			c.Logger = zap.New(core)
		})
		leader := e.leader(1, 2, 3)
		other := others(leader)[0]
		c := connect(t, e.servers[other], wire.ConnectRequest{})
		var get wire.GetDataResponse
		c.call(wire.OpGetData, &wire.GetDataRequest{Path: "/zookeeper/config", Watch: true}, &get)
		founders := "server.1=m1:1:2:participant\nserver.2=m2:1:2:participant\nserver.3=m3:1:2:participant"
		if string(get.Data) != founders+"\nversion=100000000" {
			t.Fatalf("config %q", get.Data)
		}

		// An observer that does not run is added, with the next requests of the same
		// connection behind it.
		xid := c.send(wire.OpReconfig, &wire.ReconfigRequest{JoiningServers: text("server.4=m4:1:2:observer;m4:3"), CurConfigID: 0x100000000})
		xid2 := c.send(wire.OpCreate, create("/n", "", 0))
		if ev := c.receive(wire.XidNotification, nil); ev.Xid != wire.XidNotification {
			t.Fatal("no event")
		}
		var resp wire.GetDataResponse
		h := c.receive(xid, &resp)
		want := founders + "\nserver.4=m4:1:2:observer;m4:3\nversion=" + strings.TrimPrefix(h.Zxid.String(), "0x")
		if h.Err != wire.OK || string(resp.Data) != want || resp.Stat.Mzxid != h.Zxid || resp.Stat.Version != -1 {
			t.Fatalf("%v %q, want %q", h.Err, resp.Data, want)
		}
		if h := c.receive(xid2, nil); h.Err != wire.OK {
			t.Fatal(h.Err)
		}

		for name, x := range map[string]struct {
			req  wire.ReconfigRequest
			want wire.ErrCode
			says string // how the cause in the leader's log begins
		}{
			"old version":  {wire.ReconfigRequest{LeavingServers: text("4"), CurConfigID: 0x100000000}, wire.ErrBadVersion, `it is for version 100000000, and the present one is `},
			"malformed":    {wire.ReconfigRequest{JoiningServers: text("x"), CurConfigID: -1}, wire.ErrBadArguments, `"x", which is to join, does not have the form`},
			"one voter":    {wire.ReconfigRequest{LeavingServers: text("2,3"), CurConfigID: -1}, wire.ErrBadArguments, `too few voters would be left: 1`},
			"not in sync":  {wire.ReconfigRequest{JoiningServers: text("server.5=m5:1:2;3,server.6=m6:1:2;3,server.7=m7:1:2;3"), CurConfigID: -1}, wire.ErrNewConfigNoQuorum, `no majority of the 6 voters to be is there and up to date: missing are members [5 6 7]`},
			"id too high":  {wire.ReconfigRequest{JoiningServers: text("server.255=m5:1:2:observer;3"), CurConfigID: -1}, wire.ErrBadArguments, `an id is not 1 to 254`},
			"as a whole":   {wire.ReconfigRequest{NewMembers: text("server.5=m5:1:2"), CurConfigID: -1}, wire.ErrBadArguments, `too few voters would be left: 1`},
			"no such id":   {wire.ReconfigRequest{LeavingServers: text("99"), CurConfigID: -1}, wire.OK, ""},
			"remove again": {wire.ReconfigRequest{LeavingServers: text("99"), CurConfigID: -1}, wire.OK, ""},
		} {
			if h, _ := c.reconfig(x.req); h.Err != x.want {
				t.Errorf("%s: %v, want %v", name, h.Err, x.want)
			}
			told := logs.FilterMessage("reconfig refused").All()
			logs.TakeAll()
			if len(told) != min(len(x.says), 1) || len(told) == 1 && !strings.HasPrefix(told[0].ContextMap()["cause"].(string), x.says) {
				t.Errorf("%s: the log says %v, want one line with the cause %q", name, told, x.says)
			}
		}

		// Two at once, by joint consensus: a voter that does not run, and a new role.
		h, resp = c.reconfig(wire.ReconfigRequest{JoiningServers: text("server.5=m5:1:2;3"), LeavingServers: text("4"), CurConfigID: -1})
		if h.Err != wire.OK || !strings.Contains(string(resp.Data), "server.5=m5:1:2:participant;0.0.0.0:3") || strings.Contains(string(resp.Data), "server.4") {
			t.Fatalf("%v %q", h.Err, resp.Data)
		}
		if n := e.servers[other].voters(); n != 4 {
			t.Errorf("%d voters, want 4", n)
		}
		// Back to three. All members agree, and writes go on.
		if h, _ := c.reconfig(wire.ReconfigRequest{LeavingServers: text("5"), CurConfigID: -1}); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		if h := c.call(wire.OpCreate, create("/n/x", "", 0), nil); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		time.Sleep(time.Second)
		for id, s := range e.servers {
			if got := strings.Join(s.members().Lines(), "\n"); got != founders {
				t.Errorf("member %d: %q", id, got)
			}
			if q := s.member.Status(); len(q.Members) != 3 || q.Joint {
				t.Errorf("member %d: %+v", id, q)
			}
		}
	})
}

func TestReconfigIsRefusedWhereItIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		leader := e.leader(1, 2, 3)
		c := connect(t, e.servers[leader], wire.ConnectRequest{})
		if h, _ := c.reconfig(wire.ReconfigRequest{LeavingServers: text("3"), CurConfigID: -1}); h.Err != wire.ErrReconfigDisabled {
			t.Error(h.Err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, func(_ uint64, c *Config) { c.ReconfigEnabled = true })
		leader := e.leader(1, 2, 3)
		c := connect(t, e.servers[leader], wire.ConnectRequest{})
		if h, _ := c.reconfig(wire.ReconfigRequest{LeavingServers: text("3"), CurConfigID: -1}); h.Err != wire.ErrNoAuth {
			t.Error(h.Err)
		}
	})
	s := newServer(t, func(c *Config) { c.ReconfigEnabled = true })
	c := connect(t, s, wire.ConnectRequest{})
	if h, _ := c.reconfig(wire.ReconfigRequest{LeavingServers: text("3"), CurConfigID: -1}); h.Err != wire.ErrUnimplemented {
		t.Error(h.Err)
	}
}

// newcomer starts a member with nothing on its disk and waits until it serves.
func (e *testEnsemble) newcomer(id uint64) {
	e.t.Helper()
	e.fs[id] = vfs.NewMem()
	e.start(id)
	<-e.servers[id].Ready()
}

// expelled waits until a member ends because it was removed.
func (e *testEnsemble) expelled(id uint64) {
	e.t.Helper()
	select {
	case err := <-e.servers[id].Failed():
		if !errors.Is(err, quorum.ErrRemoved) {
			e.t.Fatalf("member %d ends with %v", id, err)
		}
	case <-time.After(time.Minute):
		e.t.Fatalf("member %d goes on", id)
	}
	e.stop(id)
}

// TestEveryMemberIsReplaced: from three members to five and back to three others, under load. No write that was
// answered is lost, and none waits longer than a second.
func TestEveryMemberIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, reconfigurable)
		e.leader(1, 2, 3)
		e.newcomer(4)
		e.newcomer(5)
		admin := connect(t, e.servers[4], wire.ConnectRequest{TimeoutMillis: 40_000})
		change := func(joining, leaving string) {
			t.Helper()
			began := time.Now()
			h, resp := admin.reconfig(wire.ReconfigRequest{JoiningServers: text(joining), LeavingServers: text(leaving), CurConfigID: -1})
			if h.Err != wire.OK {
				t.Fatalf("add %q, remove %q: %v", joining, leaving, h.Err)
			}
			t.Logf("add %q, remove %q: %v\n%s", joining, leaving, time.Since(began), resp.Data)
		}
		load := startLoad(t, e, 4)
		change("server.4=m4:1:2;m4:3,server.5=m5:1:2;m5:3", "")
		e.newcomer(6)
		change("server.6=m6:1:2;m6:3", "1")
		e.expelled(1)
		change("", "2,3")
		e.expelled(2)
		e.expelled(3)
		// One that was removed is not let in with its old disk.
		e.start(2)
		e.expelled(2)
		if h, _ := admin.reconfig(wire.ReconfigRequest{LeavingServers: text("6,5"), CurConfigID: -1}); h.Err != wire.ErrBadArguments {
			t.Errorf("down to one: %v", h.Err)
		}
		load.end()
		e.leader(4, 5, 6)
	})
}

// load is a client that writes one node after another, over one connection.
type load struct {
	t    *testing.T
	e    *testEnsemble
	c    *rawConn
	stop chan struct{}
	done chan struct{}
	made int
	most time.Duration
}

func startLoad(t *testing.T, e *testEnsemble, member uint64) *load {
	l := &load{t: t, e: e, c: connect(t, e.servers[member], wire.ConnectRequest{TimeoutMillis: 40_000}), stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for {
			select {
			case <-l.stop:
				return
			default:
			}
			began := time.Now()
			if h := l.c.call(wire.OpCreate, create(fmt.Sprintf("/load-%d", l.made), "", 0), nil); h.Err != wire.OK {
				t.Errorf("write %d: %v", l.made, h.Err)
				return
			}
			l.made++
			l.most = max(l.most, time.Since(began))
		}
	}()
	return l
}

// end checks that all that was written is there, on each member.
func (l *load) end() {
	close(l.stop)
	<-l.done
	l.t.Logf("%d writes, the longest took %v", l.made, l.most)
	if l.most > time.Second {
		l.t.Errorf("a write took %v", l.most)
	}
	for id, s := range l.e.servers {
		c := connect(l.t, s, wire.ConnectRequest{})
		c.call(wire.OpSync, &wire.SyncRequest{Path: "/"}, nil)
		for i := range l.made {
			if h := c.call(wire.OpExists, &wire.ExistsRequest{Path: fmt.Sprintf("/load-%d", i)}, nil); h.Err != wire.OK {
				l.t.Fatalf("member %d: write %d of %d: %v", id, i, l.made, h.Err)
			}
		}
	}
}

// TestClientPortMoves: clients stay connected, new ones come to the new port.
func TestClientPortMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, func(id uint64, c *Config) {
			reconfigurable(id, c)
			c.ClientAddr = fmt.Sprintf("m%d:10", id)
		})
		told := make(chan string, 10)
		e.configure = func(id uint64, c *Config) {
			reconfigurable(id, c)
			c.ClientAddr = fmt.Sprintf("m%d:10", id)
			c.OnMembers = func(m *membership.Ensemble) { told <- m.Text() }
		}
		e.stop(2)
		e.start(2)
		<-e.servers[2].Ready()
		first := <-told
		if !strings.Contains(first, "server.2=m2:1:2:participant\n") {
			t.Fatalf("told %q", first)
		}
		c := connect(t, e.servers[2], wire.ConnectRequest{})
		h, resp := c.reconfig(wire.ReconfigRequest{JoiningServers: text("server.2=m2:1:2;m2:20"), CurConfigID: -1})
		if h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		if text := <-told; text != string(resp.Data) {
			t.Errorf("told %q, want %q", text, resp.Data)
		}
		if got := e.servers[2].ClientAddr().String(); got != "m2:20" {
			t.Errorf("clients are served at %s", got)
		}
		host := e.net.Host("c")
		nc, err := host.Dial(t.Context(), "m2:20")
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
		if nc, err := host.Dial(t.Context(), "m2:10"); err == nil {
			nc.Close()
			t.Error("the old port is open")
		}
		if h := c.call(wire.OpExists, &wire.ExistsRequest{Path: "/"}, nil); h.Err != wire.OK {
			t.Error(h.Err)
		}
	})
}

// TestMemberMoves: a member gets another address for its peers, and is reached there without a restart; after
// one, too.
func TestMemberMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, reconfigurable)
		leader := e.leader(1, 2, 3)
		moves := others(leader)[0]
		c := connect(t, e.servers[leader], wire.ConnectRequest{TimeoutMillis: 40_000})
		line := fmt.Sprintf("server.%d=m%d:7:8;3", moves, moves)
		if h, _ := c.reconfig(wire.ReconfigRequest{JoiningServers: text(line), CurConfigID: -1}); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		// Without it there is no majority.
		e.net.Isolate(fmt.Sprintf("m%d", others(leader)[1]))
		if h := c.call(wire.OpCreate, create("/n", "", 0), nil); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		d := connect(t, e.servers[moves], wire.ConnectRequest{})
		d.call(wire.OpSync, &wire.SyncRequest{Path: "/"}, nil)
		if h := d.call(wire.OpExists, &wire.ExistsRequest{Path: "/n"}, nil); h.Err != wire.OK {
			t.Fatal(h.Err)
		}
		if e.servers[leader].leadership.Load().leader != leader {
			t.Error("leadership has changed")
		}
	})
}
