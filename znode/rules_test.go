package znode_test

import (
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
	"holt/znode"
	"holt/znode/store"
)

func TestValidatePath(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a": true, "/a/b": true, "/a.b/..c/d..": true, "/...": true, "/.a": true, "/a b": true,
		"/é": true, "/\u00a0": true, "/\ud7ff": true, "/\uf900": true, "/\uffef": true, "/~": true,
		"": false, "a": false, "a/b": false, "//": false, "/a/": false, "/a//b": false, "//a": false,
		"/.": false, "/..": false, "/a/.": false, "/a/..": false, "/./a": false, "/../a": false, "/a/./b": false,
		"/\x00": false, "/a\x01": false, "/\x1f": false, "/\x7f": false, "/\u0080": false, "/\u009f": false,
		"/\ue000": false, "/\uf8ff": false, "/\ufff0": false, "/\uffff": false, "/\U00010000": false, "/\U0001f600": false,
		"/\xff": false, "/\xed\xa0\x80": false, "/\xc3": false,
	} {
		if got := znode.ValidatePath(path); got != want {
			t.Errorf("ValidatePath(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestPathParts(t *testing.T) {
	for _, tc := range []struct{ path, parent, base string }{
		{"/", "/", ""}, {"/a", "/", "a"}, {"/a/b", "/a", "b"}, {"/a/", "/a", ""}, {"a", "", "a"}, {"a/b", "a", "b"}, {"", "", ""},
	} {
		if p, b := znode.Parent(tc.path), znode.Base(tc.path); p != tc.parent || b != tc.base {
			t.Errorf("%q: parent %q, base %q; want %q, %q", tc.path, p, b, tc.parent, tc.base)
		}
	}
}

func TestOwner(t *testing.T) {
	for _, tc := range []struct {
		owner              znode.Owner
		session, container bool
		ttl                int64
	}{
		{0, false, false, -1},
		{1, true, false, -1},
		{-1 << 63, false, true, -1},
		{-1<<63 | 5, true, false, -1}, // a session of member 128
		{znode.OwnerTTL(1), false, false, 1},
		{znode.OwnerTTL(znode.TTLMax), false, false, znode.TTLMax},
		{0x7e00000000000000, true, false, -1},
		{-1 << 57, true, false, -1}, // top byte 0xfe
	} {
		ttl, ok := tc.owner.TTL()
		if !ok {
			ttl = -1
		}
		if tc.owner.IsSession() != tc.session || tc.owner.IsContainer() != tc.container || ttl != tc.ttl {
			t.Errorf("%#x: session %v, container %v, ttl %d", uint64(tc.owner), tc.owner.IsSession(), tc.owner.IsContainer(), ttl)
		}
		n := znode.Node{Owner: tc.owner}
		if got := n.Stat().EphemeralOwner; (got != 0) != tc.session {
			t.Errorf("%#x: shown as %#x", uint64(tc.owner), uint64(got))
		}
	}
}

// TestDigestVectors are those of reference 15.4.
func TestDigestVectors(t *testing.T) {
	system := znode.Node{Path: "/zookeeper", Data: []byte{}}
	root := znode.Node{Path: "/", Data: []byte{}}
	below := znode.Node{Path: "/zookeeper/quota"}
	if d := system.Digest(); d != 0x4db44d58 {
		t.Errorf("/zookeeper: %#x", d)
	}
	if d := system.Digest() + root.Digest() + below.Digest(); d != 0x51c6d660 {
		t.Errorf("fresh tree: %#x", d)
	}
	null := znode.Node{Path: "/", Data: nil}
	if null.Digest() != root.Digest() {
		t.Error("null data is skipped, and empty data adds nothing")
	}
}

func TestSequence(t *testing.T) {
	for seq, want := range map[int32]string{
		0: "p0000000000", 7: "p0000000007", 1234567890: "p1234567890", math.MaxInt32: "p2147483647",
		-1: "p-000000001", math.MinInt32: "p-2147483648",
	} {
		if got := znode.AppendSequence("p", seq); got != want {
			t.Errorf("%d: %q, want %q", seq, got, want)
		}
	}
}

func TestSASLScheme(t *testing.T) {
	const s = znode.SchemeSASL
	for id, want := range map[string]bool{
		"bob": true, "": true, "a/b": true, "a/b/c": true, "bob@R": true, "zk/h@R": true, "zk/@R": true, "@": true, "/@": true,
		"a@b@c": false, "a@b/c": false, "a/b/c@R": false,
	} {
		if _, ok := s.FixACL([]wire.ACL{{Identity: wire.Identity{Scheme: "sasl", ID: id}}}, nil); ok != want {
			t.Errorf("valid(%q) = %v, want %v", id, ok, want)
		}
	}
	for _, tc := range []struct {
		acl, have string
		want      bool
	}{{"bob", "bob", true}, {"bob", "alice", false}, {"bob", "super", true}, {"super", "bob", false}, {"", "bob", false}} {
		acl := []wire.ACL{{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "sasl", ID: tc.acl}}}
		ids := []wire.Identity{{Scheme: "sasl", ID: tc.have}}
		if got := s.AllowedBy(acl, wire.PermRead, ids); got != tc.want {
			t.Errorf("sasl:%s lets %s in: %v, want %v", tc.acl, tc.have, got, tc.want)
		}
		if znode.SchemesDefault.AllowedBy(acl, wire.PermRead, ids) {
			t.Errorf("sasl:%s lets %s in though sasl is no scheme", tc.acl, tc.have)
		}
	}
}

func TestIPScheme(t *testing.T) {
	const s = znode.SchemeIP
	valid := func(id string) bool {
		_, ok := s.FixACL([]wire.ACL{{Identity: wire.Identity{Scheme: "ip", ID: id}}}, nil)
		return ok
	}
	for id, want := range map[string]bool{
		"10.0.0.1": true, "10.0.0.1/8": true, "0.0.0.0/0": true, "10.0.0.1/32": true, "010.0.0.1": true, "+1.2.3.4": true,
		"::": true, "::1": true, "1::": true, "1:2:3:4:5:6:7:8": true, "fe80::1/64": true, "::/0": true, "1::/128": true,
		"": false, "10": false, "10.0.0": false, "10.0.0.1.2": false, "10.0.0.256": false, "10.0.0.-1": false, "10.0.0.x": false,
		"10.0.0.1/": false, "10.0.0.1/33": false, "10.0.0.1/-1": false, "10.0.0.1/8/8": false, "a.b.c.d": false, "localhost": false,
		":": false, ":::": false, "1::2::3": false, "1:2:3:4:5:6:7": false, "1:2:3:4:5:6:7:8:9": false, "1:2:3:4::5:6:7:8": false,
		"12345::": false, "g::": false, "::1/129": false, "::ffff:1.2.3.4": false, "fe80::1%eth0": false, "1:2:3:4:5:6:7:": false,
	} {
		if got := valid(id); got != want {
			t.Errorf("valid(%q) = %v, want %v", id, got, want)
		}
	}
	for _, tc := range []struct {
		acl, from string
		want      bool
	}{
		{"10.0.0.1", "10.0.0.1", true}, {"10.0.0.1", "10.0.0.2", false}, {"10.1.2.3/8", "10.9.9.9", true},
		{"10.0.0.0/8", "11.0.0.0", false}, {"10.0.0.128/25", "10.0.0.200", true}, {"10.0.0.128/25", "10.0.0.127", false},
		{"0.0.0.0/0", "1.2.3.4", true}, {"0.0.0.0/0", "::1", false}, {"::/0", "1.2.3.4", false}, {"::/0", "fe80::1", true},
		{"fe80::/10", "febf::1", true}, {"fe80::/10", "fec0::1", false}, {"2001:db8::1", "2001:db8:0:0:0:0:0:1", true},
		{"10.0.0.1", "not an address", false}, {"bad", "10.0.0.1", false},
	} {
		acl := []wire.ACL{{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "ip", ID: tc.acl}}}
		ids := []wire.Identity{{Scheme: "ip", ID: tc.from}}
		if got := s.AllowedBy(acl, wire.PermRead, ids); got != tc.want {
			t.Errorf("%s from %s: %v, want %v", tc.acl, tc.from, got, tc.want)
		}
		if (znode.SchemeDigest).AllowedBy(acl, wire.PermRead, ids) {
			t.Errorf("%s from %s: matched though the scheme is unknown", tc.acl, tc.from)
		}
	}
}

func TestQuotaText(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "count=-1,bytes=-1",
		"count=5,bytes=10": "count=5,bytes=10",
		"bytes=10":         "count=-1,bytes=10",
		"bytes=1;count=2":  "count=2,bytes=1",
		"count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=5": "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=5",
		"z=1,,;count=2,a=3,": "count=2,bytes=-1=;a=3;z=1",
		"count==5":           "count=-1,bytes=-1",
		"count=+5":           "count=5,bytes=-1",
		"rubbish":            "error", "count=": "error", "count=x": "error", ",count=1": "error", "count=1 ": "error",
	} {
		got, ok := znode.ParseTrack(text)
		if !ok {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestEmptyACL: an empty list, which only imported data has, lets everybody do everything, and one
// without permissions nobody but a superuser.
func TestEmptyACL(t *testing.T) {
	nobody, super := []wire.Identity{}, []wire.Identity{{Scheme: "super"}}
	var schemes znode.Schemes
	for _, empty := range [][]wire.ACL{nil, {}} {
		if !schemes.Allowed(znode.NewACL(empty), wire.PermAdmin, nobody) || !schemes.AllowedBy(empty, wire.PermRead, nobody) {
			t.Errorf("%#v: denied", empty)
		}
	}
	none := []wire.ACL{{Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}
	if schemes.Allowed(znode.NewACL(none), wire.PermRead, nobody) || !schemes.Allowed(znode.NewACL(none), wire.PermRead, super) {
		t.Error("a list without permissions: not as for a superuser alone")
	}
}

// TestCountersAtTheEnd brings each counter where it wraps or stops.
func TestCountersAtTheEnd(t *testing.T) {
	s, err := store.Open("tree", store.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	tree, err := znode.NewTree(s)
	if err != nil {
		t.Fatal(err)
	}
	by := &znode.Caller{Session: 1}
	tree.Begin(1, 10)
	create := func(path string, mode wire.CreateMode) (znode.Created, wire.ErrCode) {
		return tree.Create(by, &znode.CreateOp{Op: wire.OpCreate, Path: path, ACL: wire.OpenACL(), Flags: int32(mode)})
	}
	create("/a", 0)
	tree.SetCounters("/a", -2, math.MaxInt32-1, math.MaxInt32)
	if stat, _ := tree.SetData(by, "/a", nil, -2); stat.Version != 0 {
		t.Errorf("version after -2 is %d, want 0: -1 means any", stat.Version)
	}
	if stat, _ := tree.SetACL(by, "/a", wire.OpenACL(), math.MaxInt32); stat.Aversion != math.MinInt32 {
		t.Errorf("aversion after the largest is %d", stat.Aversion)
	}
	for i, want := range []string{"/a/x2147483646", "/a/x2147483647", ""} {
		tree.Begin(wire.Zxid(2+i), 10)
		made, code := create("/a/x", wire.ModePersistentSequential)
		if made.Path != want || (code == wire.ErrNodeExists) != (want == "") {
			t.Errorf("create %d: %q, %v; want %q", i, made.Path, code, want)
		}
	}
	n, err := tree.Peek("/a")
	if err != nil {
		t.Fatal(err)
	}
	if n.Cversion != math.MaxInt32 || n.Pzxid != 3 || n.Stat().Cversion != -4 {
		t.Errorf("parent has cversion %d, shown as %d, pzxid %v", n.Cversion, n.Stat().Cversion, n.Pzxid)
	}
}
