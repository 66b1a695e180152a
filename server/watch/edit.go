package watch

import "holt/wire"

// Has reports whether w has a watch of the type on path (ZooKeeper:
// DataTree.containsWatcher). WatcherData and WatcherChildren mean those that last for
// one event, WatcherAny every kind. Another type than those of wire matches nothing.
func (t *Table) Has(path string, typ wire.WatcherType, w Watcher) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := false
	t.match(path, typ, w, func(ref, mode) { found = true })
	return found
}

// Remove drops the watches of the type that w has on path, and reports whether
// there were any. The types mean what they mean for Has.
func (t *Table) Remove(path string, typ wire.WatcherType, w Watcher) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := false
	t.match(path, typ, w, func(r ref, m mode) {
		found = true
		n := &t.watches[r]
		if n.mode &^= m; n.mode == 0 {
			t.drop(r)
		}
	})
	t.shrink()
	return found
}

// RemoveAll drops all watches of w.
func (t *Table) RemoveAll(w Watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.byWatcher[w]
	if o == 0 {
		return
	}
	for {
		r := t.watchers[o].first
		last := t.watches[r].ownNext == r
		t.drop(r)
		if last {
			break
		}
	}
	t.shrink()
}

// match calls visit for each watch that w has on path of the type, with the modes meant.
func (t *Table) match(path string, typ wire.WatcherType, w Watcher, visit func(ref, mode)) {
	p, o := t.byPath[path], t.byWatcher[w]
	if p == 0 || o == 0 {
		return
	}
	for l := listData; l < lists; l++ {
		m := modesOf(typ, l)
		r := t.byKey[makeKey(p, o, l)]
		if r != 0 && t.watches[r].mode&m != 0 {
			visit(r, m)
		}
	}
}

// modesOf returns the modes of watches on list l that the type means.
func modesOf(typ wire.WatcherType, l list) mode {
	switch {
	case typ == wire.WatcherAny:
		return modeStandard | modePersistent
	case typ == wire.WatcherData && l == listData, typ == wire.WatcherChildren && l == listChild:
		return modeStandard
	case typ == wire.WatcherPersistent && l != listRecursive, typ == wire.WatcherPersistentRecursive && l == listRecursive:
		return modePersistent
	}
	return 0
}
