package zkfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"

	"holt/wire"
	"holt/znode"
)

// randomNodes makes a tree in which each node but the root hangs below an earlier one.
func randomNodes(r *rand.Rand, n int) (nodes []*znode.Node, lists []*znode.ACL) {
	lists = []*znode.ACL{
		znode.OpenACL(),
		znode.NewACL([]wire.ACL{{Perms: wire.PermRead, Identity: wire.Identity{Scheme: "ip", ID: "10.0.0.0/8"}}}),
		znode.NewACL(nil),
		znode.NewACL([]wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "digest", ID: "a:b"}}, {Perms: 1, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}),
	}
	for i := range n {
		path := znode.Root
		if i > 0 {
			parent := nodes[r.IntN(i)].Path
			if parent == znode.Root {
				parent = ""
			}
			path = fmt.Sprintf("%s/n%d", parent, i)
		}
		node := &znode.Node{
			Czxid: wire.Zxid(r.Int64()), Mzxid: wire.Zxid(r.Int64()), Pzxid: wire.Zxid(r.Int64()),
			Ctime: r.Int64(), Mtime: r.Int64(),
			Version: int32(r.Uint32()), Cversion: int32(r.Uint32()), Aversion: int32(r.Uint32()),
			Owner: znode.Owner(r.Uint64()), ACL: lists[r.IntN(len(lists))],
		}
		var data []byte
		switch r.IntN(4) {
		case 0:
		case 1:
			data = []byte{}
		case 2:
			data = bytes.Repeat([]byte("ab"), r.IntN(200))
		case 3:
			data = bytes.Repeat([]byte{byte(i)}, r.IntN(200_000))
		}
		node.SetContents(path, data)
		nodes = append(nodes, node)
	}
	return nodes, lists
}

func writeSnapshot(t testing.TB, head SnapshotHead, nodes []*znode.Node) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewSnapshotWriter(&buf, head)
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
	return buf.Bytes()
}

// readSnapshot reads all of b, or up to the first error.
func readSnapshot(b []byte) (nodes []*znode.Node, s *SnapshotReader, err error) {
	if s, err = NewSnapshotReader(bytes.NewReader(b)); err != nil {
		return nil, nil, err
	}
	for {
		n, err := s.Next()
		if errors.Is(err, io.EOF) {
			return nodes, s, nil
		}
		if err != nil {
			return nodes, s, err
		}
		nodes = append(nodes, n)
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	digest := &Digest{Zxid: 0x500000007, Version: 2, Value: 0xfedcba9876543210}
	for _, c := range []Compression{Plain, Gzip, Snappy} {
		for _, trailer := range []Trailer{{}, {Digest: digest}, {LastZxid: 9}, {Digest: digest, LastZxid: 0x500000008}} {
			nodes, lists := randomNodes(r, 200)
			sessions := []Session{{ID: 0x100000000000001, TimeoutMillis: 4000}, {ID: -5, TimeoutMillis: 40000}}
			b := writeSnapshot(t, SnapshotHead{Sessions: sessions, Lists: lists, Digest: trailer.Digest, LastZxid: trailer.LastZxid, Compression: c}, nodes)
			got, s, err := readSnapshot(b)
			if err != nil {
				t.Fatalf("%q, %+v: %v", c, trailer, err)
			}
			if len(got) != len(nodes) {
				t.Fatalf("%q: %d nodes, want %d", c, len(got), len(nodes))
			}
			for i := range got {
				if g, w := describe(got[i]), describe(nodes[i]); g != w {
					t.Fatalf("%q: node %d:\n%s\nwant\n%s", c, i, g, w)
				}
			}
			if !reflect.DeepEqual(s.Sessions(), sessions) || !reflect.DeepEqual(s.Trailer(), trailer) {
				t.Errorf("%q: sessions %v, trailer %+v, want %v, %+v", c, s.Sessions(), s.Trailer(), sessions, trailer)
			}
		}
	}
}

// describe is all that a file says of a node.
func describe(n *znode.Node) string {
	data := "null"
	if n.Data != nil {
		data = fmt.Sprintf("%d bytes %.20q", len(n.Data), n.Data)
	}
	return fmt.Sprintf("%s %s acl %v zxids %s %s %s times %d %d versions %d %d %d owner 0x%x", n.Path, data, n.ACL.Entries(),
		n.Czxid, n.Mzxid, n.Pzxid, n.Ctime, n.Mtime, n.Version, n.Cversion, n.Aversion, uint64(n.Owner))
}

// A snapshot that ends early, or of which any bit is wrong, is refused. Where it
// ends with the first or second seal nothing is missing that a version must write.
func TestSnapshotDamage(t *testing.T) {
	nodes, lists := randomNodes(rand.New(rand.NewPCG(3, 4)), 12)
	for _, n := range nodes {
		n.SetContents(n.Path, []byte("data"))
	}
	whole := writeSnapshot(t, SnapshotHead{Sessions: []Session{{1, 2}}, Lists: lists, Digest: &Digest{1, 2, 3}, LastZxid: 4}, nodes)
	seals := map[int]bool{len(whole): true, len(whole) - 21: true, len(whole) - 21 - 33: true}
	for cut := range whole {
		_, _, err := readSnapshot(whole[:cut])
		if seals[cut] != (err == nil) {
			t.Errorf("cut at %d of %d: %v", cut, len(whole), err)
		}
		if err != nil && !errors.As(err, new(*DamageError)) {
			t.Errorf("cut at %d: not a DamageError: %v", cut, err)
		}
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		if _, _, err := readSnapshot(b); err == nil {
			t.Errorf("byte %d of %d flipped: no error", i, len(whole))
		}
	}
	_, _, err := readSnapshot(append(bytes.Clone(whole), make([]byte, 100)...))
	if err == nil {
		t.Error("bytes after the end: no error")
	}
}

func TestSnapshotNotOne(t *testing.T) {
	for _, in := range []string{"", "ZK", "ZKLG\x00\x00\x00\x02aaaaaaaa", "ZKSN\x00\x00\x00\x03aaaaaaaa", "\x1f\x8bnot gzip", "\x82SNAPPY\x00\x00"} {
		_, _, err := readSnapshot([]byte(in))
		if d := (*DamageError)(nil); !errors.As(err, &d) {
			t.Errorf("%q: %v, want a DamageError", in, err)
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	nodes, lists := randomNodes(rand.New(rand.NewPCG(5, 6)), 5)
	for _, n := range nodes {
		n.SetContents(n.Path, []byte("data"))
	}
	for _, c := range []Compression{Plain, Gzip, Snappy} {
		f.Add(writeSnapshot(f, SnapshotHead{Sessions: []Session{{1, 2}}, Lists: lists, Digest: &Digest{1, 2, 3}, LastZxid: 4, Compression: c}, nodes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		nodes, s, err := readSnapshot(b)
		if err != nil {
			return
		}
		// What can be read can be written and read again.
		var lists []*znode.ACL
		for _, n := range nodes {
			lists = append(lists, n.ACL)
		}
		again, _, err := readSnapshot(writeSnapshot(t, SnapshotHead{Sessions: s.Sessions(), Lists: lists}, nodes))
		if err != nil || len(again) != len(nodes) {
			t.Fatalf("%d nodes, read again %d: %v", len(nodes), len(again), err)
		}
	})
}

func BenchmarkReadSnapshot(b *testing.B) {
	nodes, lists := randomNodes(rand.New(rand.NewPCG(7, 8)), 100_000)
	for _, n := range nodes {
		n.SetContents(n.Path, []byte("a hundred bytes are what a node has in most measurements, so this one has about as many as that"))
	}
	file := writeSnapshot(b, SnapshotHead{Lists: lists}, nodes)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, _, err := readSnapshot(file); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(nodes)), "ns/node")
}
