package clients

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// sessionTimeout is what the clients ask for: short, so that a killed client's ephemerals are
// soon gone, and long enough for an election of the original.
const sessionTimeout = 6 * time.Second

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// three starts the ensemble that a suite shares. Sessions are short, whatever a client asks for.
func three(t *testing.T) *ensemble.Ensemble {
	return target.Start(t, ensemble.Config{Members: 3, Settings: []string{"tickTime=1000", fmt.Sprintf("maxSessionTimeout=%d", sessionTimeout.Milliseconds())}})
}

var worldACL = zk.WorldACL(zk.PermAll)

// gozk is a connection of go-zookeeper/zk whose network can be taken away, which is what the
// server sees of a client killed.
type gozk struct {
	*zk.Conn
	events <-chan zk.Event

	mu    sync.Mutex
	dead  bool
	conns []net.Conn
}

// dialGozk connects to the members of addrs and waits for the session.
func dialGozk(t *testing.T, addrs ...string) *gozk {
	t.Helper()
	g := new(gozk)
	dialer := func(network, address string, timeout time.Duration) (net.Conn, error) {
		c, err := net.DialTimeout(network, address, timeout)
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.dead {
			c.Close()
			return nil, errors.New("the client was killed")
		}
		g.conns = append(g.conns, c)
		return c, nil
	}
	conn, events, err := zk.Connect(addrs, sessionTimeout, zk.WithDialer(dialer), zk.WithLogger(testLog{t}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	g.Conn, g.events = conn, events
	g.await(t, zk.StateHasSession)
	return g
}

// testLog keeps the client's messages out of the way: they matter to nobody unless a test hangs.
type testLog struct{ testing.TB }

func (testLog) Printf(string, ...any) {}

// await waits for a state of the session.
func (g *gozk) await(t *testing.T, want zk.State) {
	t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case e := <-g.events:
			if e.Type == zk.EventSession && e.State == want {
				return
			}
		case <-timeout:
			t.Fatalf("no state %v after %v; now %v", want, patience, g.State())
		}
	}
}

// kill cuts the connection and refuses new ones.
func (g *gozk) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dead = true
	for _, c := range g.conns {
		c.Close()
	}
}

func TestGoZookeeper(t *testing.T) {
	e := three(t)
	for _, addr := range e.Addrs() { // each member alone, then any of three
		c := dialGozk(t, addr)
		if got := c.Server(); got != addr {
			t.Errorf("connected to %s, want %s", got, addr)
		}
		c.Close()
	}
	t.Run("data", func(t *testing.T) { gozkData(t, e) })
	t.Run("watches", func(t *testing.T) { gozkWatches(t, e) })
	t.Run("ephemerals", func(t *testing.T) { gozkEphemerals(t, e) })
	t.Run("sequences", func(t *testing.T) { gozkSequences(t, e) })
	t.Run("multi", func(t *testing.T) { gozkMulti(t, e) })
	t.Run("acl", func(t *testing.T) { gozkACL(t, e) })
	t.Run("lock", func(t *testing.T) { gozkLock(t, e) })
	t.Run("failover", func(t *testing.T) { gozkFailover(t, e) })
}

func gozkData(t *testing.T, e *ensemble.Ensemble) {
	c := dialGozk(t, e.Addrs()...)
	if path, err := c.Create("/go-data", []byte("one"), 0, worldACL); err != nil || path != "/go-data" {
		t.Fatalf("create = %q, %v", path, err)
	}
	if _, err := c.Create("/go-data", nil, 0, worldACL); err != zk.ErrNodeExists {
		t.Errorf("create again: %v, want %v", err, zk.ErrNodeExists)
	}
	if _, err := c.Create("/absent/child", nil, 0, worldACL); err != zk.ErrNoNode {
		t.Errorf("create below nothing: %v, want %v", err, zk.ErrNoNode)
	}
	data, stat, err := c.Get("/go-data")
	if err != nil || string(data) != "one" || stat.Version != 0 || stat.DataLength != 3 {
		t.Fatalf("get = %q, %+v, %v", data, stat, err)
	}
	if stat, err = c.Set("/go-data", []byte("two!"), 0); err != nil || stat.Version != 1 || stat.Mzxid <= stat.Czxid {
		t.Errorf("set = %+v, %v", stat, err)
	}
	if _, err := c.Set("/go-data", nil, 0); err != zk.ErrBadVersion {
		t.Errorf("set of an old version: %v, want %v", err, zk.ErrBadVersion)
	}
	gozkSeenByAll(t, e, "/go-data", "two!")
	for _, name := range []string{"b", "a", "c"} {
		if _, err := c.Create("/go-data/"+name, nil, 0, worldACL); err != nil {
			t.Fatal(err)
		}
	}
	children, stat, err := c.Children("/go-data")
	slices.Sort(children)
	if err != nil || !slices.Equal(children, []string{"a", "b", "c"}) || stat.NumChildren != 3 || stat.Cversion != 3 {
		t.Errorf("children = %q, %+v, %v", children, stat, err)
	}
	if err := c.Delete("/go-data", -1); err != zk.ErrNotEmpty {
		t.Errorf("delete with children: %v, want %v", err, zk.ErrNotEmpty)
	}
	if err := c.Delete("/go-data/a", 0); err != nil {
		t.Error(err)
	}
	if found, _, err := c.Exists("/go-data/a"); found || err != nil {
		t.Errorf("exists after delete = %v, %v", found, err)
	}
	if path, err := c.Sync("/go-data"); err != nil || path != "/go-data" {
		t.Errorf("sync = %q, %v", path, err)
	}
}

// gozkSeenByAll reads path at every member, after a sync there.
func gozkSeenByAll(t *testing.T, e *ensemble.Ensemble, path, want string) {
	t.Helper()
	for _, addr := range e.Addrs() {
		c := dialGozk(t, addr)
		if _, err := c.Sync(path); err != nil {
			t.Error(err)
		}
		if data, _, err := c.Get(path); err != nil || string(data) != want {
			t.Errorf("get %s at %s = %q, %v, want %q", path, addr, data, err, want)
		}
		c.Close()
	}
}

// expect waits for one event of a one-shot watch.
func expect(t *testing.T, watch <-chan zk.Event, kind zk.EventType, path string) {
	t.Helper()
	select {
	case e := <-watch:
		if e.Type != kind || e.Path != path {
			t.Errorf("event %v of %q, want %v of %q", e.Type, e.Path, kind, path)
		}
	case <-time.After(patience):
		t.Errorf("no event %v of %q", kind, path)
	}
}

func gozkWatches(t *testing.T, e *ensemble.Ensemble) {
	addrs := e.Addrs()
	watcher, writer := dialGozk(t, addrs[0]), dialGozk(t, addrs[1])
	_, _, created, err := watcher.ExistsW("/go-watch")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Create("/go-watch", nil, 0, worldACL); err != nil {
		t.Fatal(err)
	}
	expect(t, created, zk.EventNodeCreated, "/go-watch")
	_, _, changed, err := watcher.GetW("/go-watch")
	if err != nil {
		t.Fatal(err)
	}
	_, _, children, err := watcher.ChildrenW("/go-watch")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Set("/go-watch", []byte("x"), -1); err != nil {
		t.Fatal(err)
	}
	expect(t, changed, zk.EventNodeDataChanged, "/go-watch")
	if data, _, err := watcher.Get("/go-watch"); err != nil || string(data) != "x" {
		t.Errorf("get after the event = %q, %v: older than the event", data, err)
	}
	if _, err := writer.Create("/go-watch/c", nil, 0, worldACL); err != nil {
		t.Fatal(err)
	}
	expect(t, children, zk.EventNodeChildrenChanged, "/go-watch")
	if err := writer.Delete("/go-watch/c", -1); err != nil {
		t.Fatal(err)
	}
	if _, err := watcher.Sync("/"); err != nil {
		t.Fatal(err)
	}
	_, _, deleted, err := watcher.GetW("/go-watch")
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Delete("/go-watch", -1); err != nil {
		t.Fatal(err)
	}
	expect(t, deleted, zk.EventNodeDeleted, "/go-watch")
}

func gozkEphemerals(t *testing.T, e *ensemble.Ensemble) {
	addrs := e.Addrs()
	observer := dialGozk(t, addrs[2])
	for _, end := range []string{"close", "kill"} {
		owner := dialGozk(t, addrs[0])
		path := "/go-ephemeral-" + end
		if _, err := owner.Create(path, nil, zk.FlagEphemeral, worldACL); err != nil {
			t.Fatal(err)
		}
		if _, err := owner.Create(path+"/child", nil, 0, worldACL); err != zk.ErrNoChildrenForEphemerals {
			t.Errorf("child of an ephemeral: %v, want %v", err, zk.ErrNoChildrenForEphemerals)
		}
		if _, err := observer.Sync(path); err != nil {
			t.Fatal(err)
		}
		found, stat, gone, err := observer.ExistsW(path)
		if err != nil || !found || stat.EphemeralOwner != owner.SessionID() {
			t.Fatalf("exists = %v, %+v, %v, want owner %#x", found, stat, err, owner.SessionID())
		}
		start, least := time.Now(), time.Duration(0)
		if end == "close" {
			owner.Close()
		} else {
			owner.kill()
			// The last heartbeat may lie a third of the timeout back.
			least = sessionTimeout / 2
		}
		expect(t, gone, zk.EventNodeDeleted, path)
		if took := time.Since(start); took < least {
			t.Errorf("%s: gone after %v, before the session could expire", end, took)
		}
	}
}

func gozkSequences(t *testing.T, e *ensemble.Ensemble) {
	c := dialGozk(t, e.Addrs()...)
	if _, err := c.Create("/go-seq", nil, 0, worldACL); err != nil {
		t.Fatal(err)
	}
	flags := []int32{zk.FlagSequence, zk.FlagSequence | zk.FlagEphemeral, 0, zk.FlagSequence}
	want := []string{"/go-seq/n-0000000000", "/go-seq/n-0000000001", "/go-seq/n-", "/go-seq/n-0000000003"}
	for i, f := range flags {
		if path, err := c.Create("/go-seq/n-", nil, f, worldACL); err != nil || path != want[i] {
			t.Errorf("create %d = %q, %v, want %q", i, path, err, want[i])
		}
	}
	// Many clients at once: every name once, no number left out.
	const clients, each = 4, 25
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			c := dialGozk(t, e.Addrs()[i%3])
			defer c.Close()
			for range each {
				if _, err := c.Create("/go-seq/m-", nil, zk.FlagSequence, worldACL); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := c.Sync("/"); err != nil {
		t.Fatal(err)
	}
	children, _, err := c.Children("/go-seq")
	if err != nil {
		t.Fatal(err)
	}
	children = slices.DeleteFunc(children, func(s string) bool { return !strings.HasPrefix(s, "m-") })
	slices.Sort(children)
	for i := range clients * each {
		if want := fmt.Sprintf("m-%010d", i+4); i >= len(children) || children[i] != want {
			t.Fatalf("%d names, at %d not %s: %q", len(children), i, want, children)
		}
	}
}

func gozkMulti(t *testing.T, e *ensemble.Ensemble) {
	c := dialGozk(t, e.Addrs()...)
	results, err := c.Multi(
		&zk.CreateRequest{Path: "/go-multi", Data: []byte("a"), Acl: worldACL},
		&zk.SetDataRequest{Path: "/go-multi", Data: []byte("b"), Version: 0},
		&zk.CheckVersionRequest{Path: "/go-multi", Version: 1},
		&zk.CreateRequest{Path: "/go-multi/child", Acl: worldACL, Flags: zk.FlagEphemeral},
	)
	if err != nil || len(results) != 4 || results[0].String != "/go-multi" || results[1].Stat.Version != 1 {
		t.Fatalf("multi = %+v, %v", results, err)
	}
	if s := results[1].Stat; s.Czxid != s.Mzxid {
		t.Errorf("one multi, two zxids: %+v", s)
	}
	_, err = c.Multi(
		&zk.SetDataRequest{Path: "/go-multi", Data: []byte("never"), Version: -1},
		&zk.DeleteRequest{Path: "/go-multi/child", Version: -1},
		&zk.CheckVersionRequest{Path: "/go-multi", Version: 99},
	)
	if err != zk.ErrBadVersion {
		t.Errorf("multi with a wrong version: %v, want %v", err, zk.ErrBadVersion)
	}
	if data, _, err := c.Get("/go-multi"); err != nil || string(data) != "b" {
		t.Errorf("a failed multi left %q, %v", data, err)
	}
	if found, _, err := c.Exists("/go-multi/child"); err != nil || !found {
		t.Errorf("a failed multi deleted the child: %v, %v", found, err)
	}
}

func gozkACL(t *testing.T, e *ensemble.Ensemble) {
	owner, other := dialGozk(t, e.Addrs()[0]), dialGozk(t, e.Addrs()[0])
	if err := owner.AddAuth("digest", []byte("me:secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Create("/go-acl", []byte("x"), 0, zk.AuthACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	if data, _, err := owner.Get("/go-acl"); err != nil || string(data) != "x" {
		t.Errorf("get by the owner = %q, %v", data, err)
	}
	acl, _, err := owner.GetACL("/go-acl")
	if want := zk.DigestACL(zk.PermAll, "me", "secret"); err != nil || !slices.Equal(acl, want) {
		t.Errorf("getACL = %v, %v, want %v", acl, err, want)
	}
	if _, _, err := other.Get("/go-acl"); err != zk.ErrNoAuth {
		t.Errorf("get by another: %v, want %v", err, zk.ErrNoAuth)
	}
	if _, err := other.Set("/go-acl", nil, -1); err != zk.ErrNoAuth {
		t.Errorf("set by another: %v, want %v", err, zk.ErrNoAuth)
	}
	if stat, err := owner.SetACL("/go-acl", worldACL, 0); err != nil || stat.Aversion != 1 {
		t.Errorf("setACL = %+v, %v", stat, err)
	}
	if _, _, err := other.Get("/go-acl"); err != nil {
		t.Errorf("get after setACL: %v", err)
	}
}

// gozkLock runs the client's lock recipe among clients of all members: no two hold it at once.
func gozkLock(t *testing.T, e *ensemble.Ensemble) {
	var wg sync.WaitGroup
	var holders sync.Mutex
	for i := range 6 {
		wg.Go(func() {
			c := dialGozk(t, e.Addrs()[i%3])
			defer c.Close()
			lock := zk.NewLock(c.Conn, "/go-lock", worldACL)
			for range 5 {
				if err := lock.Lock(); err != nil {
					t.Error(err)
					return
				}
				if !holders.TryLock() {
					t.Error("two hold the lock")
					return
				}
				if _, err := c.Sync("/go-lock"); err != nil { // hold it for a while
					t.Error(err)
				}
				holders.Unlock()
				if err := lock.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// gozkFailover kills the member a client is connected to: the client finds another, with its
// session, its ephemeral, and the watch it had set.
func gozkFailover(t *testing.T, e *ensemble.Ensemble) {
	c := dialGozk(t, e.Addrs()...)
	if _, err := c.Create("/go-failover", []byte("v"), zk.FlagEphemeral, worldACL); err != nil {
		t.Fatal(err)
	}
	_, _, changed, err := c.GetW("/go-failover")
	if err != nil {
		t.Fatal(err)
	}
	session, server := c.SessionID(), c.Server()
	killMember(t, e, server)
	c.await(t, zk.StateHasSession)
	if c.SessionID() != session || c.Server() == server {
		t.Errorf("session %#x at %s, want %#x elsewhere than %s", c.SessionID(), c.Server(), session, server)
	}
	if _, stat, err := c.Get("/go-failover"); err != nil || stat.EphemeralOwner != session {
		t.Errorf("get = %+v, %v, want owner %#x", stat, err, session)
	}
	writer := dialGozk(t, c.Server())
	if _, err := writer.Set("/go-failover", []byte("w"), 0); err != nil {
		t.Error(err)
	}
	expect(t, changed, zk.EventNodeDataChanged, "/go-failover")
	if err := e.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	gozkSeenByAll(t, e, "/go-failover", "w")
}

// killMember kills the member that serves clients at addr.
func killMember(t *testing.T, e *ensemble.Ensemble, addr string) {
	t.Helper()
	for _, m := range e.Members() {
		if m.Addr() == addr {
			if err := m.Kill(); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no member at %q among %q", addr, e.Addrs())
}
