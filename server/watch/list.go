package watch

// Counts are the sums that operators see. Watchers, Paths and Data are about
// ZooKeeper's data table, which holds the recursive watches too; a watcher that has several
// kinds of watches on a path counts once for each table.
type Counts struct {
	Watchers int // watchers with a watch there
	Paths    int // paths with a watch there
	Data     int // pairs of the two
	Child    int // pairs of watcher and path in the child table
}

// Counts returns the sums as of now, at no cost.
func (t *Table) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// Of returns the number of watches of w. One that is persistent and not recursive counts twice,
// as it is in two lists.
func (t *Table) Of(w Watcher) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(t.watchers[t.byWatcher[w]].all)
}

// Each calls visit for the pairs of path and watcher of ZooKeeper's data table, path by
// path, until it returns false. The table is locked meanwhile: visit must be quick, end early and
// not use the table.
func (t *Table) Each(visit func(path string, w Watcher) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := 1; i < len(t.paths); i++ {
		if !t.eachOf(ref(i), visit) {
			return
		}
	}
}

func (t *Table) eachOf(p ref, visit func(path string, w Watcher) bool) bool {
	for _, l := range [...]list{listData, listRecursive} {
		first := t.paths[p].first[l]
		for r := first; r != 0; {
			n := &t.watches[r]
			if l == listData || t.byKey[makeKey(p, n.watcher, listData)] == 0 {
				if !visit(t.paths[p].name, t.watchers[n.watcher].w) {
					return false
				}
			}
			if r = n.pathNext; r == first {
				break
			}
		}
	}
	return true
}

// count adds a watch to the sums or takes it off; by is +1 before it is linked
// and −1 before it is unlinked.
func (t *Table) count(n *watch, by int) {
	if n.list == listChild {
		t.counts.Child += by
		return
	}
	if n.list == listRecursive {
		t.recursive += by
	}
	other := listData + listRecursive - n.list
	if t.byKey[makeKey(n.path, n.watcher, other)] == 0 {
		t.counts.Data += by
		w := &t.watchers[n.watcher]
		before := w.data
		w.data += uint32(by)
		if before == 0 || w.data == 0 {
			t.counts.Watchers += by
		}
	}
	// The only one of its list, and the other is empty.
	p := &t.paths[n.path]
	first := p.first[n.list]
	if p.first[other] == 0 && (first == 0 || by < 0 && t.watches[first].pathNext == first) {
		t.counts.Paths += by
	}
}
