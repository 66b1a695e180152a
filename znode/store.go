package znode

import "holt/wire"

// Store keeps the committed tree. Reading methods may be called from any
// goroutine under the rules of the package comment and show the view of the last
// Publish; Prepare and Publish belong to the writer.
type Store interface {
	// State is the record written by the last Prepare; ok is false in an empty store.
	State() (s State, ok bool)
	// Node returns the node at path, nil if there is none. path may be any string.
	Node(path string) (*Node, error)
	// Lookup is Node for the writer, who is about to create or change what it asks for.
	Lookup(path string) (*Node, error)
	// Intern returns a list equal to acl, shared where possible.
	Intern(acl []wire.ACL) *ACL
	// Children iterates over the children of path in the order of their names.
	Children(path string) (ChildIter, error)
	// ChildPage is the page of path's children that starts at q.From.
	ChildPage(n *Node, q PageQuery) (Page, error)
	// Subtree calls visit for each node below path (path itself excluded), with the
	// size of its data. The path is valid during the call only.
	Subtree(path string, visit func(path []byte, dataBytes int)) error
	// Ephemerals calls visit for the ephemeral nodes of sessions from first to last,
	// ordered by session (as an unsigned number), then path, until it returns false.
	Ephemerals(first, last wire.SessionID, visit func(s wire.SessionID, path []byte) bool) error
	// Candidates calls visit for containers and TTL nodes whose path is greater than after,
	// by path, until it returns false. ctime is that of the node, which it may have outlived.
	Candidates(after string, visit func(path []byte, o Owner, ctime int64) bool) error
	// Prepare writes one batch, atomically, durable at some later time but in
	// order. Nothing of it shows in the view until Publish. An error leaves the
	// view as it was and the store unusable for writing.
	Prepare(b *Batch) error
	// Publish makes the batch of the last Prepare the view. It does no IO.
	Publish()
}

// Batch is what one entry changes.
type Batch struct {
	State   State
	Changes []Change
	Records []Record
}

// Change is one path of a batch. The store takes New over.
type Change struct {
	Path string
	// Old is nil if there was no node, New if there is none any more; never both.
	Old, New *Node
	// Parent is the index in Batch.Changes of the parent's change. It is set if the
	// node was created, deleted or replaced by another, else -1, as for the root.
	Parent int
}

// Record is a caller's own, outside the tree, committed with it. A nil Value deletes the key.
type Record struct{ Key, Value []byte }

// State is what a tree must know before it has read a node.
type State struct {
	// Applied is the index of the last entry in the store.
	Applied uint64
	Counts
}

// Counts are the tree's sums.
type Counts struct {
	// Nodes is the number ZooKeeper shows, one more than there are: it counts
	// the root twice. A new tree has 5.
	Nodes int64
	// Ephemerals counts the nodes of sessions.
	Ephemerals int64
	// DataBytes sums up characters of paths and bytes of data (approximate_data_size).
	DataBytes int64
	// QuotaChildren is the number of children of /zookeeper/quota; while it is
	// 0 nothing has a quota.
	QuotaChildren int64
	// Digest is ZooKeeper's digest of the tree, version 2.
	Digest uint64
}

// ChildIter lists the children of one node as they were when it was opened.
// Not for concurrent use. It pins memory and disk space until Close.
type ChildIter interface {
	// Next returns the next name, valid until the following call. It returns
	// false at the end and after an error, which Close returns.
	Next() (name []byte, ok bool)
	// Czxid is that of the child Next returned last.
	Czxid() wire.Zxid
	Close() error
}

// PageCursor is a place in the children of a node ordered by (czxid, name): at
// the first child whose czxid is at least Czxid, but past the first Skip of those whose czxid is Czxid.
type PageCursor struct {
	Czxid wire.Zxid
	Skip  int32
}

// PageEnd is the Next of the last page.
var PageEnd = PageCursor{-1, -1}

// PageQuery asks for a page of at most NamesMax names and BytesMax bytes, each
// name counted with the 4 bytes of its length; at least one name is returned
// however long, if there is one.
type PageQuery struct {
	From     PageCursor
	NamesMax int
	BytesMax int
}

// Page is an answer to a PageQuery. Next is PageEnd if nothing follows.
type Page struct {
	Names []string
	Next  PageCursor
}
