package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holt/wire"
	"holt/znode/store"
	"holt/znode/znodetest"
)

// crashPoint is what a crash left on the disk, and what the store had promised by then.
type crashPoint struct {
	op      int
	fs      *vfs.MemFS
	durable uint64
}

// crasher takes crash points at every k-th operation that changes the disk.
type crasher struct {
	mu      sync.Mutex
	mem     *vfs.MemFS
	every   int
	rng     *rand.Rand
	ops     int
	durable uint64
	points  []crashPoint
}

func (c *crasher) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops++; c.ops%c.every == 0 {
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: c.rng.IntN(4) * 33, RNG: c.rng}
		c.points = append(c.points, crashPoint{c.ops, c.mem.CrashClone(cfg), c.durable})
	}
	return nil
}

func (c *crasher) String() string { return "crasher" }

func (c *crasher) promised(index uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.durable = max(c.durable, index)
}

// TestCrash runs random entries, takes the disk as a crash at each moment would leave it, and
// opens each: it must hold exactly the state after some entry, no earlier than Durable promised,
// and replaying the log from there must give the state that was lost.
func TestCrash(t *testing.T) {
	for i := range max(2, *seeds/4) {
		seed := rand.Uint64()
		if i == 0 {
			seed = 1
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { runCrash(t, seed) })
	}
}

func runCrash(t *testing.T, seed uint64) {
	checkLeaks(t)
	r := rand.New(rand.NewPCG(seed, 2))
	h := newHistory(seed, 250)
	c := &crasher{mem: vfs.NewCrashableMem(), every: 1, rng: rand.New(rand.NewPCG(seed, 3))}
	opts := options(r)
	opts.FS = errorfs.Wrap(c.mem, c)
	opts.MemTableBytes = 16 << 10 // flush often
	e := newEnv(t, opts)
	for _, cmds := range h.entries {
		if _, err := e.Do(cmds...); err != nil {
			t.Fatal(err)
		}
		if r.IntN(40) == 0 {
			if err := e.Store.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if r.IntN(5) == 0 {
			d, err := e.Store.Durable()
			if err != nil {
				t.Fatal(err)
			}
			c.promised(d)
		}
	}
	if err := e.Store.Close(); err != nil {
		t.Fatal(err)
	}
	behind := 0
	for _, p := range c.points {
		at := checkCrash(t, e, p, opts, h.dumps)
		if at < len(e.Log) {
			behind++
		}
	}
	if len(c.points) < 60 || behind < len(c.points)/2 {
		t.Errorf("%d crashes, %d with something to replay: too few to mean anything", len(c.points), behind)
	}
}

// history is what random commands make of a tree by the model.
type history struct {
	entries [][]znodetest.Command
	dumps   []string // before the first entry and after each
}

func newHistory(seed uint64, entries int) history {
	g, model := znodetest.NewGenerator(seed), znodetest.NewModel()
	h := history{dumps: []string{model.Dump()}}
	log := znodetest.Env{}
	for range entries {
		entry := log.Append(g.Entry())
		for k := range entry.Cmds {
			model.Run(entry.Zxid+wire.Zxid(k), entry.Now, &entry.Cmds[k])
		}
		h.entries = append(h.entries, entry.Cmds)
		h.dumps = append(h.dumps, model.Dump())
	}
	return h
}

// checkCrash opens what a crash left and returns the number of entries found.
func checkCrash(t *testing.T, lost *znodetest.Env, p crashPoint, opts store.Options, dumps []string) int {
	t.Helper()
	opts.FS = p.fs
	e := &znodetest.Env{Opts: opts, Dir: lost.Dir, Log: lost.Log}
	if err := e.Open(); err != nil {
		t.Fatalf("crash at operation %d: %v", p.op, err)
	}
	at := e.Applied
	if uint64(at) < p.durable {
		t.Fatalf("crash at operation %d: holds %d entries, %d were durable", p.op, at, p.durable)
	}
	checkDump(t, e, dumps[at])
	if last, err := e.Store.Record([]byte("last")); err != nil || string(last) != fmt.Sprint(at) && at > 0 {
		t.Fatalf("crash at operation %d: record %q, %v, after %d entries", p.op, last, err, at)
	}
	if err := e.Replay(); err != nil {
		t.Fatal(err)
	}
	checkDump(t, e, dumps[e.Applied])
	if err := e.Store.Close(); err != nil {
		t.Fatal(err)
	}
	return at
}

// TestDiskErrors makes the disk fail at each operation in turn. The store must say so, the
// readers must go on seeing the last entry that was committed, and what is on disk
// must be good for a fresh start.
func TestDiskErrors(t *testing.T) {
	h := newHistory(7, 300)
	for _, once := range []bool{false, true} {
		met, said := 0, 0
		for k := 0; ; k += 2 {
			hit, failed := runDiskError(t, h, k, once)
			if !hit {
				break
			}
			met++
			if failed {
				said++
			}
		}
		// The removal of a file no longer needed may fail without consequence.
		if met < 50 || said < met*3/4 {
			t.Errorf("%d errors injected, %d reported", met, said)
		}
	}
}

var errDisk = errors.New("disk is broken")

// breaker fails one operation that changes the disk, or all from it on.
type breaker struct {
	mu     sync.Mutex
	failAt int
	once   bool
	ops    int
	hit    bool
}

func (b *breaker) String() string { return "breaker" }

func (b *breaker) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ops++
	if b.ops-1 == b.failAt || b.ops > b.failAt && !b.once {
		b.hit = true
		return errDisk
	}
	return nil
}

// runDiskError returns whether the run lasted until the operation that was to
// fail, and whether the store reported it.
func runDiskError(t *testing.T, h history, failAt int, once bool) (hit, failed bool) {
	t.Helper()
	b := &breaker{failAt: failAt, once: once}
	mem := vfs.NewCrashableMem()
	opts := store.Options{FS: errorfs.Wrap(mem, b), MemTableBytes: 16 << 10, CacheBytes: 4 << 10, PageIndexMin: 3}
	e, err := znodetest.NewEnv(opts)
	var durable uint64
	if err == nil {
		durable, err = workUntilError(t, h, e)
		if err != nil && e.Store.Err() == nil {
			t.Fatalf("operation %d: error %v, but the store says it is well", failAt, err)
		}
		failed = e.Store.Err() != nil
		if cerr := e.Store.Close(); cerr != nil && !errors.Is(cerr, errDisk) {
			t.Fatalf("operation %d: close: %v", failAt, cerr)
		}
	} else if failed = true; e.Store != nil {
		_ = e.Store.Close() // the error is err
	}
	if err != nil && !errors.Is(err, errDisk) {
		t.Fatalf("operation %d: %v does not say what happened", failAt, err)
	}
	checkCrash(t, e, crashPoint{failAt, mem.CrashClone(vfs.CrashCloneCfg{}), durable}, opts, h.dumps)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hit, failed
}

// workUntilError applies the history, and checks what readers see when it ends. It returns
// the last durable index that the store has promised.
func workUntilError(t *testing.T, h history, e *znodetest.Env) (durable uint64, err error) {
	t.Helper()
	for i, cmds := range h.entries {
		if _, err = e.Do(cmds...); err != nil {
			break
		}
		if i%20 == 0 {
			if err = e.Store.Flush(); err != nil {
				break
			}
		}
		if d, err := e.Store.Durable(); err == nil {
			durable = d
		}
	}
	if d, err := e.Store.Durable(); err == nil {
		durable = d
	}
	checkDump(t, e, h.dumps[e.Applied])
	return durable, err
}
