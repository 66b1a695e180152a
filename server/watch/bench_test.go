package watch

import (
	"fmt"
	"runtime"
	"testing"

	"holt/wire"
)

// nobody is a watcher that does nothing; n makes it a pointer of its own.
type nobody struct{ n int }

func (w *nobody) Notify(*Event) {}

func watchersOf(n int) []*nobody {
	all := make([]*nobody, n)
	for i := range all {
		all[i] = &nobody{i}
	}
	return all
}

// BenchmarkTrigger is a change of a node and, for standard, setting the
// watches again, per watcher.
func BenchmarkTrigger(b *testing.B) {
	for _, kind := range []string{"standard", "persistent", "recursive"} {
		for _, n := range []int{1, 1000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				t, all := New(), watchersOf(n)
				c := &Change{Type: wire.EventNodeDataChanged, Path: "/services/one"}
				for _, w := range all {
					if kind != "standard" {
						t.AddPersistent("/services/one", kind == "recursive", w)
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					if kind == "standard" {
						for _, w := range all {
							t.AddData("/services/one", w)
						}
					}
					t.Trigger(c)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/watcher")
			})
		}
	}
}

// BenchmarkTriggerNobody is a creation and a change below which there are a
// million watches elsewhere, some of them recursive.
func BenchmarkTriggerNobody(b *testing.B) {
	t, all := New(), watchersOf(100)
	for i := range 10_000 {
		for _, w := range all {
			t.AddData(fmt.Sprintf("/elsewhere/%d", i), w)
		}
	}
	t.AddPersistent("/other", true, all[0])
	created := &Change{Type: wire.EventNodeCreated, Path: "/services/one/two/three"}
	changed := &Change{Type: wire.EventNodeDataChanged, Path: "/services/one/two/three"}
	b.ReportAllocs()
	for b.Loop() {
		t.Trigger(created)
		t.Trigger(changed)
	}
}

// TestTriggerAllocs: a change allocates nothing, watched or not.
func TestTriggerAllocs(t *testing.T) {
	table, w := New(), &nobody{}
	table.AddPersistent("/a", false, w)
	table.AddPersistent("/", true, w)
	for _, c := range []Change{
		{Type: wire.EventNodeDeleted, Path: "/a/b"},
		{Type: wire.EventNodeDataChanged, Path: "/a"},
		{Type: wire.EventNodeCreated, Path: "/c/d"},
	} {
		if n := testing.AllocsPerRun(100, func() { table.Trigger(&c) }); n != 0 {
			t.Errorf("%v %s: %v allocations", c.Type, c.Path, n)
		}
	}
}

// TestMemory: a million watches on ten thousand paths take less than 80 MB, and give it back.
func TestMemory(t *testing.T) {
	all := watchersOf(100)
	before := heap()
	table := New()
	for i := range 10_000 {
		path := fmt.Sprintf("/services/by-name/%d", i)
		for _, w := range all {
			table.AddData(path, w)
		}
	}
	if n := table.Counts().Data; n != 1_000_000 {
		t.Fatalf("%d watches", n)
	}
	used := heap() - before
	t.Logf("%d bytes per watch", used/1_000_000)
	if used > 80<<20 {
		t.Errorf("%d MB", used>>20)
	}
	for _, w := range all {
		table.RemoveAll(w)
	}
	if left := heap() - before; left > 1<<20 {
		t.Errorf("%d kB left of an empty table", left>>10)
	}
	runtime.KeepAlive(table)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
