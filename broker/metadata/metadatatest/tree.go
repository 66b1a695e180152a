package metadatatest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"holt/broker/metadata"
)

// Tree is a coordination service in memory.
type Tree struct {
	mu       sync.Mutex
	zxid     metadata.Zxid
	nodes    map[string]*node
	sessions map[metadata.SessionID]*Session
	lastID   metadata.SessionID
	now      func() time.Time
	writes   int // multis that had an effect

	// observe, if set, sees every multi that had an effect.
	observe func(Write)
}

// Write is a multi that had an effect, as Observe gets it.
type Write struct {
	Session metadata.SessionID
	Zxid    metadata.Zxid
	Ops     []metadata.Op
}

type node struct {
	data     []byte
	stat     metadata.Stat
	children map[string]struct{}
	sequence int32
}

// NewTree returns a tree that has its root.
func NewTree() *Tree {
	return &Tree{
		nodes:    map[string]*node{"/": {children: map[string]struct{}{}}},
		sessions: map[metadata.SessionID]*Session{},
		now:      time.Now,
	}
}

// SetClock has the tree take its times of creation from now.
func (t *Tree) SetClock(now func() time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = now
}

// Observe has f called under the tree's lock with every multi that had an effect,
// whoever made it. f must not call the tree or a session.
func (t *Tree) Observe(f func(Write)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.observe = f
}

// Writes counts the multis that had an effect.
func (t *Tree) Writes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writes
}

// Dump is the tree below path as text, a node in each line with its version and
// data, for comparison.
func (t *Tree) Dump(path string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(t.nodes)) {
		if p != path && !strings.HasPrefix(p, strings.TrimSuffix(path, "/")+"/") {
			continue
		}
		n := t.nodes[p]
		fmt.Fprintf(&b, "%s v%d", p, n.stat.Version)
		if n.stat.Owner != 0 {
			b.WriteString(" ephemeral")
		}
		if n.data != nil {
			fmt.Fprintf(&b, " %s", n.data)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// parentOf is the path above.
func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

// undo reverses one operation of a multi that was refused later.
type undo func()

// multiLocked performs operations, all or none, and fires watches.
func (t *Tree) multiLocked(owner metadata.SessionID, ops []metadata.Op) ([]metadata.Result, error) {
	var undos []undo
	var fired []fire
	results := make([]metadata.Result, len(ops))
	t.zxid++
	for i, op := range ops {
		result, un, fires, err := t.applyLocked(owner, op)
		if err != nil {
			for _, un := range slices.Backward(undos) {
				un()
			}
			return nil, &metadata.OpError{Index: i, Op: op, Err: err}
		}
		results[i] = result
		undos = append(undos, un)
		fired = append(fired, fires...)
	}
	t.writes++
	if t.observe != nil {
		t.observe(Write{Session: owner, Zxid: t.zxid, Ops: ops})
	}
	t.fireLocked(fired)
	return results, nil
}

func (t *Tree) applyLocked(owner metadata.SessionID, op metadata.Op) (metadata.Result, undo, []fire, error) {
	switch op.Kind {
	case metadata.OpCreate:
		return t.createLocked(owner, op)
	case metadata.OpSet:
		return t.setLocked(op)
	case metadata.OpDelete:
		return t.deleteLocked(op)
	}
	n, ok := t.nodes[op.Path]
	switch {
	case !ok:
		return metadata.Result{}, nil, nil, metadata.ErrNoNode
	case op.Version != metadata.AnyVersion && op.Version != n.stat.Version:
		return metadata.Result{}, nil, nil, metadata.ErrBadVersion
	}
	return metadata.Result{Path: op.Path}, func() {}, nil, nil
}

func (t *Tree) createLocked(owner metadata.SessionID, op metadata.Op) (metadata.Result, undo, []fire, error) {
	up := parentOf(op.Path)
	parent, ok := t.nodes[up]
	if !ok {
		return metadata.Result{}, nil, nil, metadata.ErrNoNode
	}
	path := op.Path
	if op.Sequential {
		path = fmt.Sprintf("%s%010d", path, parent.sequence)
	}
	if _, ok := t.nodes[path]; ok {
		return metadata.Result{}, nil, nil, metadata.ErrNodeExists
	}
	n := &node{data: slices.Clone(op.Data), children: map[string]struct{}{}}
	n.stat = metadata.Stat{Created: t.zxid, Modified: t.zxid, CreatedAt: t.now().UnixMilli()}
	if op.Ephemeral {
		n.stat.Owner = owner
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	t.nodes[path] = n
	parent.children[name] = struct{}{}
	parent.sequence++ // ZooKeeper: cversion, which every create and delete moves; only growth matters
	undo := func() {
		delete(t.nodes, path)
		delete(parent.children, name)
		parent.sequence--
	}
	return metadata.Result{Path: path}, undo, []fire{{path, watchData}, {up, watchChildren}}, nil
}

func (t *Tree) setLocked(op metadata.Op) (metadata.Result, undo, []fire, error) {
	n, ok := t.nodes[op.Path]
	if !ok {
		return metadata.Result{}, nil, nil, metadata.ErrNoNode
	}
	if op.Version != metadata.AnyVersion && op.Version != n.stat.Version {
		return metadata.Result{}, nil, nil, metadata.ErrBadVersion
	}
	was := *n
	n.data = slices.Clone(op.Data)
	n.stat.Version++
	n.stat.Modified = t.zxid
	undo := func() { n.data, n.stat = was.data, was.stat }
	return metadata.Result{Path: op.Path, Stat: n.stat}, undo, []fire{{op.Path, watchData}}, nil
}

func (t *Tree) deleteLocked(op metadata.Op) (metadata.Result, undo, []fire, error) {
	n, ok := t.nodes[op.Path]
	switch {
	case !ok:
		return metadata.Result{}, nil, nil, metadata.ErrNoNode
	case op.Version != metadata.AnyVersion && op.Version != n.stat.Version:
		return metadata.Result{}, nil, nil, metadata.ErrBadVersion
	case len(n.children) > 0:
		return metadata.Result{}, nil, nil, metadata.ErrNotEmpty
	}
	up := parentOf(op.Path)
	name := op.Path[strings.LastIndexByte(op.Path, '/')+1:]
	delete(t.nodes, op.Path)
	delete(t.nodes[up].children, name)
	undo := func() {
		t.nodes[op.Path] = n
		t.nodes[up].children[name] = struct{}{}
	}
	fires := []fire{{op.Path, watchData}, {op.Path, watchChildren}, {up, watchChildren}}
	return metadata.Result{Path: op.Path}, undo, fires, nil
}

type watchKind uint8

const (
	watchData watchKind = iota
	watchChildren
)

// fire is a watch that an operation sets off, and the key of those that wait for it.
type fire struct {
	path string
	kind watchKind
}

func (t *Tree) fireLocked(fired []fire) {
	for _, id := range slices.Sorted(maps.Keys(t.sessions)) {
		s := t.sessions[id]
		for _, f := range fired {
			if _, ok := s.watches[f]; ok {
				delete(s.watches, f)
				s.tellLocked(metadata.Event{Path: f.path})
			}
		}
	}
}

// Expire ends a session: its ephemeral nodes go, and its holder gets another one,
// at once when it is connected.
func (t *Tree) Expire(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireLocked(s)
	if s.closed {
		return
	}
	s.tellLocked(metadata.Event{State: metadata.Expired})
	if !s.down {
		t.beginLocked(s)
		s.tellLocked(metadata.Event{State: metadata.Connected})
	}
}

func (t *Tree) expireLocked(s *Session) {
	if s.id == 0 {
		return
	}
	delete(t.sessions, s.id)
	id := s.id
	s.id, s.watches = 0, map[fire]struct{}{}
	s.seen.Store(0)
	var ops []metadata.Op
	for _, path := range slices.Backward(slices.Sorted(maps.Keys(t.nodes))) {
		if t.nodes[path].stat.Owner == id {
			ops = append(ops, metadata.Delete(path, metadata.AnyVersion))
		}
	}
	if _, err := t.multiLocked(id, ops); err != nil {
		panic(fmt.Sprintf("metadatatest: end of session %v: %v", id, err))
	}
}

func (t *Tree) beginLocked(s *Session) {
	t.lastID++
	s.id = t.lastID
	s.seen.Store(int64(s.id))
	t.sessions[s.id] = s
}
