package watch

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"holt/wire"
)

// original is ZooKeeper's pair of watch managers, as plainly as can be: what modes
// each watcher has on each path.
type original struct{ data, child map[string]map[Watcher]modes }

type modes struct{ standard, persistent, recursive bool }

func (o *original) edit(table map[string]map[Watcher]modes, path string, w Watcher, f func(*modes)) (changed bool) {
	before := table[path][w]
	m := before
	f(&m)
	if table[path] == nil {
		table[path] = map[Watcher]modes{}
	}
	table[path][w] = m
	if m == (modes{}) {
		delete(table[path], w)
	}
	if len(table[path]) == 0 {
		delete(table, path)
	}
	return m != before
}

func (o *original) trigger(table map[string]map[Watcher]modes, path string, suppress map[Watcher]bool) map[Watcher]bool {
	told := map[Watcher]bool{}
	for at := path; ; at = parent(at) {
		for w, m := range table[at] {
			if at == path || m.recursive {
				told[w] = true
			}
		}
		if at == path {
			for _, w := range slices.Collect(maps.Keys(table[at])) {
				o.edit(table, at, w, func(m *modes) { m.standard = false })
			}
		}
		if at == "/" {
			break
		}
	}
	maps.DeleteFunc(told, func(w Watcher, _ bool) bool { return suppress[w] })
	return told
}

// remove returns whether anything went, as DataTree.removeWatch does.
func (o *original) remove(path string, typ wire.WatcherType, w Watcher) bool {
	var found bool
	cut := func(table map[string]map[Watcher]modes, f func(*modes)) {
		found = o.edit(table, path, w, f) || found
	}
	switch typ {
	case wire.WatcherChildren:
		cut(o.child, func(m *modes) { m.standard = false })
	case wire.WatcherData:
		cut(o.data, func(m *modes) { m.standard = false })
	case wire.WatcherPersistent:
		cut(o.child, func(m *modes) { m.persistent = false })
		cut(o.data, func(m *modes) { m.persistent = false })
	case wire.WatcherPersistentRecursive:
		cut(o.data, func(m *modes) { m.recursive = false })
	case wire.WatcherAny:
		cut(o.child, func(m *modes) { *m = modes{} })
		cut(o.data, func(m *modes) { *m = modes{} })
	}
	return found
}

func (o *original) counts() Counts {
	var c Counts
	who := map[Watcher]bool{}
	for _, of := range o.data {
		c.Paths++
		c.Data += len(of)
		for w := range of {
			who[w] = true
		}
	}
	for _, of := range o.child {
		c.Child += len(of)
	}
	c.Watchers = len(who)
	return c
}

// counter is a watcher that counts what it is told.
type counter struct{ told map[string]int }

func (c *counter) Notify(e *Event) { c.told[fmt.Sprint(e.Type, e.Path)]++ }

// TestModel performs random operations on a table and the original, which must
// tell the same watchers of the same events.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	paths := []string{"/", "/a", "/b", "/a/a", "/a/b", "/a/b/c", "/b/a"}
	var all []*counter
	for range 4 {
		all = append(all, &counter{map[string]int{}})
	}
	table, o := New(), &original{map[string]map[Watcher]modes{}, map[string]map[Watcher]modes{}}
	for step := range 50_000 {
		p, w := paths[rnd.IntN(len(paths))], all[rnd.IntN(len(all))]
		typ := wire.WatcherType(rnd.IntN(5) + 1)
		what := ""
		switch n := rnd.IntN(11); n {
		case 0, 1:
			what = "data"
			table.AddData(p, w)
			o.edit(o.data, p, w, func(m *modes) { m.standard = true })
		case 2:
			what = "child"
			table.AddChild(p, w)
			o.edit(o.child, p, w, func(m *modes) { m.standard = true })
		case 3:
			what = "persistent"
			table.AddPersistent(p, false, w)
			o.edit(o.data, p, w, func(m *modes) { m.persistent = true })
			o.edit(o.child, p, w, func(m *modes) { m.persistent = true })
		case 4:
			what = "recursive"
			table.AddPersistent(p, true, w)
			o.edit(o.data, p, w, func(m *modes) { m.recursive = true })
		case 5, 6:
			what = fmt.Sprint("remove ", typ)
			had := table.Has(p, typ, w)
			got, want := table.Remove(p, typ, w), o.remove(p, typ, w)
			if got != want || had != want {
				t.Fatalf("step %d: %s %s: had %v, removed %v, want %v", step, what, p, had, got, want)
			}
		case 7:
			if rnd.IntN(10) == 0 {
				what = "remove all"
				table.RemoveAll(w)
				for _, q := range paths {
					o.remove(q, wire.WatcherAny, w)
				}
			}
		default:
			typ := wire.EventType(n - 7)
			if p == "/" {
				typ = wire.EventNodeDataChanged
			}
			what = fmt.Sprint("trigger ", typ)
			compareTrigger(t, step, table, o, typ, p, all)
		}
		if got, want := table.Counts(), o.counts(); got != want {
			t.Fatalf("step %d: after %s %s: %+v, want %+v", step, what, p, got, want)
		}
	}
	for _, w := range all {
		table.RemoveAll(w)
	}
	if len(table.byPath)+len(table.byKey)+len(table.byWatcher) != 0 {
		t.Errorf("something left: %v %v %v", table.byPath, table.byKey, table.byWatcher)
	}
}

func compareTrigger(t *testing.T, step int, table *Table, o *original, typ wire.EventType, p string, all []*counter) {
	t.Helper()
	for _, w := range all {
		clear(w.told)
	}
	want := map[Watcher]map[string]int{}
	expect := func(told map[Watcher]bool, typ wire.EventType, path string) {
		for w := range told {
			if want[w] == nil {
				want[w] = map[string]int{}
			}
			want[w][fmt.Sprint(typ, path)]++
		}
	}
	told := o.trigger(o.data, p, nil)
	expect(told, typ, p)
	if typ == wire.EventNodeDeleted {
		expect(o.trigger(o.child, p, told), typ, p)
	}
	if typ != wire.EventNodeDataChanged {
		expect(o.trigger(o.child, parent(p), nil), wire.EventNodeChildrenChanged, parent(p))
	}
	table.Trigger(&Change{Type: typ, Path: p, Zxid: 1})
	for i, w := range all {
		if !maps.Equal(w.told, want[w]) {
			t.Fatalf("step %d: %v %s: watcher %d was told %v, want %v", step, typ, p, i, w.told, want[w])
		}
	}
}
