package subtree_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holt/cmd/zkcli/internal/servertest"
	"holt/cmd/zkcli/internal/session"
	"holt/cmd/zkcli/internal/subtree"
	"holt/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) *session.Session {
	t.Helper()
	server := servertest.Start(t)
	s := session.Open(session.Config{Servers: []string{"memory:1"}, Timeout: 10 * time.Second, Dial: server.Dial})
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func create(t *testing.T, s *session.Session, path, data string) {
	t.Helper()
	if _, err := s.Create(t.Context(), path, []byte(data), wire.OpenACL(), wire.ModePersistent, 0); err != nil {
		t.Fatal(err)
	}
}

// many makes n children of path.
func many(t *testing.T, s *session.Session, path string, n int, data string) {
	t.Helper()
	for batch := range slices.Chunk(numbers(n), 200) {
		var ops []wire.MultiOp
		for _, i := range batch {
			ops = append(ops, wire.MultiOp{Op: wire.OpCreate, Record: &wire.CreateRequest{
				Path: fmt.Sprintf("%s/%05d", path, i), Data: []byte(data), ACL: wire.OpenACL()}})
		}
		if _, err := s.Multi(t.Context(), ops); err != nil {
			t.Fatal(err)
		}
	}
}

func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// list returns the paths that a walk meets.
func list(t *testing.T, s *session.Session, root string, o subtree.Options) []string {
	t.Helper()
	var paths []string
	err := subtree.Walk(t.Context(), s, root, o, func(n *subtree.Node) error {
		paths = append(paths, n.Path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestWalk(t *testing.T) {
	s := open(t)
	for _, path := range []string{"/a", "/a/c", "/a/b", "/a/b/x", "/a/b/x/deep", "/a/d"} {
		create(t, s, path, path)
	}
	for _, tt := range []struct {
		root string
		o    subtree.Options
		want string
	}{
		{"/a", subtree.Options{Depth: -1}, "/a /a/b /a/b/x /a/b/x/deep /a/c /a/d"},
		{"/a", subtree.Options{Depth: -1, Data: true}, "/a /a/b /a/b/x /a/b/x/deep /a/c /a/d"},
		{"/a", subtree.Options{Depth: 1}, "/a /a/b /a/c /a/d"},
		{"/a", subtree.Options{Depth: 0, Data: true}, "/a"},
		{"/a/b", subtree.Options{Depth: -1}, "/a/b /a/b/x /a/b/x/deep"},
		{"/", subtree.Options{Depth: 1}, "/ /a /zookeeper"},
		{"/", subtree.Options{Depth: 1, SkipSystem: true}, "/ /a"},
		{"/zookeeper", subtree.Options{Depth: 1, SkipSystem: true}, "/zookeeper /zookeeper/config /zookeeper/quota"},
	} {
		if got := strings.Join(list(t, s, tt.root, tt.o), " "); got != tt.want {
			t.Errorf("%s %+v: %s, want %s", tt.root, tt.o, got, tt.want)
		}
	}
	stop := errors.New("enough")
	err := subtree.Walk(t.Context(), s, "/a", subtree.Options{Depth: -1}, func(n *subtree.Node) error {
		if n.Path == "/a/b/x" {
			return stop
		}
		return nil
	})
	if err != stop {
		t.Errorf("stopped walk: %v", err)
	}
	err = subtree.Walk(t.Context(), s, "/nope", subtree.Options{}, func(*subtree.Node) error { return nil })
	if session.Code(err) != wire.ErrNoNode {
		t.Errorf("absent root: %v", err)
	}
}

func TestWalkOfManyChildrenKeepsOrder(t *testing.T) {
	s := open(t)
	create(t, s, "/many", "")
	many(t, s, "/many", 1000, "x")
	got := list(t, s, "/many", subtree.Options{Depth: -1, Data: true})
	if len(got) != 1001 || !slices.IsSorted(got) {
		t.Errorf("%d nodes, sorted %v", len(got), slices.IsSorted(got))
	}
}

func TestWalkTellsWhatItMayNotRead(t *testing.T) {
	s := open(t)
	create(t, s, "/a", "")
	nobody := []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "digest", ID: "x:y"}}}
	if _, err := s.Create(t.Context(), "/a/secret", nil, nobody, wire.ModePersistent, 0); err != nil {
		t.Fatal(err)
	}
	var codes []string
	err := subtree.Walk(t.Context(), s, "/a", subtree.Options{Depth: -1, Data: true, ACL: true}, func(n *subtree.Node) error {
		codes = append(codes, n.Path+" "+n.Err.String())
		return nil
	})
	if got, want := strings.Join(codes, ", "), "/a OK, /a/secret NoAuth"; err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestWalkPassesOverNodesThatGo(t *testing.T) {
	s := open(t)
	create(t, s, "/a", "")
	many(t, s, "/a", 200, "x")
	met := 0
	err := subtree.Walk(t.Context(), s, "/a", subtree.Options{Depth: -1, Data: true}, func(n *subtree.Node) error {
		if met++; met == 1 {
			return s.Delete(t.Context(), "/a/00150", -1)
		}
		return nil
	})
	if err != nil || met != 200 {
		t.Errorf("met %d nodes, %v", met, err)
	}
}

func TestMoveOfMany(t *testing.T) {
	for _, tt := range []struct {
		name  string
		nodes int
		data  string
		whole bool
	}{
		{"few", 10, "x", true},
		{"many nodes", 1500, "x", false},
		{"many bytes", 20, strings.Repeat("x", 50_000), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			create(t, s, "/from", "top")
			many(t, s, "/from", tt.nodes, tt.data)
			n, whole, err := subtree.Move(t.Context(), s, "/from", "/to")
			if err != nil || n != tt.nodes+1 || whole != tt.whole {
				t.Fatalf("moved %d, at once %v, %v", n, whole, err)
			}
			if stat, err := s.Exists(t.Context(), "/from", false); err != nil || stat != nil {
				t.Errorf("source is still there: %v", err)
			}
			if got := list(t, s, "/to", subtree.Options{Depth: -1}); len(got) != tt.nodes+1 {
				t.Errorf("%d nodes at the target", len(got))
			}
			data, _, err := s.GetData(t.Context(), fmt.Sprintf("/to/%05d", tt.nodes-1), false)
			if err != nil || string(data) != tt.data {
				t.Errorf("last node: %d bytes, %v", len(data), err)
			}
		})
	}
}

func TestCopyRefusesItself(t *testing.T) {
	s := open(t)
	create(t, s, "/a", "")
	create(t, s, "/a/b", "")
	for _, tt := range [][2]string{{"/a", "/a"}, {"/a", "/a/b"}, {"/a", "/a/new"}, {"/a/b", "/a"}, {"/", "/x"}} {
		if err := subtree.Copy(t.Context(), s, tt[0], &subtree.Writer{Session: s, Target: tt[1]}); err == nil {
			t.Errorf("copy of %s to %s", tt[0], tt[1])
		}
	}
	if err := subtree.Copy(t.Context(), s, "/a", &subtree.Writer{Session: s, Target: "/ab"}); err != nil {
		t.Errorf("copy to a path that begins alike: %v", err)
	}
}

// TestMaskedDigestIsNotCopied sees that nothing is written that nobody could use.
func TestMaskedDigestIsNotCopied(t *testing.T) {
	s := open(t)
	create(t, s, "/a", "")
	acl := []wire.ACL{
		{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "digest", ID: "user:hash"}},
		{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "world", ID: "anyone"}},
	}
	if _, err := s.Create(t.Context(), "/a/b", []byte("x"), acl, wire.ModePersistent, 0); err != nil {
		t.Fatal(err)
	}
	err := subtree.Copy(t.Context(), s, "/a", &subtree.Writer{Session: s, Target: "/c"})
	if !errors.Is(err, subtree.ErrMasked) {
		t.Errorf("copy: %v", err)
	}
	if _, _, err := subtree.Move(t.Context(), s, "/a", "/c"); !errors.Is(err, subtree.ErrMasked) {
		t.Errorf("move: %v", err)
	}
	document, _ := export(t, s, "/a")
	err = subtree.Import(t.Context(), strings.NewReader(document), &subtree.Writer{Session: s, Target: "/c"})
	if !errors.Is(err, subtree.ErrMasked) {
		t.Errorf("import: %v", err)
	}
	if stat, err := s.Exists(t.Context(), "/c", false); stat != nil || err != nil {
		t.Errorf("something was written: %v", err)
	}
	if err := subtree.Copy(t.Context(), s, "/a", &subtree.Writer{Session: s, Target: "/c", OpenACL: true}); err != nil {
		t.Errorf("copy with open lists: %v", err)
	}
}

// TestExportIsReproduced imports a document elsewhere and exports it from there.
func TestExportIsReproduced(t *testing.T) {
	s := open(t)
	create(t, s, "/a", "text")
	create(t, s, "/a/binary", "\xff\x00")
	acl := []wire.ACL{{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "ip", ID: "10.0.0.0/8"}}, {Perms: wire.PermAll, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}
	if _, err := s.Create(t.Context(), "/a/null", nil, acl, wire.ModePersistent, 0); err != nil {
		t.Fatal(err)
	}
	create(t, s, "/a/empty", "")
	create(t, s, "/a/many", "")
	many(t, s, "/a/many", 250, "y")
	first, n := export(t, s, "/a")
	if n != 255 {
		t.Errorf("%d nodes", n)
	}
	w := &subtree.Writer{Session: s, Target: "/b"}
	if err := subtree.Import(t.Context(), strings.NewReader(first), w); err != nil {
		t.Fatal(err)
	}
	second, _ := export(t, s, "/b")
	if withoutStats(first) != strings.Replace(withoutStats(second), `"root":"/b"`, `"root":"/a"`, 1) {
		t.Errorf("first\n%s\nsecond\n%s", withoutStats(first), withoutStats(second))
	}
	if data, _, err := s.GetData(t.Context(), "/b/null", false); data != nil || err != nil {
		t.Errorf("null data became %q, %v", data, err)
	}
	if data, _, err := s.GetData(t.Context(), "/b/empty", false); data == nil || err != nil {
		t.Errorf("empty data became null, %v", err)
	}
}

func export(t *testing.T, s *session.Session, root string) (string, int) {
	t.Helper()
	var buf bytes.Buffer
	n, err := subtree.Export(t.Context(), s, root, &buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf.String(), n
}

// withoutStats cuts the stats, which are the last of each node.
func withoutStats(document string) string {
	var b strings.Builder
	for line := range strings.Lines(document) {
		head, _, _ := strings.Cut(line, `,"stat"`)
		b.WriteString(strings.TrimSuffix(head, "\n") + "\n")
	}
	return b.String()
}

func TestImportRefuses(t *testing.T) {
	s := open(t)
	head := `{"format":"znodes","version":1,"root":"/","nodes":[`
	for text, want := range map[string]string{
		``:             "not a JSON object",
		`[]`:           "not a JSON object",
		`{}`:           "no nodes in it",
		`{"nodes":[]}`: `format "" version 0`,
		`{"format":"other","version":1,"nodes":[]}`:  `format "other" version 1`,
		`{"format":"znodes","version":2,"nodes":[]}`: `version 2`,
		`{"format":"znodes","version":1,"nodes":{}}`: "not a list",
		head:                                    "EOF",
		head + `{"path":"/"}`:                   "EOF",
		head + `{"path":"x"}]}`:                 "Path must start with / character",
		head + `{"path":"/x","data_b64":"?"}]}`: "illegal base64",
		head + `{"path":"/x","acl":[{"scheme":"world","id":"anyone","perms":"q"}]}]}`: "unknown permission",
		head + `{"path":"/absent/x"}]}`:                                               "NoNode for /t/absent/x",
	} {
		err := subtree.Import(t.Context(), strings.NewReader(text), &subtree.Writer{Session: s, Target: "/t"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestImportIsWholeOrNot writes nothing of a batch of which one node exists.
func TestImportIsWholeOrNot(t *testing.T) {
	s := open(t)
	create(t, s, "/a", "")
	create(t, s, "/a/b", "")
	document, _ := export(t, s, "/a")
	create(t, s, "/t", "")
	create(t, s, "/t/x", "")
	create(t, s, "/t/x/b", "") // in the way
	if err := s.Delete(t.Context(), "/t/x/b", -1); err != nil {
		t.Fatal(err)
	}
	err := subtree.Import(t.Context(), strings.NewReader(document), &subtree.Writer{Session: s, Target: "/t/x"})
	if session.Code(err) != wire.ErrNodeExists {
		t.Errorf("import over a node: %v", err)
	}
	if stat, err := s.Exists(t.Context(), "/t/x/b", false); stat != nil || err != nil {
		t.Errorf("the child was written all the same: %v", err)
	}
}
