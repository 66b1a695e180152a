package server

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"holt/server/apply"
	"holt/session"
	"holt/wire"
	"holt/znode"
	"holt/znode/store"
)

// foundOne builds a tree with one node and one session.
func foundOne(fs vfs.FS) func(string) error { return foundOf(fs, "import") }

func foundOf(fs vfs.FS, origin string) func(string) error {
	return func(dir string) (err error) {
		s, err := store.Open(dir, store.Options{FS: fs})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		tree, err := znode.NewTree(s)
		if err != nil {
			return err
		}
		tree.Begin(wire.MakeZxid(7, 9), 1000)
		if code := tree.ReplayCreate("/a", []byte("there"), wire.OpenACL(), 0, -1); code != wire.OK {
			return code
		}
		facts := session.Facts{ID: 0x100000000000005, Passwd: session.ZooKeeperPasswd(0x100000000000005), TimeoutMillis: 40_000, Attached: 1}
		err = tree.Prepare(0, apply.FoundingRecords(apply.Saved{
			Zxid: wire.MakeZxid(7, 9), TimeMillis: 1000, Sessions: []session.Facts{facts}, Origin: [apply.OriginSize]byte([]byte(origin)),
		}))
		if err == nil {
			tree.Commit()
		}
		return err
	}
}

// A member starts on what Found made, in the epoch after it, with its sessions.
func TestFound(t *testing.T) {
	fs := vfs.NewMem()
	if err := Found(fs, "data", "", foundOne(fs)); err != nil {
		t.Fatal(err)
	}
	if err := Found(fs, "data", "", foundOne(fs)); !errors.Is(err, ErrInUse) {
		t.Errorf("a second time: %v, want %v", err, ErrInUse)
	}
	s := newServer(t, func(c *Config) { c.FS = fs })
	passwd := session.ZooKeeperPasswd(0x100000000000005)
	c := connect(t, s, wire.ConnectRequest{SessionID: 0x100000000000005, Passwd: passwd[:], LastZxidSeen: wire.MakeZxid(7, 9), TimeoutMillis: 40_000})
	if c.session.SessionID != 0x100000000000005 {
		t.Fatalf("session %s", c.session.SessionID)
	}
	s.machine.RLock()
	defer s.machine.RUnlock()
	n, err := s.machine.Tree().Get("/a")
	if err != nil || n == nil || n.Czxid != wire.MakeZxid(7, 9) {
		t.Errorf("node %+v, %v", n, err)
	}
	if z := s.machine.LastZxid(); z.Epoch() != 8 {
		t.Errorf("zxid %s, want epoch 8", z)
	}
}

// Members that were founded from different data, or from none, do not take part, and say why.
func TestFoundDifferently(t *testing.T) {
	for _, other := range []string{"", "backup"} {
		t.Run(other, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				e := newTestEnsembleUnready(t, func(id uint64, cfg *Config) {
					origin := "import"
					if id == 3 {
						origin = other
						cfg.Logger = zap.New(core)
					}
					if origin == "" {
						return
					}
					if err := Found(cfg.FS, cfg.DataDir, "", foundOf(cfg.FS, origin)); err != nil {
						t.Fatal(err)
					}
				})
				<-e.servers[1].Ready()
				<-e.servers[2].Ready()
				time.Sleep(time.Minute)
				select {
				case <-e.servers[3].Ready():
					t.Error("the stranger takes part")
				default:
				}
				if s := e.servers[3]; s.machine.LastZxid().Epoch() > 7 {
					t.Errorf("the stranger has applied entries: zxid %s", s.machine.LastZxid())
				}
				var said []string
				for _, l := range logs.All() {
					said = append(said, fmt.Sprint(l.Message, l.ContextMap()))
				}
				if !strings.Contains(strings.Join(said, "\n"), "began with different imports") {
					t.Errorf("the stranger said %q", said)
				}
			})
		})
	}
}

// Whenever the power fails, there is either a whole tree or what no member starts on and
// Found begins anew with.
func TestFoundCrash(t *testing.T) {
	for step := int32(0); ; step++ {
		mem := vfs.NewCrashableMem()
		if err := mem.MkdirAll("/", 0o755); err != nil {
			t.Fatal(err)
		}
		var crashed *vfs.MemFS
		left := step
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || crashed != nil {
				return nil
			}
			if left--; left < 0 {
				crashed = mem.CrashClone(vfs.CrashCloneCfg{})
			}
			return nil
		}))
		if err := Found(fs, "data", "", foundOne(fs)); err != nil {
			t.Fatal(err)
		}
		if crashed == nil {
			t.Logf("%d steps", step)
			return
		}
		whole := check(t, crashed, step)
		if whole {
			continue
		}
		if err := Found(crashed, "data", "", foundOne(crashed)); err != nil {
			t.Fatalf("step %d: again: %v", step, err)
		}
		if !check(t, crashed, step) {
			t.Fatalf("step %d: again: not whole", step)
		}
	}
}

// check opens the tree, if a member would start on it, and reports whether it is whole; a
// member that would start on anything else fails the test.
func check(t *testing.T, fs vfs.FS, step int32) bool {
	t.Helper()
	st := treeState{fs: fs, dir: "data", opts: store.Options{FS: fs}, failed: func(error) {}}
	half := refuseHalfFounded(fs, "data")
	number, err := st.readCurrent()
	if err != nil {
		t.Fatalf("step %d: %v", step, err)
	}
	if half != nil || number == 0 {
		if names, err := fs.List("data"); half == nil && err == nil && len(names) > 0 {
			t.Fatalf("step %d: a member would start empty beside %v", step, names)
		}
		return false
	}
	if err := st.open(); err != nil {
		t.Fatalf("step %d: %v", step, err)
	}
	n, err := st.store.Node("/a")
	if err != nil || n == nil {
		t.Fatalf("step %d: node %v, %v", step, n, err)
	}
	saved, err := apply.ReadSaved(st.store)
	if err != nil || len(saved.Sessions) != 1 {
		t.Fatalf("step %d: %+v, %v", step, saved, err)
	}
	if err := st.close(); err != nil {
		t.Fatal(err)
	}
	return true
}

// An error leaves nothing that looks like data.
func TestFoundError(t *testing.T) {
	fs := vfs.NewMem()
	full := fmt.Errorf("no space left on device")
	err := Found(fs, "data", "", func(dir string) error {
		return errors.Join(foundOne(fs)(dir), full)
	})
	if !errors.Is(err, full) {
		t.Fatalf("%v", err)
	}
	if names, err := fs.List("data"); err != nil || len(names) > 0 {
		t.Errorf("left %v, %v", names, err)
	}
}
