package zkfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/session"
	"holt/wire"
	"holt/znode"
	"holt/znode/store"
	"holt/znode/zkfile"
)

// releases are the directories that compat/migration recorded from Apache ZooKeeper.
var releases = []string{"3.4.14", "3.5.10", "3.6.4", "3.7.2", "3.8.4", "3.9.4", "3.9.4-gz", "3.9.4-snappy"}

// loaded is a tree with its store.
type loaded struct {
	tree  *znode.Tree
	store *store.Store
	*zkfile.Loaded
}

func load(t testing.TB, dir string, o zkfile.LoadOptions) (loaded, error) {
	t.Helper()
	d, err := zkfile.OpenDir(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	var l loaded
	var n int
	fresh := func() (*znode.Tree, error) {
		n++
		s, err := store.Open(fmt.Sprint("tree", n), store.Options{FS: vfs.NewMem()})
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		l.store = s
		return znode.NewTree(s)
	}
	l.tree, l.Loaded, err = zkfile.Load(fresh, d, o)
	return l, err
}

// text is the tree as compat/migration writes what a client reads.
func (l loaded) text(t testing.TB) string {
	t.Helper()
	var lines []string
	var walk func(path string)
	walk = func(path string) {
		n, err := l.tree.Get(path)
		if err != nil || n == nil {
			t.Fatalf("read %s: %v, %v", path, n, err)
		}
		lines = append(lines, nodeText(n))
		it, err := l.tree.OpenChildren(path)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for name, ok := it.Next(); ok; name, ok = it.Next() {
			names = append(names, string(name))
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			walk(strings.TrimSuffix(path, "/") + "/" + name)
		}
	}
	walk("/")
	return strings.Join(lines, "\n") + "\n"
}

func nodeText(n *znode.Node) string {
	text := "null"
	if n.Data != nil {
		text = fmt.Sprintf("%q", n.Data)
	}
	var list []string
	for _, a := range n.ACL.Entries() {
		list = append(list, fmt.Sprintf("%s:%s:%d", a.Scheme, a.ID, a.Perms))
	}
	s := n.Stat()
	return fmt.Sprintf("%s %s [%s] c=%s m=%s p=%s ctime=%d mtime=%d v=%d cv=%d av=%d owner=0x%x len=%d children=%d",
		n.Path, text, strings.Join(list, " "), s.Czxid, s.Mzxid, s.Pzxid, s.Ctime, s.Mtime, s.Version, s.Cversion, s.Aversion,
		uint64(s.EphemeralOwner), s.DataLength, s.NumChildren)
}

// Every release's files make the tree that its clients saw, with its sessions.
func TestLoadReleases(t *testing.T) {
	for _, name := range releases {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", name)
			l, err := load(t, dir, zkfile.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, dir, l)
			var sessions []string
			for id, timeout := range l.Sessions {
				sessions = append(sessions, fmt.Sprintf("%s %d", id, timeout))
			}
			slices.Sort(sessions)
			if got, want := sessions, sortedLines(t, filepath.Join(dir, "sessions.txt")); !slices.Equal(got, want) {
				t.Errorf("sessions %q, want %q", got, want)
			}
			if l.DigestDiffers != 0 {
				t.Errorf("digest differs after transaction %s", l.DigestDiffers)
			}
			if hasDigests := name >= "3.6"; hasDigests != (l.DigestZxid != 0) {
				t.Errorf("digest compared after transaction %s", l.DigestZxid)
			}
			if len(l.Logs) == 0 || l.Txns == 0 || len(l.Orphaned) != 0 {
				t.Errorf("%+v", l.Loaded)
			}
		})
	}
}

func sortedLines(t testing.TB, name string) []string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	slices.Sort(lines)
	return lines
}

func compare(t testing.TB, dir string, l loaded) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "tree.txt"))
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(l.text(t), "\n"), strings.Split(string(b), "\n")
	// 3.4 had no configuration node.
	got = slices.DeleteFunc(got, func(s string) bool {
		return strings.HasPrefix(s, "/zookeeper/config ") && !strings.Contains(string(b), "\n/zookeeper/config ")
	})
	if !strings.Contains(string(b), "\n/zookeeper/config ") { // which is a child that was not there
		for i, s := range got {
			if strings.HasPrefix(s, "/zookeeper ") {
				got[i] = strings.Replace(strings.Replace(s, "children=2", "children=1", 1), "cv=-2", "cv=-1", 1)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the tree differs:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// However the replay is cut into snapshot and logs, the tree is the same: from each
// snapshot, with the logs after it.
func TestLoadFromOlderSnapshots(t *testing.T) {
	for _, name := range releases {
		d, err := zkfile.OpenDir(filepath.Join("testdata", name), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Snapshots) < 3 {
			t.Fatalf("%s: %d snapshots", name, len(d.Snapshots))
		}
		for i := range d.Snapshots {
			t.Run(fmt.Sprint(name, "/", i), func(t *testing.T) {
				dir := copyDir(t, filepath.Join("testdata", name))
				// Damage in the newer ones has them skipped.
				for _, f := range d.Snapshots[:i] {
					spoil(t, filepath.Join(dir, "version-2", filepath.Base(f.Path)))
				}
				l, err := load(t, dir, zkfile.LoadOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if len(l.Refused) != i {
					t.Errorf("refused %v, want %d", l.Refused, i)
				}
				compare(t, filepath.Join("testdata", name), l)
			})
		}
	}
}

// What is read of each release's logs is written again byte for byte.
func TestRewriteLogs(t *testing.T) {
	for _, name := range releases {
		d, err := zkfile.OpenDir(filepath.Join("testdata", name), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range d.Logs {
			want, err := os.ReadFile(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := zkfile.NewLogReader(bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			w, err := zkfile.NewLogWriter(&got)
			if err != nil {
				t.Fatal(err)
			}
			var txn zkfile.Txn
			for err = r.Next(&txn); err == nil; err = r.Next(&txn) {
				if err := w.Append(&txn); err != nil {
					t.Fatal(err)
				}
			}
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(want, got.Bytes()) || got.Len() < 100 {
				t.Errorf("%s: %d bytes written of %d differ", f.Path, got.Len(), len(want))
			}
			if base := filepath.Base(f.Path); base != zkfile.LogName(f.Zxid) {
				t.Errorf("%s is called %s", base, zkfile.LogName(f.Zxid))
			}
		}
	}
}

// spoil changes a byte in the middle of a file.
func spoil(t testing.TB, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0x55
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// A damaged log is refused with file, place and what can be saved, and salvaged if asked for.
func TestLoadDamagedLog(t *testing.T) {
	dir := copyDir(t, filepath.Join("testdata", "3.9.4"))
	d, err := zkfile.OpenDir(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	last := d.Logs[len(d.Logs)-1].Path
	b, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	const second = 16 + 12 + 60 // within the first or second record
	b[second] ^= 0x55
	if err := os.WriteFile(last, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = load(t, dir, zkfile.LoadOptions{})
	damage := (*zkfile.DamageError)(nil)
	if !errors.As(err, &damage) || damage.File != last || damage.Offset < 16 || damage.Saved == "" {
		t.Fatalf("%v", err)
	}
	l, err := load(t, dir, zkfile.LoadOptions{Salvage: true})
	if err != nil || l.Salvaged == nil {
		t.Fatalf("salvage: %v, %v", err, l.Loaded)
	}
}

func TestLoadWithoutSnapshot(t *testing.T) {
	dir := copyDir(t, filepath.Join("testdata", "3.4.14"))
	d, err := zkfile.OpenDir(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Snapshots {
		if err := os.Remove(f.Path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := load(t, dir, zkfile.LoadOptions{}); err == nil {
		t.Error("logs alone: no error")
	}
	l, err := load(t, dir, zkfile.LoadOptions{TrustEmptySnapshot: true})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, filepath.Join("testdata", "3.4.14"), l)
}

// Ephemeral nodes of a session that is not known any more go, as in ZooKeeper.
func TestLoadOrphans(t *testing.T) {
	dir := t.TempDir()
	root := &znode.Node{ACL: znode.OpenACL()}
	root.SetContents("/", nil)
	a, b := *root, *root
	a.SetContents("/a", nil)
	a.Owner = 7
	b.SetContents("/b", nil)
	b.Owner = 8
	write(t, filepath.Join(dir, "snapshot.9"), []*znode.Node{root, &a, &b}, zkfile.SnapshotHead{Sessions: []zkfile.Session{{ID: 8, TimeoutMillis: 1}}})
	l, err := load(t, dir, zkfile.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := l.Orphaned, []wire.SessionID{7}; !slices.Equal(got, want) {
		t.Errorf("orphaned %v, want %v", got, want)
	}
	if text := l.text(t); strings.Contains(text, "/a ") || !strings.Contains(text, "/b ") {
		t.Errorf("tree:\n%s", text)
	}
}

func write(t testing.TB, name string, nodes []*znode.Node, head zkfile.SnapshotHead) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, n := range nodes {
		head.Lists = append(head.Lists, n.ACL)
	}
	w, err := zkfile.NewSnapshotWriter(f, head)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if err := w.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// What WriteTree writes is loaded as the same tree, digest included.
func TestWriteTree(t *testing.T) {
	l, err := load(t, filepath.Join("testdata", "3.9.4"), zkfile.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, zkfile.SnapshotName(l.Zxid, zkfile.Snappy)))
	if err != nil {
		t.Fatal(err)
	}
	head := zkfile.SnapshotHead{Compression: zkfile.Snappy, Digest: &zkfile.Digest{Zxid: l.Zxid, Version: 2, Value: l.tree.Counts().Digest}}
	for id, timeout := range l.Sessions {
		head.Sessions = append(head.Sessions, zkfile.Session{ID: id, TimeoutMillis: timeout})
	}
	n, err := zkfile.WriteTree(f, l.store, head)
	if err := errors.Join(err, f.Close()); err != nil || n != l.tree.Counts().Nodes-1 {
		t.Fatalf("%d nodes, %v", n, err)
	}
	again, err := load(t, dir, zkfile.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.text(t), l.text(t); got != want {
		t.Errorf("the tree differs:\n%s\nwant\n%s", got, want)
	}
	if again.DigestZxid != l.Zxid {
		t.Errorf("digest compared after transaction %s, want %s", again.DigestZxid, l.Zxid)
	}
}

// The password that sessions are taken over with is the one that ZooKeeper gave them;
// compat/migration shows it with live clients.
func TestSessionPasswords(t *testing.T) {
	if a, b := session.ZooKeeperPasswd(1), session.ZooKeeperPasswd(2); a == b {
		t.Error("two sessions with the same password")
	}
}

// Digests of transactions within what a fuzzy snapshot may hold already say nothing.
func TestFuzzyDigests(t *testing.T) {
	dir := t.TempDir()
	node := func(path string, zxid wire.Zxid) *znode.Node {
		n := &znode.Node{ACL: znode.OpenACL(), Czxid: zxid, Mzxid: zxid, Pzxid: zxid, Ctime: 5, Mtime: 5}
		n.SetContents(path, nil)
		return n
	}
	root := node("/", 0)
	root.Cversion, root.Pzxid = 2, 12
	// Begun at 10, ended after 12, by when /a had come and /b as well.
	write(t, filepath.Join(dir, "snapshot.a"), []*znode.Node{root, node("/a", 11), node("/b", 12)}, zkfile.SnapshotHead{})
	alone, err := load(t, dir, zkfile.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	digest := alone.tree.Counts().Digest
	write(t, filepath.Join(dir, "snapshot.a"), []*znode.Node{root, node("/a", 11), node("/b", 12)},
		zkfile.SnapshotHead{Digest: &zkfile.Digest{Zxid: 12, Version: 2, Value: digest}})
	for i, name := range []string{"/a", "/b"} {
		f, err := os.Create(filepath.Join(dir, zkfile.LogName(wire.Zxid(11+i)))) // a log of its own each
		if err != nil {
			t.Fatal(err)
		}
		w, err := zkfile.NewLogWriter(f)
		if err != nil {
			t.Fatal(err)
		}
		value := digest
		if i == 0 {
			value = 1 // of a tree without /b
		}
		txn := zkfile.Txn{Zxid: wire.Zxid(11 + i), TimeMillis: 5, Digest: &zkfile.Digest{Version: 2, Value: value},
			Op: zkfile.Op{Type: wire.OpCreate, Path: name, ACL: wire.OpenACL(), ParentCversion: int32(1 + i)}}
		if err := errors.Join(w.Append(&txn), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	l, err := load(t, dir, zkfile.LoadOptions{})
	if err != nil || l.DigestDiffers != 0 || l.DigestZxid != 12 || l.Stale != 2 {
		t.Errorf("%v, %+v", err, l.Loaded)
	}
}
