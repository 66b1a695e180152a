package watch

import (
	"strings"

	"holt/wire"
)

// Trigger notifies all whose watches match the change, as drawn in the package
// comment, and drops the watches that last for one event. A change that nobody
// watches costs a few lookups and allocates nothing.
func (t *Table) Trigger(c *Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byKey) == 0 {
		return
	}
	t.metrics.Changes.Inc()
	t.turn++
	t.event = Event{c.Type, c.Path, c.Zxid, c.ACL}
	p := t.byPath[c.Path]
	t.fire(p, listData)
	t.fireRecursive(c.Path)
	switch c.Type {
	case wire.EventNodeDeleted:
		// Its path may have gone with the last watch, and the ref may be another's.
		t.fire(t.byPath[c.Path], listChild)
		t.fireParent(c)
	case wire.EventNodeCreated:
		t.fireParent(c)
	}
	t.measureTells()
	t.event = Event{}
	t.shrink()
}

// measureTells counts those who were told of t.event.
func (t *Table) measureTells() {
	if t.tells > 0 {
		t.metrics.fanOut(t.event.Type).Observe(t.tells)
		t.tells = 0
	}
}

func (t *Table) fireParent(c *Change) {
	t.measureTells()
	up := parent(c.Path)
	t.turn++
	t.event = Event{wire.EventNodeChildrenChanged, up, c.Zxid, c.ParentACL}
	t.fire(t.byPath[up], listChild)
}

// fire tells those on a path's list of t.event, unless they were told in this turn.
func (t *Table) fire(p ref, l list) {
	first := t.paths[p].first[l]
	if first == 0 {
		return
	}
	last := t.watches[first].pathPrev
	for r := first; ; {
		n := &t.watches[r]
		next := n.pathNext
		t.tell(n.watcher)
		if n.mode &^= modeStandard; n.mode == 0 {
			t.drop(r)
		}
		if r == last {
			return
		}
		r = next
	}
}

// fireRecursive tells those who watch the path or one above it with all below.
func (t *Table) fireRecursive(path string) {
	if t.recursive == 0 {
		return
	}
	for {
		t.fire(t.byPath[path], listRecursive)
		if len(path) <= 1 {
			return
		}
		path = parent(path)
	}
}

func (t *Table) tell(r ref) {
	w := &t.watchers[r]
	if w.told == t.turn {
		return
	}
	w.told = t.turn
	t.tells++
	t.metrics.Notified.Inc()
	w.w.Notify(&t.event)
}

// parent is the path up to the last slash, "/" for children of the root and for
// what is no path.
func parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/"
	}
	return path[:i]
}
