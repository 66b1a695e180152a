package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"holt/wire"
)

// serve answers every request by answer until the client closes.
func serve(s *server, answer func(r request) (wire.ErrCode, wire.Record)) {
	var zxid wire.Zxid
	var out []byte
	for {
		r, ok := s.next()
		if !ok {
			return
		}
		code, body := answer(r)
		zxid++
		out = appendReply(out, r.Xid, zxid, code, body)
		if !s.frames.Buffered() {
			s.write(out)
			out = out[:0]
		}
	}
}

// Each method sends the op code and record of its operation, and returns what the
// reply holds.
func TestMethods(t *testing.T) {
	ctx := testContext(t)
	acl := wire.OpenACL()
	stat := wire.Stat{Czxid: 1, Mzxid: 2, Version: 3, Pzxid: 4}
	null := (*string)(nil)
	ops := []wire.MultiOp{{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: "/a", Version: 1}}}
	reads := []wire.MultiOp{{Op: wire.OpGetData, Record: &wire.GetDataRequest{Path: "/a"}}}
	results := []wire.MultiResult{{Type: wire.OpCheck}}
	page := &wire.GetChildrenPageRequest{Path: "/a", MaxReturned: 2, MinCzxid: 3, CzxidOffset: 4}
	pageReply := &wire.GetChildrenPageResponse{Children: []string{"x"}, Stat: stat, NextPageCzxid: 5, NextPageCzxidOffset: 6}
	reconfig := &wire.ReconfigRequest{LeavingServers: null, CurConfigID: -1}
	setWatches := &wire.SetWatches2{PersistentWatches: []string{"/p"}}
	for _, tc := range []struct {
		op    wire.OpCode
		req   wire.Record
		reply wire.Record
		do    func(c *Conn) (any, error)
		want  any
	}{
		{wire.OpCreate, &wire.CreateRequest{Path: "/a", Data: []byte("d"), ACL: acl, Flags: 2}, &wire.CreateResponse{Path: "/a1"},
			func(c *Conn) (any, error) {
				return c.Create(ctx, "/a", []byte("d"), acl, wire.ModePersistentSequential)
			}, "/a1"},
		{wire.OpCreate2, &wire.CreateRequest{Path: "/a", ACL: acl, Flags: 1}, &wire.Create2Response{Path: "/a", Stat: stat},
			func(c *Conn) (any, error) {
				p, s, err := c.Create2(ctx, "/a", nil, acl, wire.ModeEphemeral)
				return pair{p, s}, err
			}, pair{"/a", stat}},
		{wire.OpCreateContainer, &wire.CreateRequest{Path: "/a", ACL: acl, Flags: 4}, &wire.Create2Response{Path: "/a", Stat: stat},
			func(c *Conn) (any, error) {
				p, s, err := c.CreateContainer(ctx, "/a", nil, acl)
				return pair{p, s}, err
			}, pair{"/a", stat}},
		{wire.OpCreateTTL, &wire.CreateTTLRequest{Path: "/a", ACL: acl, Flags: 5, TTLMillis: 1500}, &wire.Create2Response{Path: "/a", Stat: stat},
			func(c *Conn) (any, error) {
				p, s, err := c.CreateTTL(ctx, "/a", nil, acl, wire.ModePersistentWithTTL, 1500*time.Millisecond)
				return pair{p, s}, err
			}, pair{"/a", stat}},
		{wire.OpDelete, &wire.DeleteRequest{Path: "/a", Version: 4}, nil,
			func(c *Conn) (any, error) { return nil, c.Delete(ctx, "/a", 4) }, nil},
		{wire.OpExists, &wire.ExistsRequest{Path: "/a", Watch: true}, &wire.ExistsResponse{Stat: stat},
			func(c *Conn) (any, error) { return c.Exists(ctx, "/a", true) }, stat},
		{wire.OpGetData, &wire.GetDataRequest{Path: "/a"}, &wire.GetDataResponse{Data: []byte("d"), Stat: stat},
			func(c *Conn) (any, error) {
				b, s, err := c.GetData(ctx, "/a", false)
				return pair{string(b), s}, err
			}, pair{"d", stat}},
		{wire.OpSetData, &wire.SetDataRequest{Path: "/a", Data: []byte{}, Version: -1}, &wire.SetDataResponse{Stat: stat},
			func(c *Conn) (any, error) { return c.SetData(ctx, "/a", []byte{}, -1) }, stat},
		{wire.OpGetACL, &wire.GetACLRequest{Path: "/a"}, &wire.GetACLResponse{ACL: acl, Stat: stat},
			func(c *Conn) (any, error) { a, s, err := c.GetACL(ctx, "/a"); return pair{a, s}, err }, pair{acl, stat}},
		{wire.OpSetACL, &wire.SetACLRequest{Path: "/a", ACL: acl, Version: 2}, &wire.SetACLResponse{Stat: stat},
			func(c *Conn) (any, error) { return c.SetACL(ctx, "/a", acl, 2) }, stat},
		{wire.OpGetChildren, &wire.GetChildrenRequest{Path: "/a", Watch: true}, &wire.GetChildrenResponse{Children: []string{"x", "y"}},
			func(c *Conn) (any, error) { return c.GetChildren(ctx, "/a", true) }, []string{"x", "y"}},
		{wire.OpGetChildren2, &wire.GetChildren2Request{Path: "/a"}, &wire.GetChildren2Response{Children: []string{"x"}, Stat: stat},
			func(c *Conn) (any, error) {
				n, s, err := c.GetChildren2(ctx, "/a", false)
				return pair{n, s}, err
			}, pair{[]string{"x"}, stat}},
		{wire.OpGetChildrenPage, page, pageReply,
			func(c *Conn) (any, error) { return c.GetChildrenPage(ctx, page) }, pageReply},
		{wire.OpGetEphemerals, &wire.GetEphemeralsRequest{PrefixPath: "/a"}, &wire.GetEphemeralsResponse{Ephemerals: []string{"/a/x"}},
			func(c *Conn) (any, error) { return c.GetEphemerals(ctx, "/a") }, []string{"/a/x"}},
		{wire.OpGetAllChildrenNumber, &wire.GetAllChildrenNumberRequest{Path: "/a"}, &wire.GetAllChildrenNumberResponse{TotalNumber: 12},
			func(c *Conn) (any, error) { return c.GetAllChildrenNumber(ctx, "/a") }, 12},
		{wire.OpSync, &wire.SyncRequest{Path: "/a"}, &wire.SyncResponse{Path: "/a"},
			func(c *Conn) (any, error) { return nil, c.Sync(ctx, "/a") }, nil},
		{wire.OpPing, nil, nil, func(c *Conn) (any, error) { return nil, c.Ping(ctx) }, nil},
		{wire.OpMulti, &wire.MultiRequest{Ops: ops}, &wire.MultiResponse{Results: results},
			func(c *Conn) (any, error) { return c.Multi(ctx, ops...) }, results},
		{wire.OpMultiRead, &wire.MultiRequest{Ops: reads}, &wire.MultiResponse{Results: results},
			func(c *Conn) (any, error) { return c.MultiRead(ctx, reads...) }, results},
		{wire.OpReconfig, reconfig, &wire.GetDataResponse{Data: []byte("c"), Stat: stat},
			func(c *Conn) (any, error) {
				b, s, err := c.Reconfig(ctx, reconfig)
				return pair{string(b), s}, err
			}, pair{"c", stat}},
		{wire.OpAddWatch, &wire.AddWatchRequest{Path: "/a", Mode: 1}, &wire.ErrorResponse{},
			func(c *Conn) (any, error) { return nil, c.AddWatch(ctx, "/a", wire.AddWatchPersistentRecursive) }, nil},
		{wire.OpCheckWatches, &wire.CheckWatchesRequest{Path: "/a", Type: 3}, nil,
			func(c *Conn) (any, error) { return nil, c.CheckWatches(ctx, "/a", wire.WatcherAny) }, nil},
		{wire.OpRemoveWatches, &wire.RemoveWatchesRequest{Path: "/a", Type: 2}, nil,
			func(c *Conn) (any, error) { return nil, c.RemoveWatches(ctx, "/a", wire.WatcherData) }, nil},
		{wire.OpSetWatches, &setWatches.SetWatches, nil,
			func(c *Conn) (any, error) { return nil, c.SetWatches(ctx, &setWatches.SetWatches) }, nil},
		{wire.OpSetWatches2, setWatches, nil,
			func(c *Conn) (any, error) { return nil, c.SetWatches2(ctx, setWatches) }, nil},
		{wire.OpAuth, &wire.AuthPacket{Scheme: "digest", Auth: []byte("u:p")}, nil,
			func(c *Conn) (any, error) { return nil, c.Auth(ctx, "digest", []byte("u:p")) }, nil},
		{wire.OpSASL, &wire.GetSASLRequest{Token: []byte("t")}, &wire.SetSASLResponse{Token: []byte("u")},
			func(c *Conn) (any, error) { b, err := c.SASL(ctx, []byte("t")); return string(b), err }, "u"},
		{wire.OpWhoAmI, nil, &wire.WhoAmIResponse{ClientInfo: []wire.ClientInfo{{AuthScheme: "ip", User: "::1"}}},
			func(c *Conn) (any, error) { return c.WhoAmI(ctx) }, []wire.ClientInfo{{AuthScheme: "ip", User: "::1"}}},
	} {
		t.Run(tc.op.String(), func(t *testing.T) {
			c, s := connect(t, Options{})
			var got request
			code := wire.OK
			go serve(s, func(r request) (wire.ErrCode, wire.Record) {
				got = request{r.RequestHeader, slices.Clone(r.body)}
				if code != wire.OK {
					return code, nil
				}
				return wire.OK, tc.reply
			})
			result, err := tc.do(c)
			if err != nil {
				t.Fatal(err)
			}
			var want []byte
			if tc.req != nil {
				want = tc.req.AppendTo(nil)
			}
			if got.Op != tc.op || string(got.body) != string(want) {
				t.Errorf("sent %v %x, want %v %x", got.Op, got.body, tc.op, want)
			}
			if !reflect.DeepEqual(result, tc.want) {
				t.Errorf("result %+v, want %+v", result, tc.want)
			}
			code = wire.ErrNoAuth
			if _, err := tc.do(c); !errors.Is(err, wire.ErrNoAuth) {
				t.Errorf("error %v, want NoAuth", err)
			}
		})
	}
}

type pair struct{ a, b any }

func TestPipelinedRepliesReachTheirCalls(t *testing.T) {
	c, s := connect(t, Options{})
	go serve(s, func(r request) (wire.ErrCode, wire.Record) {
		var req wire.GetDataRequest
		req.Decode(wire.NewDecoder(r.body))
		return wire.OK, &wire.GetDataResponse{Data: []byte(req.Path)}
	})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			ctx := testContext(t)
			var calls []*Call
			for i := range 500 {
				calls = append(calls, c.Send(wire.OpGetData, &wire.GetDataRequest{Path: fmt.Sprintf("/%d/%d", g, i)}))
			}
			for i, call := range calls {
				if err := call.Wait(ctx); err != nil {
					t.Error(err)
					return
				}
				want := fmt.Sprintf("/%d/%d", g, i)
				if got := call.Reply.(*wire.GetDataResponse).Data; string(got) != want {
					t.Errorf("reply %q, want %q", got, want)
				}
				if data, _, err := c.GetData(ctx, want, false); err != nil || string(data) != want {
					t.Errorf("%q, %v, want %q", data, err, want)
				}
			}
		})
	}
	wg.Wait()
	if n := c.Counts(); n.Requests != 4000 || n.Frames != 4000 || n.Outstanding != 0 {
		t.Errorf("%+v", n)
	}
}

// What is sent while the server does not read goes out together.
func TestRequestsAreBatched(t *testing.T) {
	c, s := connect(t, Options{})
	first := c.Send(wire.OpSync, &wire.SyncRequest{Path: "/"})
	one := make([]byte, 1)
	s.nc.Read(one) // now the writer is in the middle of its write
	var calls []*Call
	for range 99 {
		calls = append(calls, c.Send(wire.OpSync, &wire.SyncRequest{Path: "/"}))
	}
	rest := make([]byte, 64<<10)
	size := len((&wire.SyncRequest{Path: "/"}).AppendTo(nil)) + 12
	if n, _ := s.nc.Read(rest); n != size-1 {
		t.Fatalf("rest of the first write: %d bytes, want %d", n, size-1)
	}
	if n, _ := s.nc.Read(rest); n != 99*size {
		t.Errorf("second write: %d bytes, want %d", n, 99*size)
	}
	for i := range 100 {
		s.reply(wire.Xid(i+1), 1, wire.OK, &wire.SyncResponse{Path: "/"})
	}
	for _, call := range append(calls, first) {
		if err := call.Wait(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEventsComeInOrderWithReplies(t *testing.T) {
	var log []string
	var events []Event
	c, s := connect(t, Options{OnEvent: func(e Event) {
		log = append(log, e.Type.String())
		events = append(events, e)
	}})
	done := make(chan struct{})
	c.Go(&Call{Op: wire.OpSetData, Request: &wire.SetDataRequest{Path: "/a"}, Reply: new(wire.SetDataResponse), Done: func(call *Call) {
		log = append(log, fmt.Sprint(call.Op, " ", call.Outcome(), " ", call.Header.Zxid))
		close(done)
	}})
	r := s.expect(wire.OpSetData)
	s.reply(wire.XidNotification, 7, wire.OK, &wire.WatcherEvent{Type: wire.EventNodeDataChanged, State: wire.StateSyncConnected, Path: "/a"})
	s.reply(wire.XidNotification, -1, wire.OK, &wire.WatcherEvent{Type: wire.EventNodeDeleted, State: wire.StateSyncConnected, Path: "/b"})
	s.reply(r.Xid, 7, wire.OK, &wire.SetDataResponse{})
	<-done
	if want := []string{"NodeDataChanged", "NodeDeleted", "setData <nil> 0x7"}; !slices.Equal(log, want) {
		t.Errorf("%q, want %q", log, want)
	}
	if events[0].Path != "/a" || events[0].Zxid != 7 || events[1].Path != "/b" || events[1].Zxid != -1 {
		t.Errorf("%+v", events)
	}
	if c.LastZxid() != 7 || c.Counts().Events != 2 {
		t.Errorf("last zxid %v, %+v", c.LastZxid(), c.Counts())
	}
}

// Auth packets, pings and SASL steps may be answered before what was sent earlier.
func TestRepliesOutOfTurn(t *testing.T) {
	c, s := connect(t, Options{})
	sync := c.Send(wire.OpSync, &wire.SyncRequest{Path: "/"})
	exists := c.Send(wire.OpExists, &wire.ExistsRequest{Path: "/"})
	sasl := c.Send(wire.OpSASL, &wire.GetSASLRequest{})
	auth := c.Send(wire.OpAuth, &wire.AuthPacket{})
	ping := c.Send(wire.OpPing, nil)
	var xids []wire.Xid
	for range 5 {
		r, _ := s.next()
		xids = append(xids, r.Xid)
	}
	for _, i := range []int{4, 3, 2, 0, 1} {
		code := wire.OK
		var body wire.Record
		switch i {
		case 0:
			body = &wire.SyncResponse{Path: "/x"}
		case 1:
			code = wire.ErrNoNode
		case 2:
			code, body = wire.ErrAuthFailed, &wire.SetSASLResponse{}
		}
		s.reply(xids[i], wire.Zxid(i), code, body)
	}
	for i, call := range []*Call{sync, exists, sasl, auth, ping} {
		err := call.Wait(testContext(t))
		if call.Header.Zxid != wire.Zxid(i) || call.Header.Xid != xids[i] {
			t.Errorf("call %d: %+v, %v", i, call.Header, err)
		}
	}
	if sync.Reply.(*wire.SyncResponse).Path != "/x" || exists.Outcome() != wire.ErrNoNode || sasl.Outcome() != wire.ErrAuthFailed {
		t.Error(sync.Reply, exists.Outcome(), sasl.Outcome())
	}
}

func TestProtocolErrorsEndTheConnection(t *testing.T) {
	for name, b := range map[string][]byte{
		"wrong xid":         appendReply(nil, 2, 1, wire.OK, nil),
		"unasked ping":      appendReply(nil, wire.XidPing, 1, wire.OK, nil),
		"header cut off":    {0, 0, 0, 2, 0, 0},
		"event cut off":     appendReply(nil, wire.XidNotification, 1, wire.OK, &wire.SyncRequest{}),
		"negative length":   {0xff, 0xff, 0xff, 0xff},
		"beyond MaxFrame":   {0, 0, 0x10, 1},
		"reply without end": {0, 0, 0, 20, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := connect(t, Options{MaxFrame: 4096, NoPings: true})
			call := c.Send(wire.OpSync, &wire.SyncRequest{Path: "/"})
			s.next()
			s.write(b)
			s.nc.Close()
			if err := call.Wait(testContext(t)); !errors.Is(err, wire.ErrConnectionLoss) {
				t.Errorf("%v, want connection loss", err)
			}
		})
	}
}

// A body that does not decode is the call's misfortune, not the connection's.
func TestMalformedReplyFailsItsCallOnly(t *testing.T) {
	c, s := connect(t, Options{})
	go serve(s, func(r request) (wire.ErrCode, wire.Record) {
		if r.Op == wire.OpExists {
			return wire.OK, &wire.ErrorResponse{}
		}
		return wire.OK, &wire.SyncResponse{}
	})
	if _, err := c.Exists(testContext(t), "/", false); err == nil {
		t.Error("no error")
	}
	if err := c.Sync(testContext(t), "/"); err != nil {
		t.Error(err)
	}
}

func TestTooManyOutstanding(t *testing.T) {
	c, s := connect(t, Options{MaxOutstanding: 2})
	go func() {
		for range 2 {
			s.next()
		}
		s.reply(1, 1, wire.OK, &wire.SyncResponse{})
	}()
	first := c.Send(wire.OpSync, &wire.SyncRequest{})
	c.Send(wire.OpSync, &wire.SyncRequest{})
	if err := c.Send(wire.OpPing, nil).Wait(testContext(t)); err != ErrTooMany {
		t.Errorf("%v, want ErrTooMany", err)
	}
	if err := first.Wait(testContext(t)); err != nil {
		t.Error(err)
	}
	go s.next()
	if err := c.Send(wire.OpSync, &wire.SyncRequest{}).Err; err != nil {
		t.Errorf("after a reply: %v", err)
	}
}

func TestRawAndBodies(t *testing.T) {
	c, s := connect(t, Options{})
	raw := c.Raw([]byte{0, 0, 3, 231, 0, 0, 3, 232, 9, 9})
	r, _ := s.next()
	if r.Xid != 999 || r.Op != 1000 || string(r.body) != "\x09\x09" {
		t.Errorf("server got %+v", r)
	}
	body := Body("abc")
	s.reply(999, -1, wire.ErrUnimplemented, &body)
	if err := raw.Wait(testContext(t)); err != wire.ErrUnimplemented || raw.Header.Zxid != -1 || string(*raw.Reply.(*Body)) != "abc" {
		t.Errorf("%v, %+v, %q", err, raw.Header, *raw.Reply.(*Body))
	}
	if c.LastZxid() != 0 {
		t.Errorf("last zxid %v after a reply without one", c.LastZxid())
	}
	short := c.Raw([]byte{1})
	if p, err := s.frames.Next(); err != nil || string(p) != "\x01" {
		t.Errorf("%q, %v", p, err)
	}
	s.nc.Close()
	if err := short.Wait(testContext(t)); !errors.Is(err, wire.ErrConnectionLoss) {
		t.Error(err)
	}
}

func TestWaitIsBoundedByContext(t *testing.T) {
	c, s := connect(t, Options{})
	go s.next()
	ctx, cancel := context.WithCancelCause(context.Background())
	call := c.Send(wire.OpSync, &wire.SyncRequest{})
	cause := errors.New("cause")
	cancel(cause)
	if err := call.Wait(ctx); err != cause {
		t.Errorf("%v, want the context's cause", err)
	}
	// The connection goes on; the reply finds its call.
	s.reply(1, 3, wire.OK, &wire.SyncResponse{Path: "/"})
	if err := call.Wait(testContext(t)); err != nil {
		t.Error(err)
	}
}

func TestCallQueue(t *testing.T) {
	var q callQueue
	var want []wire.Xid
	next := wire.Xid(1)
	for round := range 200 {
		for range round%7 + 1 {
			q.push(&Call{xid: next})
			want = append(want, next)
			next++
		}
		if i := round % (len(want) + 1); round%5 == 0 && i < len(want) {
			if got := q.remove(i).xid; got != want[i] {
				t.Fatalf("removed %d, want %d", got, want[i])
			}
			want = slices.Delete(want, i, i+1)
		}
		for range min(len(want), round%6) {
			if got := q.pop().xid; got != want[0] {
				t.Fatalf("popped %d, want %d", got, want[0])
			}
			want = want[1:]
		}
		if q.n != len(want) {
			t.Fatalf("%d calls, want %d", q.n, len(want))
		}
	}
}

// tcpPair connects to a server that answers every getData with 100 bytes.
func tcpPair(tb testing.TB) *Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		s := newServer(tb, nc)
		s.accept(accepted)
		reply := &wire.GetDataResponse{Data: make([]byte, 100)}
		serve(s, func(request) (wire.ErrCode, wire.Record) { return wire.OK, reply })
	}()
	c, err := Dial(context.Background(), l.Addr().String(), Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		c.Abort()
		l.Close()
		<-ended
	})
	return c
}
