package zkfile

import (
	"io"

	"holt/wire"
	"holt/znode"
)

// Source is a tree at rest: store.Store, or anything that has its nodes, parents first.
type Source interface {
	Walk(visit func(*znode.Node) error) error
}

// WriteTree writes all of a tree as a snapshot. It walks the tree twice: the lists come
// before the nodes. head.Lists is filled in.
func WriteTree(w io.Writer, tree Source, head SnapshotHead) (nodes int64, err error) {
	if head.Lists, err = lists(tree); err != nil {
		return 0, err
	}
	s, err := NewSnapshotWriter(w, head)
	if err != nil {
		return 0, err
	}
	err = tree.Walk(func(n *znode.Node) error {
		nodes++
		return s.Add(n)
	})
	if err != nil {
		return nodes, err
	}
	return nodes, s.Close()
}

// lists are the different lists of a tree.
func lists(tree Source) ([]*znode.ACL, error) {
	var all []*znode.ACL
	var last *znode.ACL
	seen := make(map[string]bool)
	var key []byte
	err := tree.Walk(func(n *znode.Node) error {
		if n.ACL == last || n.ACL.Open() {
			return nil // as mostly
		}
		last = n.ACL
		if key = wire.AppendACLs(key[:0], last.Entries()); !seen[string(key)] {
			seen[string(key)] = true
			all = append(all, last)
		}
		return nil
	})
	return all, err
}
