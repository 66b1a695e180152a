package store_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/wire"
	"holt/znode"
	"holt/znode/store"
)

// The benchmarks count operations, a hundred of which make an entry.
const perEntry = 100

type bench struct {
	*testing.B
	s       *store.Store
	tree    *znode.Tree
	by      *znode.Caller
	applied uint64
	zxid    wire.Zxid
	data    []byte
	acl     []wire.ACL
}

func newBench(b *testing.B, opts store.Options) *bench {
	b.Helper()
	dir := "tree"
	if opts.FS == nil {
		dir, opts.FS = b.TempDir(), vfs.Default
	}
	s, err := store.Open(dir, opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	tree, err := znode.NewTree(s)
	if err != nil {
		b.Fatal(err)
	}
	r := &bench{B: b, s: s, tree: tree, by: &znode.Caller{Session: 1}, zxid: 1 << 32, data: make([]byte, 100), acl: wire.OpenACL()}
	for i := range r.data {
		r.data[i] = byte(rand.Uint32())
	}
	r.create("/bench", 0)
	r.commit()
	return r
}

func (r *bench) begin() {
	r.zxid++
	r.tree.Begin(r.zxid, 1_700_000_000_000+int64(r.zxid&0xffffff))
}

func (r *bench) create(path string, flags int32) {
	r.begin()
	if _, code := r.tree.Create(r.by, &znode.CreateOp{Op: wire.OpCreate2, Path: path, Data: r.data, ACL: r.acl, Flags: flags}); code != wire.OK {
		r.Fatalf("create %s: %v", path, code)
	}
}

func (r *bench) commit() {
	r.applied++
	if err := r.tree.Prepare(r.applied, nil); err != nil {
		r.Fatal(err)
	}
	r.tree.Commit()
}

// cpu is the CPU time of the process so far, flushes and compactions included.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// each runs op perEntry times per entry.
func (r *bench) each(op func(i int)) {
	i := 0
	r.ReportAllocs()
	start := cpu()
	defer func() { r.ReportMetric(float64(cpu()-start)/float64(r.N), "cpu-ns/op") }()
	for r.Loop() {
		op(i)
		if i++; i%perEntry == 0 {
			r.commit()
		}
	}
	r.commit()
}

func BenchmarkCreateSequential(b *testing.B) {
	r := newBench(b, store.Options{})
	r.each(func(int) { r.create("/bench/n-", int32(wire.ModePersistentSequential)) })
}

// BenchmarkCreateStreams has twenty clients that each count up on their own.
func BenchmarkCreateStreams(b *testing.B) {
	r := newBench(b, store.Options{})
	r.each(func(i int) { r.create(fmt.Sprintf("/bench/c%02d-%08d", i%20, i/20), 0) })
}

func BenchmarkCreateRandom(b *testing.B) {
	r := newBench(b, store.Options{})
	r.each(func(i int) { r.create(fmt.Sprintf("/bench/%016x", rand.Uint64()), 0) })
}

func BenchmarkCreateEphemeral(b *testing.B) {
	r := newBench(b, store.Options{})
	r.each(func(i int) {
		r.by.Session = wire.SessionID(i % 1000)
		r.create("/bench/n-", int32(wire.ModeEphemeralSequential))
	})
}

func (r *bench) fill(n int) []string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("/bench/n%08d", i)
		r.create(paths[i], 0)
		if i%perEntry == 0 {
			r.commit()
		}
	}
	r.commit()
	return paths
}

func BenchmarkSet(b *testing.B) {
	for _, n := range []int{1, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			r := newBench(b, store.Options{})
			paths := r.fill(n)
			r.each(func(int) {
				r.begin()
				if _, code := r.tree.SetData(r.by, paths[rand.IntN(n)], r.data, -1); code != wire.OK {
					b.Fatal(code)
				}
			})
		})
	}
}

func BenchmarkCreateDelete(b *testing.B) {
	r := newBench(b, store.Options{})
	r.fill(10000)
	r.each(func(i int) {
		path := fmt.Sprintf("/bench/x%08d", i/2)
		if i%2 == 0 {
			r.create(path, 0)
			return
		}
		r.begin()
		if code := r.tree.Delete(r.by, path, -1); code != wire.OK {
			b.Fatal(code)
		}
	})
}

func BenchmarkGetHit(b *testing.B) {
	r := newBench(b, store.Options{})
	paths := r.fill(10_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % len(paths)
		if n, err := r.tree.Get(paths[i]); n == nil || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkGetHitParallel(b *testing.B) {
	r := newBench(b, store.Options{})
	paths := r.fill(10_000)
	b.RunParallel(func(pb *testing.PB) {
		i := rand.IntN(len(paths))
		for pb.Next() {
			i = (i + 7919) % len(paths)
			if n, err := r.tree.Get(paths[i]); n == nil || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}

func BenchmarkGetMiss(b *testing.B) {
	r := newBench(b, store.Options{CacheBytes: 1 << 20})
	paths := r.fill(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		if n, err := r.tree.Get(paths[rand.IntN(len(paths))]); n == nil || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkGetAbsent(b *testing.B) {
	r := newBench(b, store.Options{})
	paths := r.fill(1_000_000)
	for i := range paths[:10000] {
		paths[i] = paths[rand.IntN(len(paths))] + "x"
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % 10000
		if n, err := r.tree.Get(paths[i]); n != nil || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{3, 1_000_000} {
		b.Run(fmt.Sprintf("children=%d", n), func(b *testing.B) {
			r := newBench(b, store.Options{})
			r.fill(n)
			b.ReportAllocs()
			for b.Loop() {
				it, err := r.tree.OpenChildren("/bench")
				if err != nil {
					b.Fatal(err)
				}
				got := 0
				for _, ok := it.Next(); ok; _, ok = it.Next() {
					got++
				}
				if err := it.Close(); err != nil || got != n {
					b.Fatal(got, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/child")
		})
	}
}
