package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"holt/cmd/zkcli/internal/servertest"
	"holt/cmd/zkcli/internal/session"
	"holt/wire"
	"holt/wire/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// events collects what a session reports.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(ev session.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := string(ev.State)
	if ev.Type != wire.EventNone {
		s = fmt.Sprintf("%s %s", ev.Type, ev.Path)
	}
	e.list = append(e.list, s)
}

// take returns what came since it was called last.
func (e *events) take() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { e.list = nil }()
	return strings.Join(e.list, ", ")
}

// open opens a session that ends with the test.
func open(t *testing.T, s *servertest.Server, change func(*session.Config)) (*session.Session, *events) {
	t.Helper()
	e := &events{}
	cfg := session.Config{Servers: []string{"a:1"}, Timeout: 6 * time.Second, Dial: s.Dial, OnEvent: e.add}
	if change != nil {
		change(&cfg)
	}
	c := session.Open(cfg)
	t.Cleanup(func() { c.Close(context.Background()) })
	return c, e
}

func create(t *testing.T, s *session.Session, path string, mode wire.CreateMode) {
	t.Helper()
	if _, err := s.Create(t.Context(), path, []byte("x"), wire.OpenACL(), mode, 0); err != nil {
		t.Fatal(err)
	}
}

// bubble runs a test in a bubble whose clock jumps, around a server.
func bubble(t *testing.T, f func(t *testing.T, server *servertest.Server)) {
	synctest.Test(t, func(t *testing.T) { f(t, servertest.Start(t)) })
}

func TestEventsOfALife(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		s, e := open(t, server, nil)
		if got := s.State(); got != session.Connecting {
			t.Errorf("at first: %s", got)
		}
		if err := s.WaitLinked(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.State() != session.Connected || s.ID() == 0 {
			t.Errorf("linked: %s, id %s", s.State(), s.ID())
		}
		s.Close(t.Context())
		s.Close(t.Context()) // does nothing
		if got, want := e.take(), "SyncConnected, Closed"; got != want || s.State() != session.Closed {
			t.Errorf("events %s, want %s; state %s", got, want, s.State())
		}
		_, err := s.Exists(t.Context(), "/", false)
		if session.Code(err) != wire.ErrSessionExpired {
			t.Errorf("request after Close: %v", err)
		}
	})
}

func TestSessionSurvivesLostLink(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		s, e := open(t, server, nil)
		create(t, s, "/e", wire.ModeEphemeral)
		id := s.ID()
		server.Cut()
		synctest.Wait()
		if s.State() != session.Connecting {
			t.Errorf("after the cut: %s", s.State())
		}
		// A request waits for the next link.
		if stat, err := s.Exists(t.Context(), "/e", false); err != nil || stat == nil {
			t.Errorf("exists: %v, %v", stat, err)
		}
		if s.ID() != id {
			t.Errorf("session %s became %s", id, s.ID())
		}
		if got, want := e.take(), "SyncConnected, Disconnected, SyncConnected"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
	})
}

func TestWatchesAndCredentialsOnNextLink(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		ctx := t.Context()
		s, e := open(t, server, nil)
		other, _ := open(t, server, nil)
		s.AddAuth("digest", []byte("me:secret"))
		create(t, s, "/mine", wire.ModePersistent)
		for _, path := range []string{"/data", "/child", "/persistent", "/recursive", "/recursive/deep"} {
			create(t, other, path, wire.ModePersistent)
		}
		mine := []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "auth"}}}
		if _, err := s.SetACL(ctx, "/mine", mine, -1); err != nil {
			t.Fatal(err)
		}
		_, _, err1 := s.GetData(ctx, "/data", true)
		_, err2 := s.Exists(ctx, "/absent", true)
		_, _, err3 := s.Children(ctx, "/child", true)
		err4 := s.AddWatch(ctx, "/persistent", wire.AddWatchPersistent)
		err5 := s.AddWatch(ctx, "/recursive", wire.AddWatchPersistentRecursive)
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			t.Fatal(err)
		}
		server.Cut()
		synctest.Wait()
		if err := errors.Join(s.WaitLinked(ctx), other.WaitLinked(ctx)); err != nil {
			t.Fatal(err)
		}
		e.take()
		if _, _, err := s.GetData(ctx, "/mine", false); err != nil {
			t.Errorf("credentials were not handed in again: %v", err)
		}
		for range 2 { // the first three fire once
			if _, err := other.SetData(ctx, "/data", nil, -1); err != nil {
				t.Fatal(err)
			}
			create(t, other, "/child/x", wire.ModePersistent)
			if err := other.Delete(ctx, "/child/x", -1); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/persistent", "/recursive/deep"} {
				if _, err := other.SetData(ctx, path, nil, -1); err != nil {
					t.Fatal(err)
				}
			}
		}
		create(t, other, "/absent", wire.ModePersistent)
		synctest.Wait()
		const want = "NodeDataChanged /data, NodeChildrenChanged /child, NodeDataChanged /persistent, NodeDataChanged /recursive/deep, " +
			"NodeDataChanged /persistent, NodeDataChanged /recursive/deep, NodeCreated /absent"
		if got := e.take(); got != want {
			t.Errorf("events\n got %s\nwant %s", got, want)
		}
	})
}

func TestMissedEventArrivesOnNextLink(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		ctx := t.Context()
		s, e := open(t, server, func(c *session.Config) { c.Servers = []string{"mine:1"} })
		other, _ := open(t, server, func(c *session.Config) { c.Servers = []string{"other:1"} })
		create(t, other, "/a", wire.ModePersistent)
		if _, _, err := s.GetData(ctx, "/a", true); err != nil {
			t.Fatal(err)
		}
		server.Refuse("mine:1", true)
		server.Cut()
		synctest.Wait()
		if err := other.WaitLinked(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := other.SetData(ctx, "/a", []byte("new"), -1); err != nil {
			t.Fatal(err)
		}
		server.Refuse("mine:1", false)
		if err := s.WaitLinkedLong(ctx); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got, want := e.take(), "SyncConnected, Disconnected, SyncConnected, NodeDataChanged /a"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
	})
}

func TestDeadServersOfTheList(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		servers := []string{"dead:1", "dead:2", "alive:1"}
		server.Refuse("dead:1", true)
		server.Refuse("dead:2", true)
		for range 5 { // the order is by chance
			s, _ := open(t, server, func(c *session.Config) { c.Servers = servers })
			if _, err := s.Exists(t.Context(), "/", false); err != nil {
				t.Errorf("with one server alive: %v", err)
			}
		}
		server.Refuse("*", true)
		before := len(server.Dialled())
		s, e := open(t, server, func(c *session.Config) { c.Servers = servers })
		_, err := s.Exists(t.Context(), "/", false)
		if session.Code(err) != wire.ErrConnectionLoss || err.Error() != "KeeperErrorCode = ConnectionLoss for /" {
			t.Errorf("with no server: %v", err)
		}
		tried := server.Dialled()[before:][:3]
		slices.Sort(tried)
		if !slices.Equal(tried, []string{"alive:1", "dead:1", "dead:2"}) {
			t.Errorf("tried %q", tried)
		}
		if got := e.take(); got != "" {
			t.Errorf("events before any link: %s", got)
		}
	})
}

func TestExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		s, e := open(t, server, nil)
		create(t, s, "/e", wire.ModeEphemeral)
		server.Refuse("*", true)
		server.Cut()
		// The server lets it go, and the client knows without being told.
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got, want := e.take(), "SyncConnected, Disconnected, Expired"; got != want || s.State() != session.Closed {
			t.Errorf("events %s, want %s; state %s", got, want, s.State())
		}
		server.Refuse("*", false)
		other, _ := open(t, server, nil)
		if stat, err := other.Exists(t.Context(), "/e", false); err != nil || stat != nil {
			t.Errorf("ephemeral node of an expired session: %v, %v", stat, err)
		}
	})
}

func TestExpiredAtTheServer(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		s, e := open(t, server, nil)
		if err := s.WaitLinked(t.Context()); err != nil {
			t.Fatal(err)
		}
		server.Refuse("*", true)
		server.Cut()
		time.Sleep(7 * time.Second) // more than the timeout, less than the client's patience
		server.Refuse("*", false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, want := e.take(), "SyncConnected, Disconnected, Expired"; got != want || s.State() != session.Closed {
			t.Errorf("events %s, want %s; state %s", got, want, s.State())
		}
	})
}

func TestBadCredentials(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		s, e := open(t, server, nil)
		if err := s.WaitLinked(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.AddAuth("nosuch", []byte("x"))
		_, err := s.Exists(t.Context(), "/", false)
		if code := session.Code(err); code != wire.ErrAuthFailed {
			t.Errorf("request after bad credentials: %v", err)
		}
		synctest.Wait()
		if got, want := e.take(), "SyncConnected, AuthFailed"; got != want || s.State() != session.AuthFailed {
			t.Errorf("events %s, want %s; state %s", got, want, s.State())
		}
		_, err = s.Exists(t.Context(), "/", false)
		if session.Code(err) != wire.ErrAuthFailed {
			t.Errorf("later request: %v", err)
		}
	})
}

// TestLogin: each link is logged in before it is used; a refusal ends the session, a lost
// connection does not.
func TestLogin(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		var logins int
		s, e := open(t, server, func(c *session.Config) {
			c.Login = func(ctx context.Context, address string, conn *client.Conn) error {
				if logins++; logins == 2 {
					return wire.ErrConnectionLoss.Err()
				}
				return conn.Auth(ctx, "digest", []byte("bob:builder"))
			}
		})
		if _, err := s.Exists(t.Context(), "/", false); err != nil {
			t.Fatal(err)
		}
		server.Cut()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got, want := e.take(), "SyncConnected, SaslAuthenticated, Disconnected, SyncConnected, SaslAuthenticated"; got != want || logins != 3 {
			t.Errorf("events %s, want %s; %d logins", got, want, logins)
		}
	})
	bubble(t, func(t *testing.T, server *servertest.Server) {
		s, e := open(t, server, func(c *session.Config) {
			c.Login = func(context.Context, string, *client.Conn) error { return &client.LoginError{Err: errors.New("no")} }
		})
		_, err := s.Exists(t.Context(), "/", false)
		synctest.Wait()
		if session.Code(err) != wire.ErrAuthFailed || e.take() != "AuthFailed" {
			t.Errorf("%v", err)
		}
	})
}

func TestChroot(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		ctx := t.Context()
		whole, _ := open(t, server, nil)
		create(t, whole, "/root", wire.ModePersistent)
		s, e := open(t, server, func(c *session.Config) { c.Chroot = "/root" })
		create(t, s, "/a", wire.ModePersistent)
		path, err := s.Create(ctx, "/a/n-", nil, wire.OpenACL(), wire.ModePersistentSequential, 0)
		if err != nil || path != "/a/n-0000000000" {
			t.Errorf("created %q, %v", path, err)
		}
		children, _, err := s.Children(ctx, "/", true)
		if err != nil || !slices.Equal(children, []string{"a"}) {
			t.Errorf("children %q, %v", children, err)
		}
		if stat, err := whole.Exists(ctx, "/root/a/n-0000000000", false); err != nil || stat == nil {
			t.Errorf("seen from outside: %v, %v", stat, err)
		}
		create(t, whole, "/root/b", wire.ModePersistent)
		synctest.Wait()
		if got, want := e.take(), "SyncConnected, NodeChildrenChanged /"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
		_, _, err = s.GetData(ctx, "/nope", false)
		if err == nil || err.Error() != "KeeperErrorCode = NoNode for /nope" {
			t.Errorf("error has path of %v", err)
		}
		if err := s.Delete(ctx, "/", -1); session.Code(err) != wire.ErrBadArguments {
			t.Errorf("delete of the chroot: %v", err)
		}
		ops := []wire.MultiOp{
			{Op: wire.OpCheck, Record: &wire.CheckVersionRequest{Path: "/a", Version: 0}},
			{Op: wire.OpCreate, Record: &wire.CreateRequest{Path: "/m", ACL: wire.OpenACL()}},
			{Op: wire.OpSetData, Record: &wire.SetDataRequest{Path: "/m", Data: []byte("y"), Version: -1}},
			{Op: wire.OpDelete, Record: &wire.DeleteRequest{Path: "/b", Version: -1}},
		}
		if _, err := s.Multi(ctx, ops); err != nil {
			t.Errorf("multi: %v", err)
		}
		_, err = s.Multi(ctx, ops)
		if session.Code(err) != wire.ErrNodeExists || err.Error() != "KeeperErrorCode = NodeExists for /m" {
			t.Errorf("multi again: %v", err)
		}
	})
}

func TestRemoveWatches(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		ctx := t.Context()
		s, e := open(t, server, nil)
		if err := s.RemoveWatches(ctx, "/", wire.WatcherAny, false); session.Code(err) != wire.ErrNoWatcher {
			t.Errorf("without a watch: %v", err)
		}
		if _, _, err := s.GetData(ctx, "/", true); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Children(ctx, "/", true); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveWatches(ctx, "/", wire.WatcherPersistent, false); session.Code(err) != wire.ErrNoWatcher {
			t.Errorf("of another kind: %v", err)
		}
		e.take()
		if err := s.RemoveWatches(ctx, "/", wire.WatcherAny, false); err != nil {
			t.Errorf("any: %v", err)
		}
		if got, want := e.take(), "DataWatchRemoved /, ChildWatchRemoved /"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
		if _, _, err := s.GetData(ctx, "/", true); err != nil {
			t.Fatal(err)
		}
		server.Refuse("*", true)
		server.Cut()
		synctest.Wait()
		if err := s.RemoveWatches(ctx, "/", wire.WatcherData, false); session.Code(err) != wire.ErrConnectionLoss {
			t.Errorf("without a server: %v", err)
		}
		e.take()
		if err := s.RemoveWatches(ctx, "/", wire.WatcherData, true); err != nil {
			t.Errorf("locally: %v", err)
		}
		if got, want := e.take(), "DataWatchRemoved /"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
	})
}

func TestCancel(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		server.Refuse("*", true)
		s, _ := open(t, server, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.WaitLinkedLong(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wait: %v", err)
		}
	})
}

func TestAbandonLeavesEphemeralNodes(t *testing.T) {
	bubble(t, func(t *testing.T, server *servertest.Server) {
		s, e := open(t, server, nil)
		create(t, s, "/e", wire.ModeEphemeral)
		s.Abandon()
		if got, want := e.take(), "SyncConnected"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
		other, _ := open(t, server, nil)
		if stat, err := other.Exists(t.Context(), "/e", false); err != nil || stat == nil {
			t.Errorf("right after: %v, %v", stat, err)
		}
		time.Sleep(10 * time.Second)
		if stat, err := other.Exists(t.Context(), "/e", false); err != nil || stat != nil {
			t.Errorf("after the timeout: %v, %v", stat, err)
		}
	})
}
