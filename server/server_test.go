package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"holt/wire"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(abandoned...); err != nil {
			fmt.Fprintln(os.Stderr, "leaked:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// abandoned are the goroutines that simulations leave behind: those of Pebble on a disk
// that has failed end with the process.
var abandoned []goleak.Option

// abandons says that the test leaves goroutines behind, and makes sure that those before it have not.
func abandons(t *testing.T) {
	goleak.VerifyNone(t, abandoned...)
	t.Cleanup(func() { abandoned = append(abandoned, goleak.IgnoreCurrent()) })
}

// newServer starts a server on a disk and over connections in memory.
func newServer(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	cfg := Config{DataDir: "data", FS: vfs.NewMem(), ClientAddr: Off, TickMillis: 2000, MaxClientConns: -1}
	if change != nil {
		change(&cfg)
	}
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	<-s.Ready()
	return s
}

// rawConn speaks the protocol frame by frame, so that a test sees each of them.
type rawConn struct {
	t       testing.TB
	nc      net.Conn
	frames  *wire.FrameReader
	session wire.ConnectResponse
	xid     wire.Xid
}

func connect(t testing.TB, s *Server, req wire.ConnectRequest) *rawConn {
	t.Helper()
	nc, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &rawConn{t: t, nc: nc, frames: wire.NewFrameReader(nc, 64<<20)}
	if req.TimeoutMillis == 0 {
		req.TimeoutMillis = 10_000
	}
	if req.Passwd == nil {
		req.Passwd = make([]byte, wire.PasswdSize)
	}
	c.write(&req)
	c.session.Decode(wire.NewDecoder(bytes.Clone(c.read())))
	return c
}

func (c *rawConn) write(records ...wire.Record) {
	c.t.Helper()
	b, mark := wire.BeginFrame(nil)
	for _, r := range records {
		b = r.AppendTo(b)
	}
	if _, err := c.nc.Write(wire.EndFrame(b, mark)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawConn) read() []byte {
	c.t.Helper()
	p, err := c.frames.Next()
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// send writes a request and returns its xid.
func (c *rawConn) send(op wire.OpCode, req ...wire.Record) wire.Xid {
	c.t.Helper()
	c.xid++
	c.write(append([]wire.Record{&wire.RequestHeader{Xid: c.xid, Op: op}}, req...)...)
	return c.xid
}

// receive reads the next frame, which is to be the reply to xid or, for
// XidNotification, an event. resp may be nil.
func (c *rawConn) receive(xid wire.Xid, resp wire.Record) wire.ReplyHeader {
	c.t.Helper()
	d := wire.NewDecoder(bytes.Clone(c.read()))
	var h wire.ReplyHeader
	h.Decode(d)
	if d.Err() != nil || h.Xid != xid {
		c.t.Fatalf("received xid %d zxid %s err %v, want xid %d", h.Xid, h.Zxid, h.Err, xid)
	}
	if resp != nil && h.Err == wire.OK {
		resp.Decode(d)
		if d.Err() != nil {
			c.t.Fatalf("reply to %d: %v", xid, d.Err())
		}
	}
	return h
}

// call sends a request and waits for its reply.
func (c *rawConn) call(op wire.OpCode, req, resp wire.Record) wire.ReplyHeader {
	c.t.Helper()
	if req == nil {
		return c.receive(c.send(op), resp)
	}
	return c.receive(c.send(op, req), resp)
}

// closed reports that the server has ended the connection with nothing more said.
func (c *rawConn) closed() bool {
	_, err := c.frames.Next()
	return err == io.EOF
}

func create(path, data string, flags int32) *wire.CreateRequest {
	return &wire.CreateRequest{Path: path, Data: []byte(data), ACL: wire.OpenACL(), Flags: flags}
}

func TestReadsSeeOwnEarlierWritesAndNoLaterOnes(t *testing.T) {
	s := newServer(t, nil)
	c := connect(t, s, wire.ConnectRequest{})
	c.call(wire.OpCreate, create("/n", "", 0), nil)
	// One write, so that everything behind it waits for something: reads
	// between writes must see the one before and not the one behind, although
	// all are on their way together.
	const rounds = 200
	for i := range rounds {
		c.send(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte(fmt.Sprint(i)), Version: -1})
		c.send(wire.OpGetData, &wire.GetDataRequest{Path: "/n"})
		if i%7 == 3 {
			c.send(wire.OpSync, &wire.SyncRequest{Path: "/n"})
			c.send(wire.OpExists, &wire.ExistsRequest{Path: "/n"})
		}
	}
	xid, last := wire.Xid(1), wire.Zxid(0)
	next := func(resp wire.Record) {
		t.Helper()
		xid++
		h := c.receive(xid, resp)
		if h.Err != wire.OK || h.Zxid < last {
			t.Fatalf("reply %d: %v at %s after %s", xid, h.Err, h.Zxid, last)
		}
		last = h.Zxid
	}
	for i := range rounds {
		var set wire.SetDataResponse
		next(&set)
		if set.Stat.Version != int32(i+1) {
			t.Fatalf("round %d: version %d after the set", i, set.Stat.Version)
		}
		var get wire.GetDataResponse
		next(&get)
		if string(get.Data) != fmt.Sprint(i) || get.Stat.Version != int32(i+1) {
			t.Fatalf("round %d: read %q version %d", i, get.Data, get.Stat.Version)
		}
		if i%7 == 3 {
			next(nil)
			var ex wire.ExistsResponse
			next(&ex)
			if ex.Stat.Version != int32(i+1) {
				t.Fatalf("round %d: version %d after the sync", i, ex.Stat.Version)
			}
		}
	}
}

func TestEventComesBeforeTheReplyThatShowsIt(t *testing.T) {
	s := newServer(t, nil)
	a, b := connect(t, s, wire.ConnectRequest{}), connect(t, s, wire.ConnectRequest{})
	a.call(wire.OpCreate, create("/n", "", 0), nil)
	b.call(wire.OpGetData, &wire.GetDataRequest{Path: "/n", Watch: true}, nil)
	// The writer watches too: its event comes before its own reply.
	a.call(wire.OpGetData, &wire.GetDataRequest{Path: "/n", Watch: true}, nil)
	set := a.send(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte("x"), Version: -1})
	var e wire.WatcherEvent
	h := a.receive(wire.XidNotification, &e)
	if e.Type != wire.EventNodeDataChanged || e.Path != "/n" || e.State != wire.StateSyncConnected {
		t.Fatalf("event %+v", e)
	}
	if reply := a.receive(set, nil); reply.Zxid != h.Zxid {
		t.Fatalf("event at %s, reply at %s", h.Zxid, reply.Zxid)
	}
	// The other one reads: first the event, then the reply.
	get := b.send(wire.OpGetData, &wire.GetDataRequest{Path: "/n"})
	b.receive(wire.XidNotification, &e)
	var data wire.GetDataResponse
	if b.receive(get, &data); string(data.Data) != "x" {
		t.Fatalf("read %q", data.Data)
	}
}

func TestSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		quiet := connect(t, s, wire.ConnectRequest{TimeoutMillis: 6000})
		busy := connect(t, s, wire.ConnectRequest{TimeoutMillis: 6000})
		quiet.call(wire.OpCreate, create("/e", "", 1), nil)
		busy.call(wire.OpExists, &wire.ExistsRequest{Path: "/e", Watch: true}, nil)
		start := time.Now()
		for {
			time.Sleep(time.Second)
			ping := &wire.RequestHeader{Xid: wire.XidPing, Op: wire.OpPing}
			busy.write(ping)
			d := wire.NewDecoder(bytes.Clone(busy.read()))
			var h wire.ReplyHeader
			if h.Decode(d); h.Xid == wire.XidNotification {
				break
			}
			if time.Since(start) > time.Minute {
				t.Fatal("the silent session did not expire within a minute")
			}
		}
		// In (timeout, timeout+tick], and half a tick until it is looked at.
		if took := time.Since(start); took <= 6*time.Second || took > 10*time.Second {
			t.Errorf("expired after %v, want 6 to 10 s", took)
		}
		if !quiet.closed() {
			t.Error("the expired session's connection is still open")
		}
		again := connect(t, s, wire.ConnectRequest{SessionID: quiet.session.SessionID, Passwd: quiet.session.Passwd})
		if again.session.SessionID != 0 || again.session.TimeoutMillis != 0 {
			t.Errorf("reconnect to an expired session got %+v", again.session)
		}
	})
}

func TestReconnectTakesTheSessionOver(t *testing.T) {
	s := newServer(t, nil)
	first := connect(t, s, wire.ConnectRequest{HasReadOnly: true})
	first.call(wire.OpCreate, create("/e", "", 1), nil)
	id, passwd := first.session.SessionID, first.session.Passwd

	wrong := connect(t, s, wire.ConnectRequest{SessionID: id, Passwd: make([]byte, wire.PasswdSize), HasReadOnly: true})
	if wrong.session.SessionID != 0 || !wrong.closed() {
		t.Fatalf("wrong password got %+v", wrong.session)
	}
	// Differs from ZooKeeper: the attempt does not end the true client's
	// connection.
	if h := first.call(wire.OpExists, &wire.ExistsRequest{Path: "/e"}, nil); h.Err != wire.OK {
		t.Fatalf("first connection after the attempt: %v", h.Err)
	}
	second := connect(t, s, wire.ConnectRequest{SessionID: id, Passwd: passwd, HasReadOnly: true})
	if second.session.SessionID != id || !first.closed() {
		t.Fatalf("second connection got %+v", second.session)
	}
	var eph wire.GetEphemeralsResponse
	second.call(wire.OpGetEphemerals, &wire.GetEphemeralsRequest{}, &eph)
	if len(eph.Ephemerals) != 1 || eph.Ephemerals[0] != "/e" {
		t.Fatalf("ephemerals %q", eph.Ephemerals)
	}
	if h := second.call(wire.OpCloseSession, nil, nil); h.Err != wire.OK || !second.closed() {
		t.Fatalf("close: %v", h.Err)
	}
	other := connect(t, s, wire.ConnectRequest{})
	if h := other.call(wire.OpExists, &wire.ExistsRequest{Path: "/e"}, nil); h.Err != wire.ErrNoNode {
		t.Fatalf("ephemeral after close: %v", h.Err)
	}
}

func TestUnknownOperationsEndTheConnection(t *testing.T) {
	s := newServer(t, nil)
	for _, op := range []wire.OpCode{0, 10, 999, -1, wire.OpCheck, wire.OpCreateSession, wire.OpDeleteContainer} {
		c := connect(t, s, wire.ConnectRequest{})
		h := c.call(op, nil, nil)
		if h.Err != wire.ErrUnimplemented || h.Zxid != -1 || !c.closed() {
			t.Errorf("op %d: %v at %s", op, h.Err, h.Zxid)
		}
	}
}

func TestMalformedRequestsKeepTheConnection(t *testing.T) {
	s := newServer(t, nil)
	c := connect(t, s, wire.ConnectRequest{})
	for op := wire.OpCode(-20); op < 120; op++ {
		if !op.Known() || op == wire.OpCloseSession || op == wire.OpPing || op == wire.OpWhoAmI ||
			op == wire.OpAuth || op == wire.OpSASL || op == wire.OpReconfig {
			continue
		}
		h := c.call(op, nil, nil) // no body at all
		if h.Err != wire.ErrMarshallingError {
			t.Errorf("%v without a body: %v", op, h.Err)
		}
	}
	if h := c.call(wire.OpExists, &wire.ExistsRequest{Path: "/"}, nil); h.Err != wire.OK {
		t.Errorf("afterwards: %v", h.Err)
	}
}

func TestLengthsThatLie(t *testing.T) {
	s := newServer(t, nil)
	for _, length := range []int32{-1, -2147483648, 2147483647, 1048576} {
		c := connect(t, s, wire.ConnectRequest{})
		if err := binary.Write(c.nc, binary.BigEndian, length); err != nil {
			t.Fatal(err)
		}
		if !c.closed() {
			t.Errorf("length %d: the connection is still open", length)
		}
	}
	connect(t, s, wire.ConnectRequest{}).call(wire.OpExists, &wire.ExistsRequest{Path: "/"}, nil)
}

func TestRestartKeepsDataAndSessions(t *testing.T) {
	fs := vfs.NewMem()
	cfg := Config{DataDir: "data", FS: fs, ClientAddr: Off, TickMillis: 2000}
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, s, wire.ConnectRequest{})
	c.call(wire.OpCreate, create("/e", "data", 1), nil)
	before := c.call(wire.OpCreate, create("/p", "data", 0), nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = newServer(t, func(c *Config) { c.FS = fs })
	again := connect(t, s, wire.ConnectRequest{SessionID: c.session.SessionID, Passwd: c.session.Passwd, LastZxidSeen: before.Zxid})
	if again.session.SessionID != c.session.SessionID {
		t.Fatalf("session after the restart: %+v", again.session)
	}
	var get wire.GetDataResponse
	h := again.call(wire.OpGetData, &wire.GetDataRequest{Path: "/e"}, &get)
	if h.Err != wire.OK || string(get.Data) != "data" || get.Stat.EphemeralOwner != int64(c.session.SessionID) {
		t.Fatalf("ephemeral after the restart: %v %q %+v", h.Err, get.Data, get.Stat)
	}
	if h.Zxid <= before.Zxid {
		t.Errorf("zxid %s after the restart, %s before", h.Zxid, before.Zxid)
	}
}

func TestFourLetterWord(t *testing.T) {
	s := newServer(t, func(c *Config) { c.FourLetterWords = []string{"*"} })
	for word, want := range map[string]string{"ruok": "imok", "isro": "rw", "srvr": "Zookeeper version:"} {
		nc, err := s.Dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write([]byte(word)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(nc)
		if err != nil || !bytes.HasPrefix(got, []byte(want)) {
			t.Errorf("%s: %q, %v", word, got, err)
		}
		if err := nc.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTooManyWatches: a connection may have so many watches; with one more it is closed, after
// the reply, so that its client sets them anew elsewhere.
func TestTooManyWatches(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxWatches = 3 })
	c, other := connect(t, s, wire.ConnectRequest{}), connect(t, s, wire.ConnectRequest{})
	watch := func(c *rawConn, path string) {
		c.call(wire.OpExists, &wire.ExistsRequest{Path: path, Watch: true}, nil)
	}
	for i := range 3 {
		watch(c, fmt.Sprint("/n", i))
		watch(c, "/n0") // it has that one
	}
	watch(other, "/n9") // not its own
	watch(c, "/n3")
	if !c.closed() {
		t.Error("the connection lives on with four watches")
	}
	other.call(wire.OpGetData, &wire.GetDataRequest{Path: "/"}, nil)
}

// TestEndedConnectionsLeaveNothing: a connection may end between any two steps of what is under way for it.
func TestEndedConnectionsLeaveNothing(t *testing.T) {
	s := newServer(t, nil)
	newEnded := func() *conn {
		end, other := memoryPipe()
		t.Cleanup(func() { other.Close() })
		c := newConn(s, end, portPlain)
		c.stop()
		s.watches.RemoveAll(c)
		return c
	}
	t.Run("a read that is being answered", func(t *testing.T) {
		c := newEnded()
		payload := (&wire.RequestHeader{Xid: 1, Op: wire.OpExists}).AppendTo(nil)
		payload = (&wire.ExistsRequest{Path: "/none", Watch: true}).AppendTo(payload)
		s.takeHead(c, &request{kind: kindRead, op: wire.OpExists, xid: 1, payload: payload})
		if n := s.watches.Of(c); n != 0 {
			t.Errorf("%d watches are left", n)
		}
	})
	t.Run("a handshake", func(t *testing.T) {
		c := newEnded()
		if _, err := c.openSession(&wire.ConnectRequest{}, 4000); err == nil {
			t.Error("it got a session")
		}
		c.stop()
		if n := s.inProgress(); n != 0 {
			t.Errorf("%d requests count as in progress", n)
		}
	})
}
