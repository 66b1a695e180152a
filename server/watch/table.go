package watch

import (
	"strings"
	"sync"

	"holt/wire"
)

// Watcher is told of changes. It is used as a key, so it must be comparable.
type Watcher interface {
	// Notify is called in the order of the changes. It must not block and must not
	// use the table. e, with all in it, is valid during the call only.
	Notify(e *Event)
}

// Event is what a watcher is told.
type Event struct {
	Type wire.EventType
	Path string
	// Zxid is that of the change; −1 if the event was found by SetWatches.
	Zxid wire.Zxid
	// ACL is the list that must allow the watcher to read for the event to be
	// shown to him; empty if everybody may see it.
	ACL []wire.ACL
}

// Change is what happened to one node.
type Change struct {
	Type wire.EventType // created, deleted or data changed
	Path string         // of the node
	Zxid wire.Zxid
	// ACL is the node's, for a deleted node the one it had; ParentACL is that of its
	// parent, of use if the node was created or deleted.
	ACL, ParentACL []wire.ACL
	// Ended is the session with whose end an ephemeral node went, else 0. Watches
	// make no difference.
	Ended wire.SessionID
}

// Table holds the watches of one member. See the package comment for its structure and
// for concurrency.
type Table struct {
	mu sync.Mutex
	// All below is guarded by mu.

	paths    []path    // index 0 is not used, here and below
	watchers []watcher //
	watches  []watch   //
	// Heads of the chains of unused elements, linked by path.next, watcher.first and
	// watch.pathNext.
	freePath, freeWatcher, freeWatch ref

	byPath    map[string]ref
	byWatcher map[Watcher]ref
	byKey     map[key]ref

	counts    Counts
	recursive int    // watches on that list
	turn      uint64 // number of the column being fired, see watcher.told
	tells     int64  // watchers told of event
	metrics   Metrics
	event     Event // the one being told, here to spare an allocation
}

// ref is an index into one of a Table's arrays; 0 is none.
type ref uint32

type list uint8

const (
	listData list = iota
	listChild
	listRecursive
	lists
)

// mode says how long a watch lasts. One watch may be of both.
type mode uint8

const (
	modeStandard   mode = 1 << iota // until it fires
	modePersistent                  // until it is removed
)

// path is a path with at least one watch.
type path struct {
	name  string
	first [lists]ref // in the order they were set; its pathPrev is the last
	next  ref        // while unused
}

// watcher is a Watcher with at least one watch.
type watcher struct {
	w     Watcher
	told  uint64 // turn of its last event
	first ref    // of its watches, of all lists
	data  uint32 // number of them in ZooKeeper's data table
	all   uint32 // number of them
}

// watch is one watcher's on one list of one path.
type watch struct {
	path, watcher      ref
	pathNext, pathPrev ref // ring of the path's list
	ownNext, ownPrev   ref // ring of the watcher's watches
	list               list
	mode               mode
}

// key finds a watch: path, watcher and list.
type key uint64

// watchersMax bounds the watchers at one time; a ref of theirs shares a key with the list.
const watchersMax = 1 << 30

func makeKey(p, w ref, l list) key { return key(p)<<32 | key(w)<<2 | key(l) }

// New returns an empty table.
func New() *Table {
	t := &Table{}
	t.reset()
	return t
}

// reset empties the table and gives its memory back.
func (t *Table) reset() {
	t.paths, t.watchers, t.watches = make([]path, 1), make([]watcher, 1), make([]watch, 1)
	t.freePath, t.freeWatcher, t.freeWatch = 0, 0, 0
	t.byPath, t.byWatcher, t.byKey = make(map[string]ref), make(map[Watcher]ref), make(map[key]ref)
}

// shrink gives the memory of a once large table back when nothing is left in it.
func (t *Table) shrink() {
	const large = 4096
	if len(t.byKey) == 0 && len(t.watches) > large {
		t.reset()
	}
}

// AddData registers w for one event about the node at path: created, deleted or data
// changed. path may alias a buffer of the caller's, here and below.
func (t *Table) AddData(path string, w Watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(path, listData, modeStandard, w)
}

// AddChild registers w for one event about the children of the node at path,
// or its deletion.
func (t *Table) AddChild(path string, w Watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(path, listChild, modeStandard, w)
}

// AddPersistent registers w for all events about the node at path and, if
// recursive, all below it, else its children.
func (t *Table) AddPersistent(path string, recursive bool, w Watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if recursive {
		t.add(path, listRecursive, modePersistent, w)
		return
	}
	t.add(path, listData, modePersistent, w)
	t.add(path, listChild, modePersistent, w)
}

func (t *Table) add(name string, l list, m mode, w Watcher) {
	t.metrics.Set.Inc()
	p, o := t.intern(name), t.known(w)
	k := makeKey(p, o, l)
	if r := t.byKey[k]; r != 0 {
		t.watches[r].mode |= m
		return
	}
	r := t.freeWatch
	if r != 0 {
		t.freeWatch = t.watches[r].pathNext
	} else {
		r = ref(len(t.watches))
		t.watches = append(t.watches, watch{})
	}
	t.watches[r] = watch{path: p, watcher: o, list: l, mode: m}
	t.count(&t.watches[r], +1)
	t.byKey[k] = r
	t.link(r)
}

// intern returns the path's ref, a new one if need be, to which a watch is about to be added.
func (t *Table) intern(name string) ref {
	if r := t.byPath[name]; r != 0 {
		return r
	}
	name = strings.Clone(name)
	r := t.freePath
	if r != 0 {
		t.freePath = t.paths[r].next
		t.paths[r] = path{name: name}
	} else {
		r = ref(len(t.paths))
		t.paths = append(t.paths, path{name: name})
	}
	t.byPath[name] = r
	return r
}

// known returns the watcher's ref, a new one if need be, to which a watch is about to be added.
func (t *Table) known(w Watcher) ref {
	if r := t.byWatcher[w]; r != 0 {
		return r
	}
	r := t.freeWatcher
	if r != 0 {
		t.freeWatcher = t.watchers[r].first
		t.watchers[r] = watcher{w: w}
	} else {
		r = ref(len(t.watchers))
		if r == watchersMax {
			panic("watch: too many watchers")
		}
		t.watchers = append(t.watchers, watcher{w: w})
	}
	t.byWatcher[w] = r
	return r
}

// link puts a watch at the end of its two rings.
func (t *Table) link(r ref) {
	n := &t.watches[r]
	t.watchers[n.watcher].all++
	first := &t.paths[n.path].first[n.list]
	if *first == 0 {
		*first, n.pathNext, n.pathPrev = r, r, r
	} else {
		f := &t.watches[*first]
		n.pathNext, n.pathPrev = *first, f.pathPrev
		t.watches[f.pathPrev].pathNext = r
		f.pathPrev = r
	}
	first = &t.watchers[n.watcher].first
	if *first == 0 {
		*first, n.ownNext, n.ownPrev = r, r, r
	} else {
		f := &t.watches[*first]
		n.ownNext, n.ownPrev = *first, f.ownPrev
		t.watches[f.ownPrev].ownNext = r
		f.ownPrev = r
	}
}

// drop takes a watch out, and its path and watcher if it was their last.
func (t *Table) drop(r ref) {
	n := &t.watches[r]
	t.count(n, -1)
	delete(t.byKey, makeKey(n.path, n.watcher, n.list))

	t.watches[n.pathPrev].pathNext, t.watches[n.pathNext].pathPrev = n.pathNext, n.pathPrev
	p := &t.paths[n.path]
	if p.first[n.list] == r {
		p.first[n.list] = n.pathNext
		if n.pathNext == r {
			p.first[n.list] = 0
		}
	}
	if p.first == [lists]ref{} {
		delete(t.byPath, p.name)
		*p = path{next: t.freePath}
		t.freePath = n.path
	}

	t.watches[n.ownPrev].ownNext, t.watches[n.ownNext].ownPrev = n.ownNext, n.ownPrev
	w := &t.watchers[n.watcher]
	w.all--
	if w.first == r {
		w.first = n.ownNext
	}
	if n.ownNext == r {
		delete(t.byWatcher, w.w)
		*w = watcher{first: t.freeWatcher}
		t.freeWatcher = n.watcher
	}

	*n = watch{pathNext: t.freeWatch}
	t.freeWatch = r
}
