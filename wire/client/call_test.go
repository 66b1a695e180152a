package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

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
