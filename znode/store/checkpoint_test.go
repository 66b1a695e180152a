package store_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/znode/store"
	"holt/znode/znodetest"
)

// TestCheckpoint takes a copy in the middle and goes on; the copy must be the state of then, and lead
// to the same state as the original by the same entries.
func TestCheckpoint(t *testing.T) {
	checkLeaks(t)
	h := newHistory(3, 200)
	e := newEnv(t, store.Options{FS: vfs.NewMem(), MemTableBytes: 64 << 10, PageIndexMin: 3})
	const at = 100
	for i, cmds := range h.entries {
		if i == at {
			if err := e.Store.Checkpoint("copy"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.Do(cmds...); err != nil {
			t.Fatal(err)
		}
	}
	checkDump(t, e, h.dumps[len(h.entries)])
	c := &znodetest.Env{Opts: e.Opts, Dir: "copy", Log: e.Log}
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	if c.Applied != at {
		t.Fatalf("copy holds %d entries, want %d", c.Applied, at)
	}
	if d, err := c.Store.Durable(); d != at || err != nil {
		t.Fatalf("copy is durable up to %d, %v", d, err)
	}
	checkDump(t, c, h.dumps[at])
	if err := c.Replay(); err != nil {
		t.Fatal(err)
	}
	checkDump(t, c, h.dumps[len(h.entries)])
	if err := e.Store.Checkpoint("copy"); err == nil {
		t.Error("a checkpoint over another one went through")
	}
	if err := c.Store.Close(); err != nil {
		t.Fatal(err)
	}
}
