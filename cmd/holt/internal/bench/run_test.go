package bench

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holt/quorum/simnet"
	"holt/wire"
	"holt/wire/client"
)

// fakeServer answers every request at once, knows which nodes exist and fires data watches. It
// stands in for a server where a test is about the generator.
type fakeServer struct {
	listener net.Listener
	dial     func(context.Context, string) (net.Conn, error)
	gone     func() bool // asked before each reply, if not nil: drop the connection instead

	multiResult wire.OpCode // of the first part of every multi
	multiErr    wire.ErrCode

	mu      sync.Mutex
	nodes   map[string]bool
	watches map[*fakeConn]bool // of the one node that is watched
}

type fakeConn struct {
	net.Conn
	mu sync.Mutex // of writing
}

func (c *fakeConn) send(h wire.ReplyHeader, body wire.Record) {
	b, mark := wire.BeginFrame(nil)
	b = h.AppendTo(b)
	if body != nil {
		b = body.AppendTo(b)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Write(wire.EndFrame(b, mark)) // a client that left is no matter
}

// startFake starts a server that is a millisecond away, on a network in memory. Call it in a
// synctest bubble.
func startFake(t *testing.T) *fakeServer {
	t.Helper()
	n := simnet.New(1)
	n.SetAll(simnet.Link{Delay: time.Millisecond})
	l, err := n.Host("server").Listen("server:2181")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{multiResult: wire.OpSetData, listener: l, dial: n.Host("client").Dial, nodes: make(map[string]bool), watches: make(map[*fakeConn]bool)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.serve(&fakeConn{Conn: c}) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return f
}

func (f *fakeServer) serve(c *fakeConn) {
	defer c.Close()
	frames := wire.NewFrameReader(c, 1<<20)
	if _, err := frames.Next(); err != nil {
		return
	}
	b, mark := wire.BeginFrame(nil)
	b = (&wire.ConnectResponse{TimeoutMillis: 30000, SessionID: 1, Passwd: make([]byte, 16), HasReadOnly: true}).AppendTo(b)
	c.Write(wire.EndFrame(b, mark))
	for {
		payload, err := frames.Next()
		if err != nil {
			return
		}
		d := wire.NewDecoder(payload)
		var h wire.RequestHeader
		h.Decode(d)
		if f.gone != nil && f.gone() {
			return
		}
		code, body := f.answer(c, h.Op, d)
		c.send(wire.ReplyHeader{Xid: h.Xid, Err: code}, body)
		if h.Op == wire.OpCloseSession {
			return
		}
	}
}

func (f *fakeServer) answer(c *fakeConn, op wire.OpCode, d *wire.Decoder) (wire.ErrCode, wire.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch op {
	case wire.OpCreate:
		var r wire.CreateRequest
		r.Decode(d)
		if f.nodes[r.Path] {
			return wire.ErrNodeExists, nil
		}
		f.nodes[strings.Clone(r.Path)] = true
		return wire.OK, &wire.CreateResponse{Path: r.Path}
	case wire.OpDelete:
		var r wire.DeleteRequest
		r.Decode(d)
		f.fire(wire.EventNodeDeleted, r.Path)
		if !f.nodes[r.Path] {
			return wire.ErrNoNode, nil
		}
		delete(f.nodes, r.Path)
	case wire.OpGetData:
		var r wire.GetDataRequest
		r.Decode(d)
		if !f.nodes[r.Path] {
			return wire.ErrNoNode, nil
		}
		if r.Watch {
			f.watches[c] = true
		}
		return wire.OK, &wire.GetDataResponse{}
	case wire.OpSetData:
		var r wire.SetDataRequest
		r.Decode(d)
		f.fire(wire.EventNodeDataChanged, r.Path)
		return wire.OK, &wire.SetDataResponse{}
	case wire.OpGetChildren:
		var r wire.GetChildrenRequest
		r.Decode(d)
		var names []string
		for path := range f.nodes {
			if name, ok := strings.CutPrefix(path, r.Path+"/"); ok {
				names = append(names, name)
			}
		}
		return wire.OK, &wire.GetChildrenResponse{Children: names}
	case wire.OpExists:
		return wire.OK, &wire.ExistsResponse{}
	case wire.OpGetChildren2:
		return wire.OK, &wire.GetChildren2Response{}
	case wire.OpMulti:
		return wire.OK, &wire.MultiHeader{Type: f.multiResult, Err: f.multiErr}
	}
	return wire.OK, nil
}

func (f *fakeServer) fire(kind wire.EventType, path string) {
	for c := range f.watches {
		c.send(wire.ReplyHeader{Xid: wire.XidNotification}, &wire.WatcherEvent{Type: kind, Path: path})
	}
	clear(f.watches)
}

// config is cfg for this server.
func (f *fakeServer) config(cfg Config) Config {
	cfg.Servers, cfg.Dial, cfg.Nodes = []string{"server:2181"}, f.dial, 50
	return cfg
}

// run runs a load and checks what every report must have.
func (f *fakeServer) run(t *testing.T, cfg Config) *Report {
	t.Helper()
	cfg = f.config(cfg)
	cfg.PIDs = []int{os.Getpid()}
	cfg.WarmUp = 20 * time.Millisecond
	if cfg.Duration == 0 {
		cfg.Duration = 100 * time.Millisecond
	}
	rep, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Ops == 0 || rep.OpsPerSecond == 0 || rep.Latency.Max < rep.Latency.P50 || len(rep.LanesLost) > 0 {
		t.Errorf("report = %+v", rep)
	}
	if rep.Latency.P50 < 1000 { // the network alone takes longer
		t.Errorf("latency = %v", rep.Latency)
	}
	if rep.Server == nil || rep.Server.RSSBytes == 0 {
		t.Errorf("server usage = %+v", rep.Server)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if delete(f.nodes, "/bench"); len(f.nodes) > 0 {
		t.Errorf("nodes left: %d", len(f.nodes))
	}
	return rep
}

func TestEveryLoad(t *testing.T) {
	for _, load := range Loads() {
		t.Run(load, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := Config{Load: load, Connections: 3, Outstanding: 4}
				if load == "delete" {
					cfg.Count = 500
				}
				rep := startFake(t).run(t, cfg)
				if len(rep.Errors) > 0 {
					t.Errorf("errors = %v", rep.Errors)
				}
				if load == "delete" && rep.Ops != 500 {
					t.Errorf("deleted %d, want 500", rep.Ops)
				}
				if load == "mixed" && (rep.LatencyByLoad["get"].P50 == 0 || rep.LatencyByLoad["set"].P50 == 0) {
					t.Errorf("latency by load = %v", rep.LatencyByLoad)
				}
			})
		})
	}
}

// TestClosedLoopKeepsTheWindow: with a round trip of two milliseconds and 4 requests in flight on
// each of 3 connections there are 6 operations per millisecond.
func TestClosedLoopKeepsTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rep := startFake(t).run(t, Config{Load: "get", Connections: 3, Outstanding: 4, Duration: time.Second})
		if rep.Ops < 5950 || rep.Ops > 6050 {
			t.Errorf("%d operations in a second, want 6000", rep.Ops)
		}
	})
}

func TestCountIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rep := startFake(t).run(t, Config{Load: "create", Connections: 3, Count: 1001})
		if rep.Ops != 1001 {
			t.Errorf("created %d, want 1001", rep.Ops)
		}
	})
}

// TestOpenLoopChargesStalls stalls the server once. Requests that fell due meanwhile must count
// the wait, and none may be left out.
func TestOpenLoopChargesStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		const stall = 60 * time.Millisecond
		var n atomic.Int64
		f.gone = func() bool {
			if n.Add(1) == 200 {
				time.Sleep(stall)
			}
			return false
		}
		rep := f.run(t, Config{Load: "get", Connections: 1, Outstanding: 5, Rate: 1000, Duration: 500 * time.Millisecond})
		if rep.Ops < 495 || rep.Ops > 505 {
			t.Errorf("%d operations in half a second at 1000/s", rep.Ops)
		}
		// About sixty requests fell due during the stall and waited half of it on average.
		if rep.Latency.Max < 60e3 || rep.Latency.Max > 70e3 || rep.Latency.P99 < 50e3 {
			t.Errorf("latency = %v: the stall of %v was not charged", rep.Latency, stall)
		}
	})
}

// TestOpenLoopKeepsTheRate spreads a rate over connections.
func TestOpenLoopKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rep := startFake(t).run(t, Config{Load: "set", Connections: 7, Rate: 700, Duration: time.Second})
		if rep.Ops < 690 || rep.Ops > 710 || rep.Latency.Max > 3000 {
			t.Errorf("%d operations in a second, want 700; %v", rep.Ops, rep.Latency)
		}
	})
}

func TestErrorsAreNoOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		cfg := f.config(Config{Load: "delete", Connections: 1, Outstanding: 3, Count: 10}).withDefaults()
		r := &run{cfg: cfg, dir: "/none", start: time.Now()}
		c, err := r.dialLane(t.Context(), 0, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l := &lane{run: r, conn: c, tally: newTally(1)}
		if l.script, err = r.scriptOf("delete", 0); err != nil {
			t.Fatal(err)
		}
		r.phase.Store(measured)
		if err := l.closedLoop(); err != nil {
			t.Fatal(err)
		}
		if l.latency[0].count != 0 || l.errors["NoNode"] != 10 {
			t.Errorf("operations %d, errors %v", l.latency[0].count, l.errors)
		}
	})
}

// TestFailedMultis: a multi fails inside a reply whose code is OK.
func TestFailedMultis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		f.multiResult, f.multiErr = wire.OpError, wire.ErrBadVersion
		rep, err := Run(t.Context(), f.config(Config{Load: "multi", Connections: 1, Count: 30}))
		if err != nil || rep.Ops != 0 || rep.Errors["BadVersion"] != 30 {
			t.Errorf("report = %+v, %v", rep, err)
		}
	})
}

// TestLostConnections: a run whose server goes away says so and does not hang.
func TestLostConnections(t *testing.T) {
	for _, cfg := range []Config{
		{Load: "get", Connections: 2}, {Load: "get", Connections: 2, Rate: 1000}, {Load: "watch", Connections: 2}, {Load: "churn", Connections: 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := startFake(t)
			var n atomic.Int64
			f.gone = func() bool { return n.Add(1) > 100 }
			cfg := f.config(cfg)
			cfg.Keep = true // there is nobody to clean up with
			rep, err := Run(t.Context(), cfg)
			if err != nil || len(rep.LanesLost) == 0 {
				t.Errorf("%s: report %+v, %v", cfg.Load, rep, err)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, cfg := range []Config{
		{Load: "nonsense"},
		{Load: "get", Connections: -1},
		{Load: "get", Root: "bench"},
		{Load: "get", Rate: 10, Count: 10},
		{Load: "watch", Rate: 10},
		{Load: "mixed", Mix: "get"},
		{Load: "mixed", Mix: "mixed=1"},
	} {
		if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestReport(t *testing.T) {
	rep := Report{Load: "get", Ops: 5, Errors: map[string]int64{"NoNode": 3}, Latency: Latency{P50: 1.5, Max: 2500}, LanesLost: []string{"EOF"}, Kept: "/bench/x"}
	var out bytes.Buffer
	if err := rep.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"p50 1.5µs", "max 2.5ms", "3 NoNode", "EOF", "/bench/x"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
}
