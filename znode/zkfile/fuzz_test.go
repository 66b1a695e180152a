package zkfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
	"holt/znode"
	"holt/znode/store"
	"holt/znode/zkfile"
)

// fuzzPaths are those that made-up transactions are about.
var fuzzPaths = []string{
	"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/zookeeper/quota/a", "/zookeeper/quota/a/zookeeper_stats",
	"/zookeeper/quota/a/zookeeper_limits", "/a", "/a/x", "/a/x/y", "/a/x/y/z", "/m", "/eph", "/a//b", "", "relative",
}

// fuzzTxns makes a transaction of each three bytes: kind, path, and something more.
func fuzzTxns(b []byte) (txns []zkfile.Txn) {
	kinds := []wire.OpCode{
		wire.OpCreate, wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL, wire.OpDelete, wire.OpDeleteContainer,
		wire.OpSetData, wire.OpSetACL, wire.OpCreateSession, wire.OpCloseSession, wire.OpError, wire.OpReconfig,
	}
	for ; len(b) >= 3; b = b[3:] {
		path, more := fuzzPaths[int(b[1])%len(fuzzPaths)], int32(int8(b[2]))
		op := zkfile.Op{
			Type: kinds[int(b[0])%len(kinds)], Path: path, Data: b[2:3], ACL: wire.OpenACL(), Ephemeral: more%2 == 0,
			ParentCversion: more, Version: more, TTLMillis: int64(more), TimeoutMillis: more, HasPaths: more%3 == 0, Paths: []string{path},
		}
		if last := len(txns) - 1; last >= 0 && b[0]%5 == 0 && op.Type != wire.OpCloseSession && op.Type != wire.OpCreateSession &&
			op.Type != wire.OpReconfig && op.Type != wire.OpSetACL {
			op = zkfile.Op{Type: wire.OpMulti, Ops: []zkfile.Op{op, {Type: wire.OpDelete, Path: path}}}
		}
		txns = append(txns, zkfile.Txn{Session: wire.SessionID(more%4) + 1, Zxid: wire.Zxid(1000 + len(txns)), TimeMillis: int64(len(txns)), Op: op})
	}
	return txns
}

// FuzzReplay replays made-up transactions onto a snapshot of 3.9.4. Whatever they say, the tree
// that comes of them agrees with itself.
func FuzzReplay(f *testing.F) {
	d, err := zkfile.OpenDir(filepath.Join("testdata", "3.9.4"), "")
	if err != nil {
		f.Fatal(err)
	}
	snapshot, err := os.ReadFile(d.Snapshots[0].Path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{0, 8, 2, 0, 9, 2, 4, 7, 1, 0, 7, 3, 4, 2, 1, 4, 1, 1, 9, 12, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		var log bytes.Buffer
		w, err := zkfile.NewLogWriter(&log)
		if err != nil {
			t.Fatal(err)
		}
		for _, txn := range fuzzTxns(b) {
			if err := w.Append(&txn); err != nil {
				t.Fatal(err)
			}
		}
		dir := t.TempDir()
		for name, b := range map[string][]byte{"snapshot.1": snapshot, "log.2": log.Bytes()} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if d, err = zkfile.OpenDir(dir, ""); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open("tree", store.Options{FS: vfs.NewMem(), CacheBytes: 1 << 20, MemTableBytes: 1 << 20, BlockCacheBytes: 1 << 20, Quiet: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		tree, _, err := zkfile.Load(func() (*znode.Tree, error) { return znode.NewTree(s) }, d, zkfile.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		agrees(t, s, tree)
	})
}

// agrees checks that a tree's sums and its nodes' counts of children are right.
func agrees(t *testing.T, s *store.Store, tree *znode.Tree) {
	t.Helper()
	var nodes, ephemerals int64
	var digest uint64
	children := make(map[string]int32)
	if err := s.Walk(func(n *znode.Node) error {
		nodes++
		digest += n.Digest()
		if n.Owner.IsSession() {
			ephemerals++
		}
		children[n.Path] -= n.NumChildren
		if n.Path != znode.Root {
			children[znode.Parent(n.Path)]++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if c := tree.Counts(); nodes != c.Nodes-1 || digest != c.Digest || ephemerals != c.Ephemerals {
		t.Errorf("%d nodes, %d ephemeral, digest 0x%x, the tree says %+v", nodes, ephemerals, digest, c)
	}
	for path, off := range children {
		if off != 0 {
			t.Errorf("%s has %d children more than it says", path, off)
		}
	}
}
