package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
	"holt/znode"
	"holt/znode/store"
	"holt/znode/znodetest"
)

// TestDeferred: entries that only change values are seen at once, durable after a Flush, and
// there after the next Open as after a crash.
func TestDeferred(t *testing.T) {
	checkLeaks(t)
	fs := vfs.NewCrashableMem()
	e := newEnv(t, store.Options{FS: fs, CacheBytes: 1}) // nothing is cached
	do := func(c znodetest.Command) {
		t.Helper()
		if r, err := e.Do(c); err != nil || r[0].Code != wire.OK {
			t.Fatal(r, err)
		}
	}
	by := znodetest.Command{Version: -1, ACL: wire.OpenACL()}
	create, set := by, by
	create.Op, create.Path, create.Data = wire.OpCreate, "/a", []byte("first")
	do(create)
	if err := e.Store.Flush(); err != nil {
		t.Fatal(err)
	}
	set.Op, set.Path = wire.OpSetData, "/a"
	for i := range 10 {
		set.Data = fmt.Appendf(nil, "%d", i)
		do(set)
		if n, err := e.Tree.Get("/a"); err != nil || string(n.Data) != string(set.Data) || n.Version != int32(i+1) {
			t.Fatalf("after set %d: %+v, %v", i, n, err)
		}
	}
	if d, err := e.Store.Durable(); d > 2 || err != nil {
		t.Errorf("durable up to %d, %v before the flush", d, err)
	}
	if err := e.Store.Flush(); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Store.Durable(); d != 11 || err != nil {
		t.Errorf("durable up to %d, %v after the flush", d, err)
	}
	crashed := &znodetest.Env{Opts: e.Opts, Dir: e.Dir}
	crashed.Opts.FS = fs.CrashClone(vfs.CrashCloneCfg{})
	if err := crashed.Open(); err != nil {
		t.Fatal(err)
	}
	if n, err := crashed.Tree.Get("/a"); err != nil || string(n.Data) != "9" || crashed.Applied != 11 {
		t.Errorf("after the crash %+v, %v, %d entries", n, err, crashed.Applied)
	}
	if err := crashed.Store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDeferredRecords: the records are the same whether they have reached the database or not.
func TestDeferredRecords(t *testing.T) {
	checkLeaks(t)
	e := newEnv(t, store.Options{FS: vfs.NewMem()})
	applied := uint64(0)
	commit := func(records ...string) {
		t.Helper()
		var rs []znode.Record
		for _, r := range records {
			rec := znode.Record{Key: []byte(r[:2])}
			if len(r) > 2 {
				rec.Value = []byte(r[2:])
			}
			rs = append(rs, rec)
		}
		applied++
		if err := e.Tree.Prepare(applied, rs); err != nil {
			t.Fatal(err)
		}
		e.Tree.Commit()
	}
	commit("b1one", "b3two", "b5three", "c1other")
	if err := e.Restart(); err != nil {
		t.Fatal(err)
	}
	commit("b0zero", "b1", "b3new", "b4four", "b9nine")
	commit("b4", "b8eight")
	check := func(when string) {
		t.Helper()
		var got []string
		err := e.Store.EachRecord([]byte("b"), func(key, value []byte) error {
			got = append(got, string(key)+string(value))
			return nil
		})
		if want := []string{"b0zero", "b3new", "b5three", "b8eight", "b9nine"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", when, got, err, want)
		}
		for key, want := range map[string]string{"b1": "", "b3": "new", "b5": "three"} {
			if got, err := e.Store.Record([]byte(key)); string(got) != want || err != nil {
				t.Errorf("%s: record %s is %q, %v, want %q", when, key, got, err, want)
			}
		}
	}
	check("deferred")
	stop := errors.New("stop")
	if err := e.Store.EachRecord(nil, func([]byte, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want what visit returned", err)
	}
	if err := e.Restart(); err != nil {
		t.Fatal(err)
	}
	check("on disk")
}

// TestFlushMeanwhile flushes from a goroutine of its own while entries are applied, as a member
// does. What is on disk must be the state after some entry all the time.
func TestFlushMeanwhile(t *testing.T) {
	checkLeaks(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := newHistory(seed, 400)
	fs := vfs.NewCrashableMem()
	opts := store.Options{FS: fs, CacheBytes: 4 << 10, MemTableBytes: 64 << 10, PageIndexMin: 3}
	e := newEnv(t, opts)
	var flusher sync.WaitGroup
	done, flushed := make(chan struct{}), make(chan struct{})
	var points []crashPoint
	flusher.Go(func() {
		defer close(flushed)
		for {
			if err := e.Store.Flush(); err != nil {
				t.Error(err)
				return
			}
			d, err := e.Store.Durable()
			if err != nil {
				t.Error(err)
				return
			}
			points = append(points, crashPoint{len(points), fs.CrashClone(vfs.CrashCloneCfg{}), d})
			select {
			case <-done:
				return
			case flushed <- struct{}{}:
			default:
			}
		}
	})
	for i, cmds := range h.entries {
		if i%100 == 50 {
			<-flushed // however the goroutines are scheduled, some end in between
		}
		if _, err := e.Do(cmds...); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	flusher.Wait()
	checkDump(t, e, h.dumps[len(h.entries)])
	for _, p := range points {
		checkCrash(t, e, p, opts, h.dumps)
	}
	if last := points[len(points)-1]; last.durable == 0 || len(points) < 3 {
		t.Errorf("%d flushes, durable up to %d: too few to mean anything", len(points), last.durable)
	}
}
