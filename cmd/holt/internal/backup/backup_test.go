package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"holt/server"
	"holt/wire"
	"holt/wire/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a member on a data directory.
func start(t testing.TB, dir string) *server.Server {
	t.Helper()
	s, err := server.Start(server.Config{DataDir: dir, ClientAddr: server.Off, Control: true, TickMillis: 2000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	<-s.Ready()
	return s
}

// stop ends a member; it may be called twice.
func stop(t testing.TB, s *server.Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func dial(t testing.TB, s *server.Server, o client.Options) *client.Conn {
	t.Helper()
	nc, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(t.Context(), nc, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abort)
	return c
}

// grow creates n nodes below path, which it creates, too.
func grow(t testing.TB, c *client.Conn, path string, n int) {
	t.Helper()
	calls := []*client.Call{c.Send(wire.OpCreate, &wire.CreateRequest{Path: path, ACL: wire.OpenACL()})}
	for i := range n {
		data := []byte(strings.Repeat(fmt.Sprintf("%x ", i*7919), 20))
		calls = append(calls, c.Send(wire.OpCreate, &wire.CreateRequest{Path: fmt.Sprintf("%s/n%06d", path, i), Data: data, ACL: wire.OpenACL()}))
	}
	for _, call := range calls {
		if err := call.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func create(t testing.TB, c *client.Conn, path string, mode wire.CreateMode) {
	t.Helper()
	if _, err := c.Create(t.Context(), path, []byte(path), wire.OpenACL(), mode); err != nil {
		t.Fatal(err)
	}
}

func repository(t testing.TB) *Repository {
	t.Helper()
	r, err := OpenRepository(filepath.Join(t.TempDir(), "repository"), true)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func backUp(t testing.TB, r *Repository, dir string) *Set {
	t.Helper()
	s, err := r.Create(CreateConfig{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(s, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// exists reports whether there is a node.
func exists(t testing.TB, c *client.Conn, path string) bool {
	t.Helper()
	_, err := c.Exists(t.Context(), path, false)
	if err != nil && !errors.Is(err, wire.ErrNoNode) {
		t.Fatal(err)
	}
	return err == nil
}

// A backup of a running member holds what was there, and makes a new ensemble.
func TestBackUpRunning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, dir)
	c := dial(t, s, client.Options{})
	grow(t, c, "/app", 30_000)
	create(t, c, "/mine", wire.ModeEphemeral)
	r := repository(t)
	first := backUp(t, r, dir)
	if first.Nodes < 30_000 || first.Sessions != 1 || first.Ephemerals != 1 {
		t.Errorf("%+v", first)
	}
	create(t, c, "/later", wire.ModePersistent)
	second := backUp(t, r, dir)
	if second.Nodes != first.Nodes+1 {
		t.Errorf("second backup: %d nodes after %d", second.Nodes, first.Nodes)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "checkpoints")); err != nil || len(entries) > 1 {
		t.Errorf("checkpoints left: %v, %v", entries, err)
	}
	sets, err := r.Sets()
	if err != nil || len(sets) != 2 || sets[1].ID != second.ID {
		t.Fatalf("%v, %v", sets, err)
	}

	// The first one, into a new ensemble.
	to := filepath.Join(t.TempDir(), "restored")
	epoch, err := r.Restore(first, RestoreConfig{DataDir: to, MyID: 1})
	if err != nil {
		t.Fatal(err)
	}
	last := c.LastZxid()
	restored := start(t, to)
	n := dial(t, restored, client.Options{LastZxid: last})
	if !exists(t, n, "/app/n029999") || exists(t, n, "/later") || exists(t, n, "/mine") {
		t.Error("not what the backup holds, without sessions")
	}
	create(t, n, "/new", wire.ModePersistent)
	if z := n.LastZxid(); z.Epoch() != epoch || z <= last {
		t.Errorf("zxid %s, want epoch %d", z, epoch)
	}
	nc, err := restored.Dial()
	if err != nil {
		t.Fatal(err)
	}
	if old, err := client.New(t.Context(), nc, client.Options{Session: c.Session()}); err == nil {
		old.Abort()
		t.Error("a session that was dropped goes on")
	}
}

// A stopped member is backed up as well, the second time by what is new, and sessions are kept if that is wanted.
func TestBackUpStopped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, dir)
	c := dial(t, s, client.Options{})
	create(t, c, "/mine", wire.ModeEphemeral)
	grow(t, c, "/app", 3000)
	session := c.Session()
	c.Abort()
	stop(t, s)
	r := repository(t)
	set := backUp(t, r, dir)
	// The next one copies nothing of the tables, which have not changed.
	if next := backUp(t, r, dir); next.NewBytes > next.Bytes/10 || next.Digest != set.Digest {
		t.Errorf("next backup: %d of %d bytes are new", next.NewBytes, next.Bytes)
	}
	to := filepath.Join(t.TempDir(), "restored")
	if _, err := r.Restore(set, RestoreConfig{DataDir: to, KeepSessions: true}); err != nil {
		t.Fatal(err)
	}
	n := dial(t, start(t, to), client.Options{Session: session})
	if paths, err := n.GetEphemerals(t.Context(), "/"); err != nil || len(paths) != 1 {
		t.Errorf("the session has %v, %v", paths, err)
	}
	if _, err := r.Restore(set, RestoreConfig{DataDir: to}); !errors.Is(err, server.ErrInUse) {
		t.Errorf("restore over data: %v, want %v", err, server.ErrInUse)
	}
	// The source is as it was.
	again := dial(t, start(t, dir), client.Options{Session: session})
	if !exists(t, again, "/mine") {
		t.Error("the source has lost something")
	}
}

// Damage is found by Verify and by Restore, which then leaves nothing.
func TestDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, dir)
	grow(t, dial(t, s, client.Options{}), "/app", 1000)
	r := repository(t)
	set := backUp(t, r, dir)
	largest := &set.Files[0]
	for i := range set.Files {
		if set.Files[i].Size > largest.Size {
			largest = &set.Files[i]
		}
	}
	name := r.path(largest.SHA256)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(bytes.Clone(b[:len(b)-1]), b[len(b)-1]^1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(set, nil); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("verify: %v", err)
	}
	to := filepath.Join(t.TempDir(), "restored")
	if _, err := r.Restore(set, RestoreConfig{DataDir: to}); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("restore: %v", err)
	}
	if entries, err := os.ReadDir(to); err != nil || len(entries) > 0 {
		t.Errorf("left %v, %v", entries, err)
	}
	file := filepath.Join(r.dir, setsDir, set.ID+".json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte(`"nodes": 1`), []byte(`"nodes": 2`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Set(set.ID); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("set: %v", err)
	}
}

func TestKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, dir)
	c := dial(t, s, client.Options{})
	r := repository(t)
	for i := range 4 {
		grow(t, c, fmt.Sprintf("/app%d", i), 500)
		backUp(t, r, dir)
	}
	if n, err := r.Keep(2); err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	sets, err := r.Sets()
	if err != nil || len(sets) != 2 {
		t.Fatalf("%v, %v", sets, err)
	}
	for _, set := range sets {
		if err := r.Verify(set, nil); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Set("no-such"); !errors.Is(err, ErrNoSet) {
		t.Errorf("%v, want %v", err, ErrNoSet)
	}
}

// A subtree goes into a running ensemble under another name.
func TestGraft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, dir)
	c := dial(t, s, client.Options{})
	grow(t, c, "/app", 3000)
	create(t, c, "/app/n000000/deep", wire.ModePersistent)
	create(t, c, "/app/mine", wire.ModeEphemeral)
	if _, _, err := c.CreateContainer(t.Context(), "/app/container", nil, wire.OpenACL()); err != nil {
		t.Fatal(err)
	}
	r := repository(t)
	set := backUp(t, r, dir)
	if _, err := c.SetData(t.Context(), "/app/n000001", []byte("changed"), -1); err != nil {
		t.Fatal(err)
	}
	g, err := r.Graft(context.Background(), set, c, GraftConfig{Path: "/app", Into: "/again"})
	if err != nil || g != (Grafted{Created: 3003, Ephemeral: 1}) {
		t.Fatalf("%+v, %v", g, err)
	}
	if !exists(t, c, "/again/n000000/deep") {
		t.Error("not all is there")
	}
	g, err = r.Graft(context.Background(), set, c, GraftConfig{Path: "/app/n000001", Into: "/app/n000001"})
	if err != nil || g != (Grafted{Existed: 1}) {
		t.Fatalf("%+v, %v", g, err)
	}
	g, err = r.Graft(context.Background(), set, c, GraftConfig{Path: "/app/n000001", Into: "/app/n000001", Overwrite: true})
	if err != nil || g != (Grafted{Overwritten: 1}) {
		t.Fatalf("%+v, %v", g, err)
	}
	if data, _, err := c.GetData(t.Context(), "/app/n000001", false); err != nil || string(data) == "changed" {
		t.Errorf("data %q, %v", data, err)
	}
	if _, err := r.Graft(context.Background(), set, c, GraftConfig{Path: "/none", Into: "/x"}); err == nil {
		t.Error("a path that is not in the backup: no error")
	}
}
