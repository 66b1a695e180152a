package znode_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
	"holt/znode"
	"holt/znode/store"
)

func newReplayTree(t *testing.T) *znode.Tree {
	t.Helper()
	s, err := store.Open("tree", store.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	tree, err := znode.NewTree(s)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func commitReplay(t *testing.T, tree *znode.Tree) {
	t.Helper()
	if err := tree.Prepare(0, nil); err != nil {
		t.Fatal(err)
	}
	tree.Commit()
}

func get(t *testing.T, tree *znode.Tree, path string) *znode.Node {
	t.Helper()
	n, err := tree.Get(path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func want(t *testing.T, what string, got, code wire.ErrCode) {
	t.Helper()
	if got != code {
		t.Errorf("%s: %v, want %v", what, got, code)
	}
}

func planted(path string, owner znode.Owner) *znode.Node {
	n := &znode.Node{ACL: znode.OpenACL(), Czxid: 5, Mzxid: 6, Pzxid: 7, Ctime: 1, Mtime: 2, Version: 3, Cversion: 4, Aversion: 5, Owner: owner, NumChildren: 99}
	n.SetContents(path, []byte("planted"))
	return n
}

// A planted node has all its numbers but the count of its children, which are counted here.
func TestPlant(t *testing.T) {
	tree := newReplayTree(t)
	tree.Begin(0, 0)
	root := planted("/", 0)
	want(t, "root", tree.Plant(root), wire.OK)
	want(t, "a node", tree.Plant(planted("/a", 0)), wire.OK)
	want(t, "its child", tree.Plant(planted("/a/b", 77)), wire.OK)
	want(t, "one of the system's", tree.Plant(planted("/zookeeper/config", 0)), wire.OK)
	want(t, "a second time", tree.Plant(planted("/a", 0)), wire.ErrNodeExists)
	want(t, "without a parent", tree.Plant(planted("/none/b", 0)), wire.ErrNoNode)
	commitReplay(t, tree)
	for path, children := range map[string]int32{"/": 2, "/a": 1, "/a/b": 0, "/zookeeper": 2, "/zookeeper/config": 0} {
		n := get(t, tree, path)
		if n == nil || n.NumChildren != children {
			t.Errorf("%s: %+v, want %d children", path, n, children)
		}
		if path != "/zookeeper" && (n.Cversion != 4 || n.Pzxid != 7 || string(n.Data) != "planted") {
			t.Errorf("%s: %+v", path, n)
		}
	}
	if c := tree.Counts(); c.Ephemerals != 1 || c.Nodes != 7 {
		t.Errorf("%+v", c)
	}
	if paths, err := tree.Ephemerals(77); err != nil || len(paths) != 1 {
		t.Errorf("%v, %v", paths, err)
	}
}

// What was done already is not done again, but for what a parent is told.
func TestReplayTwice(t *testing.T) {
	tree := newReplayTree(t)
	acl := wire.OpenACL()
	step := func(zxid wire.Zxid) { tree.Begin(zxid, int64(zxid)) }
	step(1)
	want(t, "create", tree.ReplayCreate("/p", nil, acl, 0, 1), wire.OK)
	step(2)
	want(t, "create", tree.ReplayCreate("/p/a", []byte("x"), acl, 9, 1), wire.OK)
	commitReplay(t, tree)

	step(2)
	want(t, "create again", tree.ReplayCreate("/p/a", []byte("y"), acl, 0, 1), wire.ErrNodeExists)
	want(t, "its counter", tree.ReplayCversion("/p", 1), wire.OK)
	if n := get(t, tree, "/p"); n.Cversion != 1 || n.Pzxid != 2 {
		t.Errorf("%+v", n)
	}
	step(8)
	want(t, "a later counter", tree.ReplayCversion("/p", 5), wire.OK)
	want(t, "one more than before", tree.ReplayCversion("/p", -1), wire.OK)
	step(9)
	want(t, "set data", tree.ReplaySetData("/p/a", nil, 7), wire.OK)
	want(t, "set ACL", tree.ReplaySetACL("/p/a", []wire.ACL{{Perms: 1, Identity: wire.Identity{Scheme: "ip", ID: "::1"}}}, 8), wire.OK)
	want(t, "set data of what is gone", tree.ReplaySetData("/none", nil, 7), wire.ErrNoNode)
	commitReplay(t, tree)
	if n := get(t, tree, "/p"); n.Cversion != 6 || n.Pzxid != 8 || n.NumChildren != 1 {
		t.Errorf("%+v", n)
	}
	if n := get(t, tree, "/p/a"); n.Version != 7 || n.Aversion != 8 || n.Mzxid != 9 || n.Mtime != 9 || n.Data != nil || n.ACL.Open() {
		t.Errorf("%+v", n)
	}
	// Deleting moves the parent's pzxid, also if the node is gone, and never back.
	step(10)
	want(t, "delete", tree.ReplayDelete("/p/a"), wire.OK)
	step(11)
	want(t, "delete again", tree.ReplayDelete("/p/a"), wire.ErrNoNode)
	step(3)
	want(t, "an earlier delete", tree.ReplayDelete("/p/a"), wire.ErrNoNode)
	commitReplay(t, tree)
	if n := get(t, tree, "/p"); n.Pzxid != 11 || n.NumChildren != 0 || n.Cversion != 6 {
		t.Errorf("%+v", n)
	}
}

// A node that is deleted with children, which came later, takes them along, those of the store and
// those of the same entry.
func TestReplayDeleteWithChildren(t *testing.T) {
	tree := newReplayTree(t)
	before := tree.Counts()
	acl := wire.OpenACL()
	tree.Begin(1, 1)
	for _, path := range []string{"/p", "/p/a", "/p/a/deep", "/p-other"} {
		want(t, path, tree.ReplayCreate(path, []byte("x"), acl, 0, -1), wire.OK)
	}
	commitReplay(t, tree)
	tree.Begin(2, 2)
	want(t, "more", tree.ReplayCreate("/p/b", nil, acl, 33, -1), wire.OK)
	want(t, "delete", tree.ReplayDelete("/p"), wire.OK)
	want(t, "create anew", tree.ReplayCreate("/p", nil, acl, 0, -1), wire.OK)
	want(t, "with a child", tree.ReplayCreate("/p/a", nil, acl, 0, -1), wire.OK)
	commitReplay(t, tree)
	if n := get(t, tree, "/p"); n.Czxid != 2 || n.NumChildren != 1 {
		t.Errorf("%+v", n)
	}
	for _, path := range []string{"/p/b", "/p/a/deep"} {
		if n := get(t, tree, path); n != nil {
			t.Errorf("%+v", n)
		}
	}
	tree.Begin(3, 3)
	want(t, "delete all", tree.ReplayDelete("/p"), wire.OK)
	want(t, "delete all", tree.ReplayDelete("/p-other"), wire.OK)
	commitReplay(t, tree)
	after := tree.Counts()
	before.Digest, after.Digest = 0, 0 // the root's numbers have moved
	if before != after {
		t.Errorf("%+v, want as before %+v", after, before)
	}
}
