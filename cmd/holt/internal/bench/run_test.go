package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"holt/wire"
)

// fakeServer answers every request at once, knows which nodes exist and fires data watches. It
// stands in for a server where a test is about the generator.
type fakeServer struct {
	listener net.Listener
	stall    func() // called before each reply, if not nil

	mu      sync.Mutex
	nodes   map[string]bool
	watches map[*fakeConn]bool // of the one node that is watched
	open    int                // sessions
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

func startFake(t *testing.T) *fakeServer {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{listener: l, nodes: make(map[string]bool), watches: make(map[*fakeConn]bool)}
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
	f.count(+1)
	defer f.count(-1)
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
		if f.stall != nil {
			f.stall()
		}
		code, body := f.answer(c, h.Op, d)
		c.send(wire.ReplyHeader{Xid: h.Xid, Err: code}, body)
		if h.Op == wire.OpCloseSession {
			return
		}
	}
}

func (f *fakeServer) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open += n
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
	}
	return wire.OK, nil
}

func (f *fakeServer) fire(kind wire.EventType, path string) {
	for c := range f.watches {
		c.send(wire.ReplyHeader{Xid: wire.XidNotification}, &wire.WatcherEvent{Type: kind, Path: path})
	}
	clear(f.watches)
}

// run runs a load for a moment and checks what every report must have.
func (f *fakeServer) run(t *testing.T, cfg Config) *Report {
	t.Helper()
	cfg.Servers = []string{f.listener.Addr().String()}
	cfg.Nodes, cfg.WarmUp = 50, 20*time.Millisecond
	if cfg.Duration == 0 {
		cfg.Duration = 100 * time.Millisecond
	}
	cfg.AutoPIDs = true
	rep, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Ops == 0 || rep.OpsPerSecond == 0 || rep.Latency.P50 == 0 || rep.Latency.Max < rep.Latency.P99 || len(rep.LanesLost) > 0 {
		t.Errorf("report = %+v", rep)
	}
	if rep.Server == nil || rep.Server.PIDs[0] != os.Getpid() || rep.Server.RSSBytes == 0 {
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
			f := startFake(t)
			cfg := Config{Load: load, Connections: 3, Outstanding: 4}
			if load == "delete" {
				cfg.Count = 500
			}
			rep := f.run(t, cfg)
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
	}
}

func TestCountIsExact(t *testing.T) {
	rep := startFake(t).run(t, Config{Load: "create", Connections: 3, Count: 1001})
	if rep.Ops != 1001 {
		t.Errorf("created %d, want 1001", rep.Ops)
	}
}

// TestOpenLoopChargesStalls stalls the server once. Requests that fell due meanwhile must count
// the wait, and none may be left out.
func TestOpenLoopChargesStalls(t *testing.T) {
	f := startFake(t)
	const stall = 60 * time.Millisecond
	n := 0
	f.stall = func() {
		if n++; n == 150 { // one connection, so no lock
			<-time.After(stall)
		}
	}
	rep := f.run(t, Config{Load: "get", Connections: 1, Outstanding: 5, Rate: 1000, Duration: 300 * time.Millisecond})
	if rep.Ops < 250 || rep.Ops > 350 {
		t.Errorf("%d operations in 0.3 s at 1000/s", rep.Ops)
	}
	// About sixty requests fell due during the stall and waited half of it on average.
	if rep.Latency.Max < 50e3 || rep.Latency.P99 < 30e3 {
		t.Errorf("latency = %v: the stall of %v was not charged", rep.Latency, stall)
	}
}

func TestErrorsAreNoOperations(t *testing.T) {
	f := startFake(t)
	r := &run{cfg: Config{Load: "delete", Connections: 1, Nodes: 10, Outstanding: 3, Count: 10}.withDefaults(), dir: "/none", start: time.Now()}
	s, err := dial(t.Context(), f.listener.Addr().String(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l := &lane{run: r, s: s, tally: newTally(1)}
	if l.script, err = r.scriptOf("delete", 0); err != nil {
		t.Fatal(err)
	}
	r.left.Store(10)
	r.phase.Store(measured)
	if err := l.closedLoop(); err != nil {
		t.Fatal(err)
	}
	if l.latency[0].count != 0 || l.errors["NoNode"] != 10 {
		t.Errorf("operations %d, errors %v", l.latency[0].count, l.errors)
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
		cfg.Servers = []string{startFake(t).listener.Addr().String()}
		if _, err := Run(context.Background(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestCommand(t *testing.T) {
	f := startFake(t)
	var out bytes.Buffer
	cmd := Command()
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"get", "--servers", f.listener.Addr().String(), "--count", "100", "-o", "json"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var rep Report
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil || rep.Ops != 100 {
		t.Errorf("report = %+v, %v", rep, err)
	}
	out.Reset()
	cmd.SetArgs([]string{"get", "--servers", f.listener.Addr().String(), "--count", "100", "-o", "text"})
	if err := cmd.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "throughput") {
		t.Errorf("text = %q, %v", out.String(), err)
	}
}
