package store

import (
	"fmt"

	"holt/znode"
)

// Walk calls visit for every node, those of one depth after another, so a parent
// before its children, until it returns an error, which Walk then returns. The node is
// visit's own. Nothing goes through the cache. As for other reading methods, readers
// are held off Publish meanwhile: a running member is better walked in a checkpoint.
func (s *Store) Walk(visit func(*znode.Node) error) error {
	err := s.scan([]byte{spaceNode}, nil, func(key, value []byte) (bool, error) {
		path := string(nodeKeyPath(key))
		n := s.deferred.node(path)
		if n == nil {
			var err error
			if n, err = s.decodeNode(path, value); err != nil {
				return false, fmt.Errorf("node %q: %w", path, err)
			}
		}
		return true, visit(n)
	})
	if err != nil {
		return fmt.Errorf("walk tree: %w", err)
	}
	return nil
}
