package session

import (
	"maps"
	"slices"
	"strings"

	"holt/wire"
)

// paths is a set of paths as the caller knows them, without the chroot.
type paths map[string]struct{}

func (p paths) take(path string) bool {
	_, ok := p[path]
	delete(p, path)
	return ok
}

func (p paths) has(path string) bool {
	_, ok := p[path]
	return ok
}

// watchTable is what the session believes to be watched: what an event is compared
// with, and what is set again on a new link. One watcher gets all events, so a
// kind and a path are a watch. (ZKWatchManager)
type watchTable struct {
	data, exist, child    paths // fire once
	persistent, recursive paths
}

func newWatchTable() watchTable {
	return watchTable{data: paths{}, exist: paths{}, child: paths{}, persistent: paths{}, recursive: paths{}}
}

// fire tells whether a notification concerns a watch of the table, and removes
// those that it uses up.
func (t *watchTable) fire(typ wire.EventType, path string) bool {
	hit := t.persistent.has(path)
	switch typ {
	case wire.EventNodeCreated, wire.EventNodeDataChanged:
		hit = t.data.take(path) || hit
		hit = t.exist.take(path) || hit
	case wire.EventNodeChildrenChanged:
		// Recursive watches promise no such events; those of a child watch below
		// must not be reported to them.
		return t.child.take(path) || hit
	case wire.EventNodeDeleted:
		hit = t.data.take(path) || hit
		hit = t.exist.take(path) || hit
		hit = t.child.take(path) || hit
	}
	return hit || t.watchedFromAbove(path)
}

func (t *watchTable) watchedFromAbove(path string) bool {
	if len(t.recursive) == 0 {
		return false
	}
	for {
		if t.recursive.has(path) {
			return true
		}
		if path == "/" {
			return false
		}
		path = path[:max(1, strings.LastIndexByte(path, '/'))]
	}
}

// kind is one of the sets, and the event that tells of a removal from it.
type kind struct {
	set     paths
	removed wire.EventType
}

// kinds returns the sets that removeWatches means by typ.
func (t *watchTable) kinds(typ wire.WatcherType) []kind {
	data := []kind{{t.data, wire.EventDataWatchRemoved}, {t.exist, wire.EventDataWatchRemoved}}
	child := kind{t.child, wire.EventChildWatchRemoved}
	persistent := kind{t.persistent, wire.EventPersistentWatchRemoved}
	recursive := kind{t.recursive, wire.EventPersistentWatchRemoved}
	switch typ {
	case wire.WatcherChildren:
		return []kind{child}
	case wire.WatcherData:
		return data
	case wire.WatcherPersistent:
		return []kind{persistent}
	case wire.WatcherPersistentRecursive:
		return []kind{recursive}
	}
	return append([]kind{child, persistent, recursive}, data...)
}

// has tells whether path is watched in one of the ways that typ means.
func (t *watchTable) has(typ wire.WatcherType, path string) bool {
	return slices.ContainsFunc(t.kinds(typ), func(k kind) bool { return k.set.has(path) })
}

// remove removes such watches and returns what events tell of it, each once.
func (t *watchTable) remove(typ wire.WatcherType, path string) []wire.EventType {
	var events []wire.EventType
	for _, k := range t.kinds(typ) {
		if k.set.take(path) && !slices.Contains(events, k.removed) {
			events = append(events, k.removed)
		}
	}
	slices.Sort(events)
	return events
}

// rearmBytes bounds the paths in one setWatches request, so that it stays far below
// what a server accepts.
const rearmBytes = 128 << 10

// rearm returns the requests that set all watches again on a new link, from which
// events since zxid are wanted. The old form is used while it can tell all, since
// servers before 3.6 know no other.
func (t *watchTable) rearm(zxid wire.Zxid, root chroot) []wire.MultiOp {
	var ops []wire.MultiOp
	batch, size := newBatch(zxid), 0
	flush := func() {
		switch {
		case size == 0:
			return
		case len(batch.PersistentWatches)+len(batch.PersistentRecursiveWatches) > 0:
			ops = append(ops, wire.MultiOp{Op: wire.OpSetWatches2, Record: batch})
		default:
			ops = append(ops, wire.MultiOp{Op: wire.OpSetWatches, Record: &batch.SetWatches})
		}
		batch, size = newBatch(zxid), 0
	}
	sets := []paths{t.data, t.exist, t.child, t.persistent, t.recursive}
	for i, set := range sets {
		for _, path := range slices.Sorted(maps.Keys(set)) {
			lists := []*[]string{&batch.DataWatches, &batch.ExistWatches, &batch.ChildWatches, &batch.PersistentWatches, &batch.PersistentRecursiveWatches}
			*lists[i] = append(*lists[i], root.wire(path))
			if size += len(path); size >= rearmBytes {
				flush()
			}
		}
	}
	flush()
	return ops
}

func newBatch(zxid wire.Zxid) *wire.SetWatches2 {
	return &wire.SetWatches2{SetWatches: wire.SetWatches{RelativeZxid: zxid}}
}
