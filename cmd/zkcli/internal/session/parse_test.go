package session

import (
	"slices"
	"strings"
	"testing"

	"holt/wire"
)

func TestParseServers(t *testing.T) {
	tests := []struct {
		in      string
		servers string
		chroot  string
		err     string
	}{
		{in: "a", servers: "a:2181"},
		{in: "a:1,b:2,c", servers: "a:1 b:2 c:2181"},
		{in: "a:1,", servers: "a:1"},
		{in: "a:", servers: "a:2181"},
		{in: "a:1/", servers: "a:1"},
		{in: "a:1,b/x/y", servers: "a:1 b:2181", chroot: "/x/y"},
		{in: "[::1]:1,[fe80::1]", servers: "[::1]:1 [fe80::1]:2181"},
		{in: "::1:2", servers: "[::1]:2"},
		{in: "", err: `no server in ""`},
		{in: "/x", err: `no server in "/x"`},
		{in: "a/x/", err: "Path must not end with / character"},
		{in: "a:x", err: `a:x has no port but "x" after the colon`},
		{in: "a:70000", err: `a:70000 has no port but "70000" after the colon`},
		{in: "[::1", err: "[::1 starts with '[' but has no matching ']'"},
		{in: "[]:1", err: "[]:1 is empty."},
		{in: "[::1]2", err: "[::1]2 does not have : after ]"},
		{in: "[::1]:", err: "[::1]: doesn't have a port after colon."},
	}
	for _, tt := range tests {
		servers, chroot, err := ParseServers(tt.in)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got := strings.Join(servers, " "); got != tt.servers || chroot != tt.chroot || text != tt.err {
			t.Errorf("ParseServers(%q) = %q, %q, %q; want %q, %q, %q", tt.in, got, chroot, text, tt.servers, tt.chroot, tt.err)
		}
	}
}

func TestValidatePath(t *testing.T) {
	for path, want := range map[string]string{
		"/": "", "/a": "", "/a/b.c": "", "/a../b": "", "/...": "", "/ ": "", "/ü": "", "/\ufefe": "",
		"":         "Path length must be > 0",
		"a":        "Path must start with / character",
		"/a/":      "Path must not end with / character",
		"//a":      `Invalid path string "//a" caused by empty node name specified @1`,
		"/a/./b":   `Invalid path string "/a/./b" caused by relative paths not allowed @3`,
		"/a/..":    `Invalid path string "/a/.." caused by relative paths not allowed @4`,
		"/.":       `Invalid path string "/." caused by relative paths not allowed @1`,
		"/a\x00":   "Invalid path string \"/a\x00\" caused by null character not allowed @2",
		"/a\tb":    "Invalid path string \"/a\tb\" caused by invalid character @2",
		"/ü\u0085": "Invalid path string \"/ü\u0085\" caused by invalid character @2",
		"/a😀":      `Invalid path string "/a😀" caused by invalid character @2`,
		"/\uf8ff":  "Invalid path string \"/\uf8ff\" caused by invalid character @1",
	} {
		got := ""
		if err := ValidatePath(path); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("ValidatePath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestChrootPaths(t *testing.T) {
	for _, tt := range []struct{ root, local, wire string }{
		{"", "/", "/"}, {"", "/a", "/a"}, {"/x", "/", "/x"}, {"/x", "/a", "/x/a"},
	} {
		c := chroot(tt.root)
		if got := c.wire(tt.local); got != tt.wire {
			t.Errorf("%q: wire(%q) = %q, want %q", tt.root, tt.local, got, tt.wire)
		}
		if got := c.local(tt.wire); got != tt.local {
			t.Errorf("%q: local(%q) = %q, want %q", tt.root, tt.wire, got, tt.local)
		}
	}
	if got := chroot("/x").local(ConfigNode); got != ConfigNode {
		t.Errorf("a path outside: %q", got)
	}
}

func TestErrorTexts(t *testing.T) {
	for _, tt := range []struct {
		err  Error
		want string
	}{
		{Error{wire.ErrNoNode, "/a"}, "KeeperErrorCode = NoNode for /a"},
		{Error{wire.ErrNotEmpty, "/a"}, "KeeperErrorCode = Directory not empty for /a"},
		{Error{wire.ErrConnectionLoss, ""}, "KeeperErrorCode = ConnectionLoss"},
		{Error{wire.ErrSessionExpired, NullPath}, "KeeperErrorCode = Session expired"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestEventText(t *testing.T) {
	e := Event{State: EventSyncConnected, Type: wire.EventNodeCreated, Path: "/a", Zxid: 12}
	if got, want := e.String(), "WatchedEvent state:SyncConnected type:NodeCreated path:/a zxid: 12"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e = Event{State: EventExpired, Type: wire.EventNone, Zxid: -1}
	if got, want := e.String(), "WatchedEvent state:Expired type:None path:null zxid: -1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFire(t *testing.T) {
	fill := func() watchTable {
		w := newWatchTable()
		for _, p := range []paths{w.data, w.exist, w.child} {
			p["/a"] = struct{}{}
		}
		w.persistent["/p"] = struct{}{}
		w.recursive["/r"] = struct{}{}
		return w
	}
	for _, tt := range []struct {
		typ         wire.EventType
		path        string
		want, again bool
	}{
		{wire.EventNodeDataChanged, "/a", true, false},
		{wire.EventNodeCreated, "/a", true, false},
		{wire.EventNodeDeleted, "/a", true, false},
		{wire.EventNodeChildrenChanged, "/a", true, false},
		{wire.EventNodeDataChanged, "/b", false, false},
		{wire.EventNodeChildrenChanged, "/p", true, true},
		{wire.EventNodeDeleted, "/p", true, true},
		{wire.EventNodeCreated, "/p/x", false, false},
		{wire.EventNodeCreated, "/r/x/y", true, true},
		{wire.EventNodeDeleted, "/r", true, true},
		{wire.EventNodeChildrenChanged, "/r", false, false},
		{wire.EventNodeDataChanged, "/", false, false},
	} {
		w := fill()
		if got := w.fire(tt.typ, tt.path); got != tt.want {
			t.Errorf("fire(%v, %s) = %v", tt.typ, tt.path, got)
		}
		if got := w.fire(tt.typ, tt.path); got != tt.again {
			t.Errorf("fire(%v, %s) again = %v", tt.typ, tt.path, got)
		}
	}
}

func TestRearm(t *testing.T) {
	w := newWatchTable()
	if ops := w.rearm(7, ""); len(ops) != 0 {
		t.Errorf("without watches: %d requests", len(ops))
	}
	w.data["/b"], w.data["/a"], w.child["/"] = struct{}{}, struct{}{}, struct{}{}
	ops := w.rearm(7, "/root")
	old, ok := ops[0].Record.(*wire.SetWatches)
	if len(ops) != 1 || !ok || ops[0].Op != wire.OpSetWatches {
		t.Fatalf("without persistent watches: %v", ops)
	}
	if old.RelativeZxid != 7 || !slices.Equal(old.DataWatches, []string{"/root/a", "/root/b"}) || !slices.Equal(old.ChildWatches, []string{"/root"}) {
		t.Errorf("request %+v", old)
	}
	w.recursive["/r"] = struct{}{}
	ops = w.rearm(7, "")
	if r, ok := ops[0].Record.(*wire.SetWatches2); !ok || !slices.Equal(r.PersistentRecursiveWatches, []string{"/r"}) || len(r.DataWatches) != 2 {
		t.Errorf("with a recursive watch: %+v", ops[0].Record)
	}
	for i := range 3 {
		w.exist["/"+strings.Repeat(string(rune('a'+i)), rearmBytes)] = struct{}{}
	}
	if ops := w.rearm(7, ""); len(ops) != 4 {
		t.Errorf("with very long paths: %d requests, want 4", len(ops))
	}
}
