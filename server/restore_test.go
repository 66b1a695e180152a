package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holt/quorum/simnet"
	"holt/server/apply"
	"holt/wire"
	"holt/znode/store"
)

// snapshotOf is the state of a member as its command snapshot gives it.
func snapshotOf(t *testing.T, s *Server) []byte {
	t.Helper()
	snapshot, err := s.takeSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := snapshot.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// awaitFormat waits until the member may restore.
func awaitFormat(t *testing.T, s *Server) {
	t.Helper()
	for range 600 {
		if s.machine.Format() >= apply.FormatRestore {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the format was not raised")
}

func (e *testEnsemble) awaitFormat() {
	e.t.Helper()
	for _, s := range e.servers {
		awaitFormat(e.t, s)
	}
}

// same waits until all members have applied the same, and fails if they then differ. It returns the
// digest of the tree.
func (e *testEnsemble) same() uint64 {
	e.t.Helper()
	var seen map[[2]uint64]bool
	for range 600 {
		seen = map[[2]uint64]bool{}
		for _, s := range e.servers {
			s.machine.RLock()
			seen[[2]uint64{s.machine.Applied(), s.machine.Tree().Counts().Digest}] = true
			s.machine.RUnlock()
		}
		if len(seen) == 1 {
			for d := range seen {
				return d[1]
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	e.t.Fatalf("members differ: %v", seen)
	return 0
}

func digestOf(s *Server) uint64 {
	s.machine.RLock()
	defer s.machine.RUnlock()
	return s.machine.Tree().Counts().Digest
}

func data(t *testing.T, c *rawConn, path string) string {
	t.Helper()
	var got wire.GetDataResponse
	if h := c.call(wire.OpGetData, &wire.GetDataRequest{Path: path}, &got); h.Err != wire.OK {
		return h.Err.String()
	}
	return string(got.Data)
}

func again(t *testing.T, s *Server, c *rawConn, seen wire.Zxid) *rawConn {
	t.Helper()
	return connect(t, s, wire.ConnectRequest{SessionID: c.session.SessionID, Passwd: c.session.Passwd, LastZxidSeen: seen})
}

// TestRestore: a follower is asked, and all members have the state of the snapshot; sessions go on, watches miss
// nothing, and members that were away or restart come to the same.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		leader := e.leader(1, 2, 3)
		asked, away := others(leader)[0], others(leader)[1]
		e.awaitFormat()
		stays := connect(t, e.servers[asked], wire.ConnectRequest{})
		ends := connect(t, e.servers[leader], wire.ConnectRequest{})
		stays.call(wire.OpCreate, create("/n", "old", 0), nil)
		stays.call(wire.OpCreate, create("/dir", "", 0), nil)
		for i := range 2000 {
			stays.send(wire.OpCreate, create(fmt.Sprint("/dir/", i), strings.Repeat("x", 300), 0))
			stays.receive(stays.xid, nil)
		}
		stays.call(wire.OpCreate, create("/of-stays", "", 1), nil)
		ends.call(wire.OpCreate, create("/of-ends", "", 1), nil)
		stays.call(wire.OpSync, &wire.SyncRequest{Path: "/"}, nil)
		snapshot := snapshotOf(t, e.servers[asked])

		ends.call(wire.OpCloseSession, nil, nil)
		later := connect(t, e.servers[leader], wire.ConnectRequest{})
		later.call(wire.OpCreate, create("/of-later", "", 1), nil)
		stays.call(wire.OpDelete, &wire.DeleteRequest{Path: "/dir/7", Version: -1}, nil)
		stays.call(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte("new"), Version: -1}, nil)
		stays.call(wire.OpGetData, &wire.GetDataRequest{Path: "/n", Watch: true}, nil)
		last := stays.call(wire.OpGetChildren, &wire.GetChildrenRequest{Path: "/dir", Watch: true}, nil).Zxid
		e.stop(away)

		zxid, err := e.servers[asked].restoreSnapshot(t.Context(), bytes.NewReader(snapshot))
		if err != nil || zxid <= last {
			t.Fatalf("restore: %v, %v", zxid, err)
		}
		if !stays.closed() || !later.closed() {
			t.Fatal("a connection was not closed")
		}
		stays, later = again(t, e.servers[asked], stays, last), again(t, e.servers[leader], later, last)
		for path, want := range map[string]string{"/n": "old", "/dir/7": strings.Repeat("x", 300), "/of-stays": "", "/of-ends": "", "/of-later": "NoNode"} {
			if got := data(t, later, path); got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
		set := &wire.SetWatches{RelativeZxid: last, DataWatches: []string{"/n"}, ExistWatches: []string{"/none"}, ChildWatches: []string{"/dir"}}
		stays.send(wire.OpSetWatches, set)
		for _, want := range []wire.EventType{wire.EventNodeDataChanged, wire.EventNodeChildrenChanged} {
			var event wire.WatcherEvent
			if stays.receive(wire.XidNotification, &event); event.Type != want {
				t.Errorf("event %v, want %v", event, want)
			}
		}
		stays.receive(stays.xid, nil)
		set.RelativeZxid = zxid // seen by now
		stays.call(wire.OpSetWatches, set, nil)

		e.start(away)
		<-e.servers[away].Ready()
		digest := e.same()
		e.stop(asked)
		e.start(asked)
		<-e.servers[asked].Ready()
		if got := e.same(); got != digest {
			t.Errorf("after a restart: digest %x, want %x", got, digest)
		}
		// The session that had ended is back until its time is up.
		time.Sleep(15 * time.Second)
		if got := data(t, connect(t, e.servers[away], wire.ConnectRequest{}), "/of-ends"); got != "NoNode" {
			t.Errorf("the ephemeral node of a session that ended: %q", got)
		}
		for id, s := range e.servers {
			if names, err := e.fs[id].List("data"); err != nil || strings.Contains(fmt.Sprint(names), "restore-") || s.machine.Staging() != (apply.Staging{}) {
				t.Errorf("member %d: left %v, %+v, %v", id, names, s.machine.Staging(), err)
			}
		}
	})
}

// TestRestoreLeaderFails: the leader is cut off while the chunks are on their way. The restore goes on with the next.
func TestRestoreLeaderFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		old := e.leader(1, 2, 3)
		asked := others(old)[0]
		e.awaitFormat()
		c := connect(t, e.servers[asked], wire.ConnectRequest{})
		c.call(wire.OpCreate, create("/n", strings.Repeat("x", 900_000), 0), nil)
		c.call(wire.OpCreate, create("/m", strings.Repeat("y", 900_000), 0), nil)
		snapshot := snapshotOf(t, e.servers[asked])
		c.call(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte("new"), Version: -1}, nil)
		e.net.SetAll(slowLink)
		done := make(chan error, 1)
		go func() {
			_, err := e.servers[asked].restoreSnapshot(context.Background(), bytes.NewReader(snapshot))
			done <- err
		}()
		for e.servers[asked].machine.Staging().Received == 0 {
			time.Sleep(time.Millisecond)
		}
		e.net.Isolate(fmt.Sprintf("m%d", old))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if e.servers[asked].machine.Restored() == 0 {
			t.Error("nothing was restored")
		}
		e.net.Rejoin(fmt.Sprintf("m%d", old))
		e.leader(1, 2, 3)
		e.same()
	})
}

// TestRestoreAbandoned: the member that was asked is gone before all is there. What was staged goes, too.
func TestRestoreAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newTestEnsemble(t)
		leader := e.leader(1, 2, 3)
		asked := others(leader)[0]
		e.awaitFormat()
		c := connect(t, e.servers[leader], wire.ConnectRequest{})
		c.call(wire.OpCreate, create("/n", strings.Repeat("x", 900_000), 0), nil)
		snapshot := snapshotOf(t, e.servers[leader])
		e.net.SetAll(slowLink)
		done := make(chan error, 1)
		go func() {
			_, err := e.servers[asked].restoreSnapshot(context.Background(), bytes.NewReader(snapshot))
			done <- err
		}()
		for e.servers[leader].machine.Staging().Received == 0 {
			time.Sleep(time.Millisecond)
		}
		e.stop(asked)
		if err := <-done; !errors.Is(err, errPipelineClosed) {
			t.Errorf("restore ended with %v", err)
		}
		began := time.Now()
		for e.servers[leader].machine.Staging().ID.Member != 0 {
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took < abandonedAfter-time.Second || took > abandonedAfter+10*time.Second {
			t.Errorf("dropped after %v", took)
		}
		c = connect(t, e.servers[leader], wire.ConnectRequest{})
		if e.servers[leader].machine.Restored() != 0 || len(data(t, c, "/n")) != 900_000 {
			t.Error("the state has changed")
		}
	})
}

// TestRestoreRefuses what is no snapshot, and leaves everything as it was.
func TestRestoreRefuses(t *testing.T) {
	s := newServer(t, nil)
	c := connect(t, s, wire.ConnectRequest{})
	c.call(wire.OpCreate, create("/n", "x", 0), nil)
	snapshot := snapshotOf(t, s)
	awaitFormat(t, s)
	applied := s.machine.Applied()
	flipped := bytes.Clone(snapshot)
	flipped[len(flipped)/2] ^= 1
	ended, end := context.WithCancel(t.Context())
	end()
	for name, try := range map[string]struct {
		ctx      context.Context
		snapshot []byte
		want     string
	}{
		"nothing":            {t.Context(), nil, "no snapshot"},
		"something else":     {t.Context(), []byte("{\"a\": 1}"), "no snapshot"},
		"compressed":         {t.Context(), []byte{0x1f, 0x8b, 8, 0, 0, 0}, "unpacked first"},
		"cut":                {t.Context(), snapshot[:len(snapshot)-30], "ends early"},
		"damaged":            {t.Context(), flipped, "read snapshot"},
		"a client that left": {ended, snapshot, "halted"},
	} {
		if zxid, err := s.restoreSnapshot(try.ctx, bytes.NewReader(try.snapshot)); err == nil || !strings.Contains(err.Error(), try.want) {
			t.Errorf("%s: %v, %v, want %q", name, zxid, err, try.want)
		}
	}
	if s.machine.Applied() != applied || data(t, c, "/n") != "x" {
		t.Error("something was changed")
	}
	// One at a time.
	r, w := io.Pipe()
	first := make(chan error, 1)
	go func() { _, err := s.restoreSnapshot(t.Context(), r); first <- err }()
	if _, err := w.Write([]byte("ZK")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.restoreSnapshot(t.Context(), bytes.NewReader(snapshot)); !errors.Is(err, errRestoreBusy) {
		t.Errorf("a second one: %v", err)
	}
	w.Close()
	if err := <-first; !errors.Is(err, errNoSnapshot) {
		t.Errorf("the first one: %v", err)
	}
	old := newServer(t, func(c *Config) { c.formatMax, c.TickMillis = 1, 50 })
	if _, err := old.restoreSnapshot(t.Context(), bytes.NewReader(snapshot)); !errors.Is(err, errRestoreFormat) {
		t.Errorf("with an old format: %v", err)
	}
}

// TestRestoreCrash: whenever the power fails, the member starts with the old state or the new one, whole.
func TestRestoreCrash(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var mu sync.Mutex
	var images []*vfs.MemFS
	watching, ops, restored := false, 0, -1
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || !watching {
			return nil
		}
		if ops++; ops%3 == 0 {
			images = append(images, mem.CrashClone(vfs.CrashCloneCfg{}))
		}
		return nil
	}))
	s := newServer(t, func(c *Config) { c.FS = fs })
	c := connect(t, s, wire.ConnectRequest{TimeoutMillis: 40_000})
	c.call(wire.OpCreate, create("/n", "old", 0), nil)
	c.call(wire.OpCreate, create("/large", strings.Repeat("x", 900_000), 0), nil)
	c.call(wire.OpCreate, create("/e", "", 1), nil)
	snapshot := snapshotOf(t, s)
	digest := digestOf(s)
	awaitFormat(t, s)
	c.call(wire.OpSetData, &wire.SetDataRequest{Path: "/n", Data: []byte("new"), Version: -1}, nil)
	changed := digestOf(s)
	if err := s.state.flush(); err != nil {
		t.Fatal(err)
	}
	durable, err := s.state.durable()
	if err != nil || durable == 0 {
		t.Fatal(durable, err)
	}
	mu.Lock()
	watching = true
	mu.Unlock()
	if _, err := s.restoreSnapshot(t.Context(), bytes.NewReader(snapshot)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	restored = len(images)
	mu.Unlock()
	c = connect(t, s, wire.ConnectRequest{SessionID: c.session.SessionID, Passwd: c.session.Passwd, TimeoutMillis: 40_000})
	c.call(wire.OpCreate, create("/after", "", 0), nil)
	mu.Lock()
	watching = false
	images = append(images, mem.CrashClone(vfs.CrashCloneCfg{}))
	mu.Unlock()
	old, new := 0, 0
	for i, image := range images {
		func() {
			// Without help of the log, which in this test still has everything.
			st := treeState{fs: image, dir: "data", opts: store.Options{FS: image}, failed: func(error) {}}
			if err := st.open(); err != nil {
				t.Fatalf("image %d: %v", i, err)
			}
			if state, _ := st.store.State(); state.Applied < durable {
				t.Errorf("image %d: the tree named by %s is at entry %d, and %d was durable", i, treeCurrentFile, state.Applied, durable)
			}
			if err := st.close(); err != nil {
				t.Fatalf("image %d: %v", i, err)
			}
			s, err := Start(Config{DataDir: "data", FS: image, ClientAddr: Off, TickMillis: 2000})
			if err != nil {
				t.Fatalf("image %d: %v", i, err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("image %d: %v", i, err)
				}
			}()
			<-s.Ready()
			s.machine.RLock()
			defer s.machine.RUnlock()
			n, err := s.machine.Tree().Get("/n")
			if err != nil || n == nil {
				t.Fatalf("image %d: %v, %v", i, n, err)
			}
			if after, err := s.machine.Tree().Get("/after"); err != nil || after == nil && i == len(images)-1 {
				t.Fatalf("image %d: what came after the restore is gone: %v", i, err)
			} else if after != nil {
				return
			}
			got := s.machine.Tree().Counts().Digest
			switch string(n.Data) {
			case "new":
				if old++; got != changed || i >= restored {
					t.Errorf("image %d of %d: old state, digest %x, want %x; restored at %d", i, len(images), got, changed, restored)
				}
			case "old":
				if new++; got != digest {
					t.Errorf("image %d: new state, digest %x, want %x", i, got, digest)
				}
			default:
				t.Errorf("image %d: %q", i, n.Data)
			}
			if s.machine.Sessions().Len() != 1 {
				t.Errorf("image %d: %d sessions", i, s.machine.Sessions().Len())
			}
		}()
	}
	if old == 0 || new == 0 {
		t.Errorf("%d with the old state, %d with the new one", old, new)
	}
	t.Logf("%d images: %d with the old state, %d with the new one", len(images), old, new)
}

// slowLink makes a chunk's way long enough for something to happen meanwhile.
var slowLink = simnet.Link{Delay: 20 * time.Millisecond}
