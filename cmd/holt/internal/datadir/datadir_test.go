package datadir

import (
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

// start starts a member and creates n nodes.
func start(t *testing.T, dir string, n int) *server.Server {
	t.Helper()
	s, err := server.Start(server.Config{DataDir: dir, ClientAddr: server.Off, Control: true, TickMillis: 2000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	nc, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(t.Context(), nc, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Abort()
	for i := range n {
		if _, err := c.Create(t.Context(), fmt.Sprintf("/n%d", i), nil, wire.OpenACL(), wire.ModePersistent); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// nodes opens the copy's tree and counts; it fails if zxid and count do not fit.
func nodes(t *testing.T, c *Copy) int64 {
	t.Helper()
	tree, err := c.Store()
	if err != nil {
		t.Fatal(err)
	}
	state, _ := tree.State()
	if saved, err := c.Saved(); err != nil || saved.Zxid.Counter() == 0 {
		t.Errorf("%+v, %v", saved, err)
	}
	const always = 4 + 1 // and the root counted twice
	return state.Nodes - always
}

// What a process that was killed has left in its log is in the copy, and the directory is as it was.
func TestKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	start(t, dir, 100)
	// A copy of the files of a member that runs is what a kill leaves: nothing was flushed yet.
	killed := filepath.Join(t.TempDir(), "killed")
	if err := os.CopyFS(killed, noSockets{os.DirFS(dir)}); err != nil {
		t.Fatal(err)
	}
	before := listing(t, killed)
	c, err := Open(killed, "")
	if err != nil {
		t.Fatal(err)
	}
	if n := nodes(t, c); n != 100 || c.Running || c.Unknown != 0 {
		t.Errorf("%d nodes, %+v", n, c)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if after := listing(t, killed); after != before {
		t.Errorf("the directory has changed:\n%s\nwas\n%s", after, before)
	}
}

func TestRunning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	start(t, dir, 10)
	c, err := Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if n := nodes(t, c); n != 10 || !c.Running {
		t.Errorf("%d nodes, %+v", n, c)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// A member that runs and does not answer is not copied: its files change.
func TestRunningWithoutSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	start(t, dir, 1)
	if err := os.Remove(filepath.Join(dir, server.ControlSocket)); err != nil {
		t.Fatal(err)
	}
	if c, err := Open(dir, ""); err == nil || !strings.Contains(err.Error(), "in use by a member") {
		t.Errorf("%v, %v", c, err)
	}
}

func TestNothing(t *testing.T) {
	if _, err := Open(t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "holds no member's data") {
		t.Errorf("%v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), ""); err == nil {
		t.Error("no directory: no error")
	}
}

// listing is the files with their sizes.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			fmt.Fprintln(&b, path, info.Size())
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return b.String()
}
