package migration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"holt/wire"
	"holt/wire/client"
)

// dial connects to a server that may be about to start, with a new session.
func dial(t testing.TB, addr string, o client.Options) *client.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if o.SessionTimeout == 0 {
		o.SessionTimeout = 40 * time.Second
	}
	for {
		// ZooKeeper 3.5 can lose a connection that comes while it starts: it takes it and never
		// reads. A client gives up such an attempt after a part of its session timeout, so here.
		attempt, end := context.WithTimeout(ctx, 5*time.Second)
		c, err := client.Dial(attempt, addr, o)
		end()
		if err == nil {
			t.Cleanup(c.Abort)
			return c
		}
		if ctx.Err() != nil {
			t.Fatalf("connect to %s: %v", addr, err)
		}
		select {
		case <-time.After(50 * time.Millisecond): // the server's start is outside this process
		case <-ctx.Done():
		}
	}
}

// tree is all that a client can read, as text, a node per line. The servers run with skipACL.
func tree(t testing.TB, c *client.Conn) string {
	t.Helper()
	var lines []string
	var walk func(path string)
	walk = func(path string) {
		data, stat, err := c.GetData(t.Context(), path, false)
		if err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
		acl, _, err := c.GetACL(t.Context(), path)
		if err != nil {
			t.Fatalf("read ACL of %s: %v", path, err)
		}
		children, err := c.GetChildren(t.Context(), path, false)
		if err != nil {
			t.Fatalf("list %s: %v", path, err)
		}
		lines = append(lines, nodeText(path, data, acl, stat))
		slices.Sort(children)
		for _, name := range children {
			walk(strings.TrimSuffix(path, "/") + "/" + name)
		}
	}
	walk("/")
	return strings.Join(lines, "\n") + "\n"
}

// nodeText is the same as in the tests of znode/zkfile.
func nodeText(path string, data []byte, acl []wire.ACL, s wire.Stat) string {
	text := "null"
	if data != nil {
		text = fmt.Sprintf("%q", data)
	}
	var list []string
	for _, a := range acl {
		list = append(list, fmt.Sprintf("%s:%s:%d", a.Scheme, a.ID, a.Perms))
	}
	return fmt.Sprintf("%s %s [%s] c=%s m=%s p=%s ctime=%d mtime=%d v=%d cv=%d av=%d owner=0x%x len=%d children=%d",
		path, text, strings.Join(list, " "), s.Czxid, s.Mzxid, s.Pzxid, s.Ctime, s.Mtime, s.Version, s.Cversion, s.Aversion,
		uint64(s.EphemeralOwner), s.DataLength, s.NumChildren)
}

// withoutConfig leaves out /zookeeper/config, which each server writes when it starts to serve.
func withoutConfig(tree string) string {
	lines := strings.SplitAfter(tree, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "/zookeeper/config ") }), "")
}

// compareTrees reports the first lines that differ.
func compareTrees(t testing.TB, got, want string) {
	t.Helper()
	g, w := strings.Split(withoutConfig(got), "\n"), strings.Split(withoutConfig(want), "\n")
	differ := 0
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			if differ++; differ <= 5 {
				t.Errorf("line %d\n got %s\nwant %s", i, a, b)
			}
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d lines differ", differ, len(w))
	} else {
		t.Logf("%d nodes are the same", len(w)-1)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func closeQuietly(c io.Closer) {
	if err := c.Close(); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return // the process is gone
	}
}
