package quorum_test

import (
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"holt/quorum"
	"holt/quorum/quorumtest"
	"holt/quorum/storage"
)

// beforeEach calls f before each changing operation, with its number.
type beforeEach struct {
	n atomic.Int64
	f func(n int64)
}

func (b *beforeEach) String() string { return "before each" }

func (b *beforeEach) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		b.f(b.n.Add(1))
	}
	return nil
}

// TestInstallCrash installs a snapshot and takes an image of the disk before
// each operation: each one must start, with the state of before or the one of the
// snapshot, and the log that goes with it.
func TestInstallCrash(t *testing.T) {
	// A checkpoint of a member that has applied 50 entries.
	source, err := quorumtest.OpenMachine(vfs.NewMem(), "source")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, source, 2, 51)
	disk := vfs.NewCrashableMem()
	target, err := quorumtest.OpenMachine(disk, "source")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, target, 2, 51)
	if err := storage.MkdirAll(disk, "in-1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := target.Checkpoint("in-1"); err != nil {
		t.Fatal(err)
	}

	var images []*vfs.MemFS
	watch := &beforeEach{f: func(int64) { images = append(images, disk.CrashClone(vfs.CrashCloneCfg{})) }}
	vol := errorfs.Wrap(disk, watch)
	log, sm := openBoth(t, vol)
	if err := quorum.Found(log, storage.Identity{Member: 1}, []quorum.MemberConfig{{ID: 1}, {ID: 2}}); err != nil {
		t.Fatal(err)
	}
	var ents []*raftpb.Entry
	for i := uint64(2); i <= 10; i++ {
		ents = append(ents, &raftpb.Entry{Index: new(i), Term: new(uint64(1)), Type: raftpb.EntryNormal.Enum(), Data: []byte("x")})
	}
	if err := log.Write(storage.Write{Entries: ents, Hard: &storage.Hard{Term: 1, Commit: 10}}); err != nil {
		t.Fatal(err)
	}
	apply(t, sm, 2, 10)
	if err := sm.Flush(); err != nil {
		t.Fatal(err)
	}
	before := len(images)

	conf, _ := log.ConfAt(10)
	conf.Index = 51
	in := &storage.Install{Index: 51, Term: 1, Dir: "in-1"}
	if err := log.Write(storage.Write{Install: in, Confs: []storage.Conf{conf}, Hard: &storage.Hard{Term: 2, Commit: 51}}); err != nil {
		t.Fatal(err)
	}
	if err := sm.Restore("in-1"); err != nil {
		t.Fatal(err)
	}
	if err := log.EndInstall(); err != nil {
		t.Fatal(err)
	}
	images = append(images[before:], disk.CrashClone(vfs.CrashCloneCfg{}))
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	old, repeated, new := 0, 0, 0
	for i, image := range images {
		log, sm := openBoth(t, image)
		if _, ok := log.PendingInstall(); ok {
			repeated++
		}
		if err := quorum.FinishInstall(log, sm); err != nil {
			t.Fatalf("image %d: %v", i, err)
		}
		first, _ := log.FirstIndex()
		switch sm.Applied() {
		case 10:
			if old++; first != 2 {
				t.Errorf("image %d: old state, log from %d", i, first)
			}
		case 51:
			new++
			_, want := source.Digest()
			if _, digest := sm.Digest(); digest != want || first != 52 {
				t.Errorf("image %d: digest %x, want %x, log from %d", i, digest, want, first)
			}
		default:
			t.Errorf("image %d: applied %d", i, sm.Applied())
		}
		if _, err := quorum.NewCore(quorum.CoreConfig{
			ID: 1, Log: log, Applied: sm.Applied(), ElectionTicks: 10, HeartbeatTicks: 1, MaxInflight: 1, Logger: zap.NewNop(),
		}); err != nil {
			t.Errorf("image %d: %v", i, err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d images: %d old, %d new, %d of them by repetition", len(images), old, new, repeated)
	if old == 0 || new == 0 || repeated == 0 {
		t.Error("not all cases were met")
	}
}

func apply(t *testing.T, sm *quorumtest.Machine, from, to uint64) {
	t.Helper()
	for i := from; i <= to; i++ {
		if err := sm.Apply([]quorum.Entry{{Index: i, Term: 1, Data: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
	}
}

func openBoth(t *testing.T, vol vfs.FS) (*storage.Log, *quorumtest.Machine) {
	t.Helper()
	sm, err := quorumtest.OpenMachine(vol, "state")
	if err != nil {
		t.Fatal(err)
	}
	log, err := storage.Open("log", storage.Options{FS: vol, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	return log, sm
}
