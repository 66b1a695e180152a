package store_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"holt/znode/store"
	"holt/znode/znodetest"
)

var seeds = flag.Int("seeds", 12, "number of random runs")

// options vary the sizes at which things happen; most make them happen all the time.
func options(r *rand.Rand) store.Options {
	return store.Options{
		CacheBytes:      []int64{1, 4 << 10, 64 << 10, 8 << 20}[r.IntN(4)],
		MemTableBytes:   []int64{64 << 10, 256 << 10}[r.IntN(2)],
		BlockCacheBytes: 1 << 20,
		PageIndexMin:    []int{2, 5, 1000}[r.IntN(3)],
	}
}

// TestRandom compares the tree with the naive model, command by command, and its
// whole state now and then, over restarts.
func TestRandom(t *testing.T) {
	for i := range *seeds {
		seed := rand.Uint64()
		if i == 0 {
			seed = 1
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { runRandom(t, seed, 400) })
	}
}

// checkLeaks fails the test if it leaves goroutines behind. Not for TestMain: a store
// whose disk has failed leaves some by design, see seal.
func checkLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// newEnv opens a tree, and closes it with the test.
func newEnv(t *testing.T, opts store.Options) *znodetest.Env {
	t.Helper()
	e, err := znodetest.NewEnv(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Store.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func runRandom(t *testing.T, seed uint64, entries int) {
	checkLeaks(t)
	g, r := znodetest.NewGenerator(seed), rand.New(rand.NewPCG(seed, 1))
	e := newEnv(t, options(r))
	model := znodetest.NewModel()
	for i := range entries {
		got, err := e.Do(g.Entry()...)
		if err != nil {
			t.Fatal(err)
		}
		entry := e.Log[len(e.Log)-1]
		for k := range entry.Cmds {
			want := model.Run(entry.Zxid, entry.Now, &entry.Cmds[k])
			entry.Zxid++
			if !reflect.DeepEqual(got[k], want) {
				t.Fatalf("entry %d, %+v\n got %+v\nwant %+v", i, entry.Cmds[k], got[k], want)
			}
		}
		if r.IntN(15) == 0 {
			if err := e.Store.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if r.IntN(20) == 0 {
			if err := e.Restart(); err != nil {
				t.Fatal(err)
			}
		}
		if r.IntN(10) == 0 || i == entries-1 {
			checkDump(t, e, model.Dump())
		}
	}
}

func checkDump(t *testing.T, e *znodetest.Env, want string) {
	t.Helper()
	got, err := e.Dump()
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("after entry %d:\n%s", e.Applied, firstDifference(got, want))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1,
				strings.Join(g[i:min(i+3, len(g))], "\n     "), strings.Join(w[min(i, len(w)):min(i+3, len(w))], "\n     "))
		}
	}
	return fmt.Sprintf("lines are missing: %q", w[len(g):])
}
