package apply

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
	"holt/znode"
	"holt/znode/store"
)

// A store of a reconfigured ensemble, with a snapshot staged in it, founds another one: it is to be
// told its members, and knows of no staging.
func TestDisownRecords(t *testing.T) {
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
	commit := func(records []znode.Record) {
		t.Helper()
		tree.Begin(wire.MakeZxid(1, 1), 1)
		if err := tree.Prepare(0, records); err != nil {
			t.Fatal(err)
		}
		tree.Commit()
	}
	keys := [][]byte{[]byte(keyMembers), []byte(keyStaging), chunkKey(0), chunkKey(1)}
	staged := Staging{ID: Origin{Member: 1, Incarnation: 2, Seq: 3}, Bytes: 9, Received: 4, Chunks: 2}
	commit([]znode.Record{
		{Key: keys[0], Value: []byte{1}}, {Key: keys[1], Value: staged.appendTo(nil)},
		{Key: keys[2], Value: []byte("ab")}, {Key: keys[3], Value: []byte("cd")},
	})
	disown, err := DisownRecords(s)
	if err != nil {
		t.Fatal(err)
	}
	commit(append(disown, FoundingRecords(Saved{Zxid: wire.MakeZxid(2, 0)})...))
	for _, key := range keys {
		if b, err := s.Record(key); err != nil || b != nil {
			t.Errorf("record %q is %x, %v", key, b, err)
		}
	}
}
