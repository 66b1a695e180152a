package znode

import (
	"fmt"

	"holt/wire"
)

// Tree applies the rules to a Store. See the package comment for who may call
// what when.
type Tree struct {
	store Store

	// view is the state readers see; written by Commit only.
	view State

	// The rest is the writer's.

	state State // with the changes of this entry
	zxid  wire.Zxid
	now   int64 // ms since 1970
	// byPath and changes are what the entry has touched, by path and in order of first touch.
	byPath  map[string]*change
	changes []*change
	free    []*change // for reuse
	// newEphemerals are those of changes that got an owning session in this
	// entry; the store's index does not know them yet.
	newEphemerals []*change
	events        []Event
	undo          []undoStep
	mark          int // number of the innermost mark ever set in this entry
	marked        bool
	prepared      bool
	batch         Batch
	scratch       []byte // of digests
	err           error  // of the store, the first one
}

// NewTree opens the tree in store. An empty store gets the nodes that always
// exist: they are committed with applied index 0.
func NewTree(store Store) (*Tree, error) {
	t := &Tree{store: store, byPath: make(map[string]*change)}
	s, ok := store.State()
	t.view, t.state = s, s
	if ok {
		return t, nil
	}
	t.plant()
	if err := t.Prepare(0, nil); err != nil {
		return nil, fmt.Errorf("create tree: %w", err)
	}
	t.Commit()
	return t, nil
}

// plant makes the nodes that always exist, with no numbers and no events, as ZooKeeper has them.
func (t *Tree) plant() {
	t.state.Nodes = 1 // "/" is counted twice
	root := t.put(Root, []byte{}, openACL, nil)
	system := t.put(System, []byte{}, openACL, root)
	t.put(QuotaRoot, []byte{}, openACL, system)
	config := t.put(ConfigPath, []byte{}, readACL, system)
	config.node.Aversion = -1
}

func (t *Tree) put(path string, data []byte, acl *ACL, parent *change) *change {
	c := t.touch(path, nil)
	c.node = &Node{ACL: acl}
	c.node.SetContents(path, data)
	c.parent = parent
	if parent != nil {
		parent.node.NumChildren++
	}
	t.state.Nodes++
	t.state.DataBytes += nodeBytes(path, data)
	return c
}

// Get returns the node at path, nil if there is none. "" is the root; any
// other string that is not a valid path names no node. Does not allocate if the node is cached.
func (t *Tree) Get(path string) (*Node, error) {
	if path == "" {
		path = Root
	}
	return t.store.Node(path)
}

// OpenChildren lists the children of path by name; of a path without node it lists
// nothing. The caller must close the iterator.
func (t *Tree) OpenChildren(path string) (ChildIter, error) {
	if path == "" {
		path = Root
	}
	return t.store.Children(path)
}

// ChildPage returns a page of the children of n, a node of the present view,
// ordered by czxid, then name. The work is in proportion to the page, also for
// the last page of ten million children.
func (t *Tree) ChildPage(n *Node, q PageQuery) (Page, error) { return t.store.ChildPage(n, q) }

// CountDescendants counts the nodes below path. For the root that is
// known, else the work is in proportion to the answer.
func (t *Tree) CountDescendants(path string) (int64, error) {
	if path == "" || path == Root {
		return t.view.Nodes - 2, nil
	}
	var n int64
	err := t.store.Subtree(path, func([]byte, int) { n++ })
	return n, err
}

// Ephemerals returns the ephemeral nodes of a session, by path.
func (t *Tree) Ephemerals(s wire.SessionID) ([]string, error) {
	var paths []string
	err := t.store.Ephemerals(s, s, func(_ wire.SessionID, path []byte) bool {
		paths = append(paths, string(path))
		return true
	})
	return paths, err
}

// EachEphemeral calls visit for all ephemeral nodes, by session, then path,
// until it returns false. The path is valid during the call.
func (t *Tree) EachEphemeral(visit func(s wire.SessionID, path []byte) bool) error {
	return t.store.Ephemerals(0, -1, visit)
}

// Counts returns the sums of the view.
func (t *Tree) Counts() Counts { return t.view.Counts }

// Applied is the index of the last entry in the view.
func (t *Tree) Applied() uint64 { return t.view.Applied }

// Reap looks for containers and TTL nodes that may be deleted at the given time (ZooKeeper:
// ContainerManager), after the path given and at most max of them, having looked at no more
// than look candidates. next is where to go on, "" when there are no more. See Node.Reapable for neverUsedMillis.
func (t *Tree) Reap(nowMillis, neverUsedMillis int64, after string, max, look int) (paths []string, next string, err error) {
	var getErr error
	err = t.store.Candidates(after, func(path []byte, o Owner, ctime int64) bool {
		if look--; look < 0 || len(paths) == max {
			next = after
			return false
		}
		after = string(path)
		// The last change is not before the creation, so most TTL nodes
		// are known to live without being read.
		if ttl, ok := o.TTL(); ok && nowMillis-ctime <= ttl {
			return true
		}
		var n *Node
		if n, getErr = t.store.Node(after); getErr != nil {
			return false
		}
		if n != nil && n.Reapable(nowMillis, neverUsedMillis) {
			paths = append(paths, after)
		}
		return true
	})
	if err == nil {
		err = getErr
	}
	return paths, next, err
}
