package znode

import (
	"fmt"

	"holt/wire"
)

// change is a path the present entry has touched.
type change struct {
	path string
	base *Node // committed; nil if there is none
	// node is the node as of now; nil if there is none. It may be written to if it is not base and
	// its mark is the tree's, see Tree.own.
	node *Node
	mark int
	// parent is the change of the parent. Set once the node was created or deleted in this
	// entry, as then the parent was changed too.
	parent *change
	index  int // in Batch.Changes, during Prepare
}

// moved reports whether the path has another node than at the entry's start, or
// one where there was none, or none where there was one.
func (c *change) moved() bool {
	return c.base == nil || c.node == nil || c.base.Czxid != c.node.Czxid
}

// undoStep brings a change back to what it was when a mark was set.
type undoStep struct {
	c    *change
	node *Node
	mark int
}

// Mark is a place in an entry to which Rollback returns.
type Mark struct {
	counts     Counts
	undo       int
	events     int
	ephemerals int
}

// Begin starts a command. All it changes carries this zxid and time. The first Begin
// after a Commit forgets the events of the entry before.
func (t *Tree) Begin(zxid wire.Zxid, timeMillis int64) {
	if t.prepared {
		panic("znode: Begin between Prepare and Commit")
	}
	if len(t.changes) == 0 {
		t.events = t.events[:0]
	}
	t.zxid, t.now = zxid, timeMillis
	t.undo, t.marked = t.undo[:0], false
}

// Mark notes the state as of now. Marks are only good within their command.
func (t *Tree) Mark() Mark {
	t.mark++
	t.marked = true
	return Mark{t.state.Counts, len(t.undo), len(t.events), len(t.newEphemerals)}
}

// Rollback undoes all that happened since the mark, events included.
func (t *Tree) Rollback(m Mark) {
	for i := len(t.undo) - 1; i >= m.undo; i-- {
		s := &t.undo[i]
		s.c.node, s.c.mark = s.node, s.mark
	}
	t.undo = t.undo[:m.undo]
	t.state.Counts = m.counts
	t.events = t.events[:m.events]
	t.newEphemerals = t.newEphemerals[:m.ephemerals]
}

// find returns the node at path as of now, nil if there is none or the store
// failed. The change is nil if the entry has not touched the path.
func (t *Tree) find(path string) (*Node, *change) {
	if path == "" {
		path = Root
	}
	if c := t.byPath[path]; c != nil {
		return c.node, c
	}
	n, err := t.store.Lookup(path)
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("read node %q: %w", path, err)
	}
	return n, nil
}

// Peek is Get for the writer: it sees what the entry has changed so far. The
// node may change with the next operation.
func (t *Tree) Peek(path string) (*Node, error) {
	n, _ := t.find(path)
	return n, t.err
}

// touch makes the path part of the entry. base is what find returned.
func (t *Tree) touch(path string, base *Node) *change {
	var c *change
	if k := len(t.free); k > 0 {
		c, t.free = t.free[k-1], t.free[:k-1]
	} else {
		c = new(change)
	}
	*c = change{path: path, base: base, node: base}
	t.byPath[path] = c
	t.changes = append(t.changes, c)
	return c
}

// own returns the change of a node that find returned, ready to be written to: c.node is a copy that
// nobody else has seen and no mark needs.
func (t *Tree) own(n *Node, c *change) *change {
	if c == nil {
		c = t.touch(n.Path, n)
	}
	if c.node != c.base && c.mark == t.mark {
		return c
	}
	t.remember(c)
	copied := *n
	copied.crcKnown = false
	c.node = &copied
	return c
}

// set replaces what is at c, remembering it for a rollback.
func (t *Tree) set(c *change, n *Node) {
	t.remember(c)
	c.node = n
}

func (t *Tree) remember(c *change) {
	if t.marked {
		t.undo = append(t.undo, undoStep{c, c.node, c.mark})
	}
	c.mark = t.mark
}

// Prepare ends the entry: it computes the digest and has the store write all
// changes in one batch, with the caller's records and the index of the entry. Readers see nothing of
// it until Commit. A returned error is final, see Failures in the package comment.
func (t *Tree) Prepare(applied uint64, records []Record) error {
	if t.err != nil {
		return t.err
	}
	t.state.Applied = applied
	b := &t.batch
	b.Records, b.Changes = records, b.Changes[:0]
	for _, c := range t.changes {
		if c.node == c.base {
			continue // touched, then rolled back
		}
		t.state.Digest += c.node.digest(&t.scratch) - c.base.digest(&t.scratch)
		c.index = len(b.Changes)
		b.Changes = append(b.Changes, Change{Path: c.path, Old: c.base, New: c.node, Parent: -1})
	}
	for _, c := range t.changes {
		if c.node != c.base && c.parent != nil && c.moved() {
			b.Changes[c.index].Parent = c.parent.index
		}
	}
	b.State = t.state
	if err := t.store.Prepare(b); err != nil {
		t.err = err
		return err
	}
	t.prepared = true
	return nil
}

// Commit shows readers what Prepare has written. It neither fails nor waits
// for a disk. The caller holds off all readers during the call.
func (t *Tree) Commit() {
	if !t.prepared {
		panic("znode: Commit without Prepare")
	}
	t.store.Publish()
	t.view = t.state
	t.prepared = false
	t.forget()
}

// forget lets go of the entry's changes. What it keeps for reuse is bounded: an
// entry may be a session that closes with a million ephemerals.
func (t *Tree) forget() {
	const keep = 4096
	clear(t.batch.Changes)
	if len(t.changes) > keep {
		t.byPath = make(map[string]*change)
		t.changes, t.batch.Changes, t.undo = nil, nil, nil
	} else {
		clear(t.byPath)
		for i, c := range t.changes {
			*c = change{}
			if len(t.free) < keep {
				t.free = append(t.free, c)
			}
			t.changes[i] = nil
		}
	}
	t.changes = t.changes[:0]
	t.batch.Records = nil
	clear(t.undo)
	t.undo = t.undo[:0]
	t.newEphemerals = t.newEphemerals[:0]
	t.mark, t.marked = 0, false
}
