package server

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holt/wire"
)

func TestTokenBucket(t *testing.T) {
	now := time.Unix(0, 0)
	b := newTokenBucket(3, 2, time.Second, now)
	steps := []struct {
		after time.Duration
		want  []bool
	}{
		{0, []bool{true, true, true, false}},
		{999 * time.Millisecond, []bool{false}},
		{time.Millisecond, []bool{true, true, false}},
		{time.Hour, []bool{true, true, true, false}},
	}
	for i, step := range steps {
		now = now.Add(step.after)
		for j, want := range step.want {
			if got := b.take(now); got != want {
				t.Errorf("step %d, take %d: %v, want %v", i, j, got, want)
			}
		}
	}
	var none *tokenBucket
	if none = newTokenBucket(0, 1, time.Second, now); !none.take(now) {
		t.Error("no bucket refused a token")
	}
}

func TestConnectRequestsPastTheTokensAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, func(c *Config) { c.ConnTokens, c.ConnTokenFillMillis = 2, 60_000 })
		connect(t, s, wire.ConnectRequest{})
		connect(t, s, wire.ConnectRequest{})
		nc, err := s.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		c := &rawConn{t: t, nc: nc, frames: wire.NewFrameReader(nc, 1<<20)}
		c.write(&wire.ConnectRequest{TimeoutMillis: 10_000, Passwd: make([]byte, wire.PasswdSize)})
		if !c.closed() {
			t.Error("the third connect request was taken")
		}
		time.Sleep(time.Minute)
		connect(t, s, wire.ConnectRequest{})
	})
}

func TestRequestsPastTheThrottleWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, func(c *Config) {
			c.RequestThrottleMax, c.ThrottledOpWaitMillis = 1, 250
		})
		c, other := connect(t, s, wire.ConnectRequest{}), connect(t, s, wire.ConnectRequest{})
		s.waiting.Add(1) // as if another connection's write took its time
		xid := c.send(wire.OpExists, &wire.ExistsRequest{Path: "/"})
		time.Sleep(150 * time.Millisecond)
		s.waiting.Add(-1)
		if h := c.receive(xid, nil); h.Err != wire.OK {
			t.Errorf("a request that waited 200 ms: %v", h.Err)
		}
		s.waiting.Add(1)
		xid = c.send(wire.OpExists, &wire.ExistsRequest{Path: "/"})
		other.write(&wire.RequestHeader{Xid: wire.XidPing, Op: wire.OpPing})
		other.receive(wire.XidPing, nil) // pings do not wait
		time.Sleep(time.Second)
		s.waiting.Add(-1)
		if h := c.receive(xid, nil); h.Err != wire.ErrThrottledOp {
			t.Errorf("a request that waited a second: %v", h.Err)
		}
		s.waiting.Add(1)
		xid = c.send(wire.OpCloseSession)
		time.Sleep(time.Second)
		s.waiting.Add(-1)
		if h := c.receive(xid, nil); h.Err != wire.OK || !c.closed() {
			t.Errorf("a closeSession that waited a second: %v", h.Err)
		}
	})
}

// TestThrottledRequestsAreAnsweredInTurn: what is refused is so behind the replies to earlier
// requests, and these do not wait for it.
func TestThrottledRequestsAreAnsweredInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, func(_ uint64, c *Config) { c.RequestThrottleMax, c.ThrottledOpWaitMillis = 2, 250 })
		follower := others(e.leader(1, 2, 3))[0]
		s, host := e.servers[follower], fmt.Sprintf("m%d", follower)
		c := connect(t, s, wire.ConnectRequest{})
		e.net.Isolate(host)
		s.waiting.Add(1) // as if another connection's write took its time
		together := appendRequest(nil, 1, wire.OpExists, &wire.ExistsRequest{Path: "/"})
		together = appendRequest(together, 2, wire.OpCreate, create("/n", "", 0))
		together = appendRequest(together, 3, wire.OpExists, &wire.ExistsRequest{Path: "/n"})
		if _, err := c.nc.Write(together); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if h := c.receive(1, nil); h.Err != wire.OK || time.Since(start) > 10*time.Millisecond {
			t.Errorf("the first reply: %v after %v", h.Err, time.Since(start))
		}
		time.Sleep(time.Second)
		s.waiting.Add(-1)
		time.Sleep(time.Second) // the third is refused, but the second has no answer yet
		e.net.Rejoin(host)
		if h := c.receive(2, nil); h.Err != wire.OK {
			t.Errorf("the write: %v", h.Err)
		}
		if h := c.receive(3, nil); h.Err != wire.ErrThrottledOp {
			t.Errorf("a request that waited a second: %v", h.Err)
		}
		c.xid = 3
		if h := c.call(wire.OpExists, &wire.ExistsRequest{Path: "/n"}, nil); h.Err != wire.OK {
			t.Errorf("afterwards: %v", h.Err)
		}
	})
}

func appendRequest(b []byte, xid wire.Xid, op wire.OpCode, r wire.Record) []byte {
	b, mark := wire.BeginFrame(b)
	b = (&wire.RequestHeader{Xid: xid, Op: op}).AppendTo(b)
	return wire.EndFrame(r.AppendTo(b), mark)
}

// TestLoadExpiresNoSession: while a connection is not read because of requests on their way, nobody sees
// its client's pings, and its session lives on; a silent client's ends.
func TestLoadExpiresNoSession(t *testing.T) {
	for name, config := range map[string]func(*Config){
		"throttled": func(c *Config) { c.RequestThrottleMax = 2 },
		"no room":   func(c *Config) { c.GlobalOutstandingLimit = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, config)
				c, silent := connect(t, s, wire.ConnectRequest{TimeoutMillis: 4000}), connect(t, s, wire.ConnectRequest{TimeoutMillis: 4000})
				s.mu.Lock()
				sc := s.sessions[c.session.SessionID]
				s.mu.Unlock()
				sc.mu.Lock()
				sc.pushLocked(&request{kind: kindBarrier, op: wire.OpSync, xid: 1}) // that takes its time
				sc.mu.Unlock()
				s.waiting.Add(1)
				c.xid++
				c.send(wire.OpExists, &wire.ExistsRequest{Path: "/"})
				time.Sleep(20 * time.Second)
				if !s.sessionKnown(c.session.SessionID) {
					t.Error("the session of a connection that is not read has expired")
				}
				if s.sessionKnown(silent.session.SessionID) {
					t.Error("the session of a silent client lives on")
				}
				s.waiting.Add(-1)
			})
		})
	}
}

// TestSlowReaderKeepsItsSession: while a client takes its replies slowly nobody sees its pings, and its session
// lives on; that of a client which takes nothing ends. The replies are the reader's to write, or somebody else's.
func TestSlowReaderKeepsItsSession(t *testing.T) {
	for name, written := range map[string]func(s *Server, c *rawConn){
		"by the reader": func(*Server, *rawConn) {},
		"by another": func(s *Server, c *rawConn) {
			s.mu.Lock()
			out := &s.sessions[c.session.SessionID].out
			s.mu.Unlock()
			out.append(add(strings.Repeat("x", 8<<20)))
			go out.flush()
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, nil)
				slow, frozen := connect(t, s, wire.ConnectRequest{TimeoutMillis: 4000}), connect(t, s, wire.ConnectRequest{TimeoutMillis: 4000})
				if h := slow.call(wire.OpCreate, create("/n", strings.Repeat("x", 1<<20-1000), 0), nil); h.Err != wire.OK {
					t.Fatal(h.Err)
				}
				for _, c := range []*rawConn{slow, frozen} {
					written(s, c)
					for range 16 {
						c.send(wire.OpGetData, &wire.GetDataRequest{Path: "/n"})
					}
				}
				part := make([]byte, 128<<10)
				for range 30 {
					if _, err := io.ReadFull(slow.nc, part); err != nil {
						t.Fatalf("the client that reads: %v", err)
					}
					slow.write(&wire.RequestHeader{Xid: wire.XidPing, Op: wire.OpPing})
					time.Sleep(time.Second)
				}
				if !s.sessionKnown(slow.session.SessionID) {
					t.Error("the session of a client that reads slowly has expired")
				}
				if s.sessionKnown(frozen.session.SessionID) {
					t.Error("the session of a client that reads nothing lives on")
				}
			})
		})
	}
}

// TestReplacedConnectionSubmitsNothing: writes that wait behind a barrier of a connection go with it when
// the client takes its session up again, or they would follow those of the new connection.
func TestReplacedConnectionSubmitsNothing(t *testing.T) {
	s := newServer(t, nil)
	conns := make([]*conn, 2)
	for i := range conns {
		end, other := memoryPipe()
		defer other.Close()
		conns[i] = newConn(s, end, portPlain)
		conns[i].session.Store(1 << 40)
	}
	old := conns[0]
	s.bind(old)
	old.mu.Lock()
	old.pushLocked(&request{kind: kindBarrier, op: wire.OpSync, xid: 1})
	old.barrier++
	old.pushLocked(&request{kind: kindHeld, op: wire.OpCreate, xid: 2, payload: make([]byte, requestHeaderSize)})
	old.mu.Unlock()
	s.bind(conns[1])
	if n := old.queued.Load(); n != 0 || s.inProgress() != 0 {
		t.Errorf("%d requests are left, %d counted", n, s.inProgress())
	}
	s.unbind(1 << 40)
}

func TestLargeRequestsPastTheirBytesCloseTheConnection(t *testing.T) {
	s := newServer(t, func(c *Config) { c.LargeRequestThreshold, c.LargeRequestMaxBytes = 1000, 5000 })
	c := connect(t, s, wire.ConnectRequest{})
	data := bytes.Repeat([]byte("x"), 4000)
	if h := c.call(wire.OpCreate, create("/n", string(data), 0), nil); h.Err != wire.OK {
		t.Fatal(h.Err)
	}
	if n := s.largeBytes.Load(); n != 0 {
		t.Errorf("%d bytes of large requests are left over", n)
	}
	s.largeBytes.Add(4000)
	c.send(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: data, Version: -1})
	if !c.closed() {
		t.Error("the connection is still open")
	}
}

func TestReadOnlyMemberServesWhoAcceptsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsembleOf(t, func(_ uint64, c *Config) { c.ReadOnlyMode = true })
		leader := e.leader(1, 2, 3)
		alone := others(leader)[0]
		w := connect(t, e.servers[leader], wire.ConnectRequest{})
		last := w.call(wire.OpCreate, create("/n", "data", 0), nil)
		r := connect(t, e.servers[alone], wire.ConnectRequest{})
		r.call(wire.OpSync, &wire.SyncRequest{Path: "/"}, nil)
		e.net.Isolate("m" + string(rune('0'+alone)))
		if !r.closed() {
			t.Fatal("the session of the ensemble goes on")
		}
		ro := connect(t, e.servers[alone], wire.ConnectRequest{ReadOnly: true, HasReadOnly: true, LastZxidSeen: last.Zxid})
		if !ro.session.ReadOnly || ro.session.SessionID == 0 {
			t.Fatalf("connected as %+v", ro.session)
		}
		var get wire.GetDataResponse
		read := ro.call(wire.OpGetData, &wire.GetDataRequest{Path: "/n"}, &get)
		if string(get.Data) != "data" {
			t.Errorf("read %q", get.Data)
		}
		for _, op := range []wire.OpCode{wire.OpCreate, wire.OpDelete, wire.OpSetData, wire.OpSetACL, wire.OpMulti, wire.OpSync} {
			if h := ro.call(op, nil, nil); h.Err != wire.ErrNotReadOnly || h.Zxid != read.Zxid {
				t.Errorf("%v: %v at %s", op, h.Err, h.Zxid)
			}
		}
		leaving := connect(t, e.servers[alone], wire.ConnectRequest{ReadOnly: true, HasReadOnly: true})
		if h := leaving.call(wire.OpCloseSession, nil, nil); h.Err != wire.OK || !leaving.closed() {
			t.Errorf("close a session: %v", h.Err)
		}
		if m := e.servers[alone].Status().Mode; m != "read-only" {
			t.Errorf("mode %s", m)
		}
		e.net.Rejoin("m" + string(rune('0'+alone)))
		if !ro.closed() {
			t.Error("the read-only connection outlives the return of the quorum")
		}
	})
}

// TestMemberWithoutLeaderLetsClientsIntroduceThemselves: it looks for its leader many times while a client
// over a slow line, or one that negotiates TLS, is still about to say what it wants.
func TestMemberWithoutLeaderLetsClientsIntroduceThemselves(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		t.Run(fmt.Sprintf("read-only mode %v", readOnly), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newTestEnsembleOf(t, func(id uint64, c *Config) { c.ReadOnlyMode = readOnly })
				alone := others(e.leader(1, 2, 3))[0]
				e.net.Isolate(fmt.Sprintf("m%d", alone))
				time.Sleep(20 * time.Second) // more than syncLimit
				slow, word := dialSlowly(t, e.servers[alone]), dialSlowly(t, e.servers[alone])
				time.Sleep(3 * time.Second)
				slow.write(&wire.ConnectRequest{TimeoutMillis: 10_000, Passwd: make([]byte, wire.PasswdSize), ReadOnly: true, HasReadOnly: true})
				if readOnly {
					slow.session.Decode(wire.NewDecoder(bytes.Clone(slow.read())))
					if !slow.session.ReadOnly || slow.session.SessionID == 0 {
						t.Errorf("connected as %+v", slow.session)
					}
				} else if !slow.closed() {
					t.Error("a client that asks for a session is not sent elsewhere")
				}
				if _, err := io.WriteString(word.nc, "srvr"); err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(word.nc); err != nil || len(b) == 0 {
					t.Errorf("srvr: %q, %v", b, err)
				}
			})
		})
	}
}

// dialSlowly is a connection that has said nothing yet.
func dialSlowly(t *testing.T, s *Server) *rawConn {
	t.Helper()
	nc, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &rawConn{t: t, nc: nc, frames: wire.NewFrameReader(nc, 1<<20)}
}
