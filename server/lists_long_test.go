package server

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"

	"holt/server/admin"
	"holt/wire"
)

const (
	manyWatches    = 100_000
	manyEphemerals = 60_000
	pipelined      = 1000
)

// TestLongListsStopNobody asks for every list that can grow long, with more to list
// than is shown, and reads nothing of the answer while other clients go on: reads,
// writes, watches that fire, new sessions. Then the answer is whole, and bounded.
func TestLongListsStopNobody(t *testing.T) {
	s := newServer(t, func(c *Config) { c.FourLetterWords = []string{"*"} })
	owner := connect(t, s, wire.ConnectRequest{TimeoutMillis: 40_000})
	owner.call(wire.OpCreate, create("/w", "", 0), nil)
	makeEphemerals(owner)
	watcher := connect(t, s, wire.ConnectRequest{TimeoutMillis: 40_000})
	setWatches(watcher)

	for i, tc := range []struct {
		word string
		cut  bool // its list is longer than what is shown
	}{{"wchc", true}, {"wchp", true}, {"dump", true}, {"cons", false}, {"stat", false}, {"wchs", false}} {
		t.Run(tc.word, func(t *testing.T) {
			nc, err := s.Dial()
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if _, err := io.WriteString(nc, tc.word); err != nil {
				t.Fatal(err)
			}
			answer := bufio.NewReaderSize(nc, 16)
			if _, err := answer.Peek(1); err != nil {
				t.Fatal(err)
			}
			goOn(t, s, watcher, fmt.Sprintf("/w/%06d", i))
			text, err := io.ReadAll(answer)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Count(string(text), "\n")
			if cut := strings.Contains(string(text), "more are not shown"); cut != tc.cut || lines > 2*admin.ListMax+10 {
				t.Errorf("%d lines, cut %v, want %v:\n%.300s", lines, cut, tc.cut, text)
			}
		})
	}
}

// makeEphemerals makes many ephemeral nodes, by multis.
func makeEphemerals(c *rawConn) {
	c.t.Helper()
	for from := 0; from < manyEphemerals; from += pipelined {
		var req wire.MultiRequest
		for i := from; i < from+pipelined; i++ {
			req.Ops = append(req.Ops, wire.MultiOp{Op: wire.OpCreate, Record: create(fmt.Sprintf("/e%06d", i), "", 1)})
		}
		if h := c.call(wire.OpMulti, &req, nil); h.Err != wire.OK {
			c.t.Fatalf("multi: %v", h.Err)
		}
	}
}

// setWatches sets many watches on nodes that are not there.
func setWatches(c *rawConn) {
	c.t.Helper()
	for from := 0; from < manyWatches; from += pipelined {
		var xids []wire.Xid
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := from; i < from+pipelined; i++ {
				xids = append(xids, c.send(wire.OpExists, &wire.ExistsRequest{Path: fmt.Sprintf("/w/%06d", i), Watch: true}))
			}
		}()
		for i := range pipelined {
			var h wire.ReplyHeader
			if h.Decode(wire.NewDecoder(c.read())); h.Err != wire.ErrNoNode {
				c.t.Fatalf("watch %d: %v", from+i, h.Err)
			}
		}
		<-done
	}
}

// goOn is a client that works, and the watch on path, which fires.
func goOn(t *testing.T, s *Server, watcher *rawConn, path string) {
	t.Helper()
	c := connect(t, s, wire.ConnectRequest{})
	if h := c.call(wire.OpCreate, create(path, "", 0), nil); h.Err != wire.OK {
		t.Fatalf("create %s: %v", path, h.Err)
	}
	var event wire.WatcherEvent
	watcher.receive(wire.XidNotification, &event)
	if event.Path != path {
		t.Errorf("event of %s, want %s", event.Path, path)
	}
	for i := range 100 {
		c.call(wire.OpSetData, &wire.SetDataRequest{Path: path, Data: []byte{byte(i)}, Version: -1}, nil)
		var got wire.GetDataResponse
		if c.call(wire.OpGetData, &wire.GetDataRequest{Path: path}, &got); len(got.Data) != 1 || got.Data[0] != byte(i) {
			t.Fatalf("get %d: %v", i, got.Data)
		}
	}
	c.nc.Close()
}
