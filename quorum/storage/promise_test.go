package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestPromiseAfterLazyWrite is about a vote that goes along with a batch that need
// not be synced, and is told to somebody only later: then it has to be on disk.
// (Found by seed 403 of quorumtest's simulation.)
func TestPromiseAfterLazyWrite(t *testing.T) {
	disk := vfs.NewCrashableMem()
	l, err := Open("log", small(disk))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Found(Identity{Member: 1}, conf(1, 1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	vote := Hard{Term: 3, Vote: 2, Commit: 1}
	for _, w := range []Write{
		{Hard: &vote, Peer: &Identity{Member: 2, Store: [16]byte{7}}}, // nothing to sync
		{Hard: &vote, Sync: true},                                     // the same, and told
	} {
		if err := l.Write(w); err != nil {
			t.Fatal(err)
		}
	}
	image := disk.CrashClone(vfs.CrashCloneCfg{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := Open("log", small(image))
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if got := after.HardState(); got.Term != vote.Term || got.Vote != vote.Vote {
		t.Errorf("after the power failed: term %d, vote for %d; told: %+v", got.Term, got.Vote, vote)
	}
}
