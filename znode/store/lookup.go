package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"holt/znode"
)

// Node implements znode.Store.
func (s *Store) Node(path string) (*znode.Node, error) {
	if n := s.cache.get(path); n != nil {
		return n, nil
	}
	if n := s.deferred.node(path); n != nil {
		return n, nil
	}
	it, err := s.iter(lookupOptions())
	if err != nil {
		return nil, fmt.Errorf("read node %q: %w", path, err)
	}
	n, err := s.read(it, path)
	if err = errors.Join(err, it.Close()); err != nil {
		return nil, fmt.Errorf("read node %q: %w", path, err)
	}
	return n, nil
}

// Lookup implements znode.Store. All lookups until the view ends share an iterator, which saves a third of the time of each.
func (s *Store) Lookup(path string) (*znode.Node, error) {
	hash := s.cache.hash(path)
	if n := s.cache.find(hash, path); n != nil {
		return n, nil
	}
	if n := s.deferred.node(path); n != nil {
		return n, nil
	}
	var brood *brood // the root is nobody's child
	parent := znode.Parent(path)
	if path != znode.Root {
		if brood = s.nursery.brood(parent); brood.barren(hash) {
			return nil, nil
		}
	}
	if s.lookups == nil {
		var err error
		if s.lookups, err = s.iter(lookupOptions()); err != nil {
			return nil, fmt.Errorf("read node %q: %w", path, err)
		}
	}
	n, err := s.read(s.lookups, path)
	if n == nil && err == nil && brood != nil {
		err = s.missed(brood, parent)
	}
	if err != nil {
		return nil, fmt.Errorf("read node %q: %w", path, err)
	}
	return n, nil
}

// endLookups gives up the iterator of the view that is about to end.
func (s *Store) endLookups() error {
	if s.lookups == nil {
		return nil
	}
	err := s.lookups.Close()
	s.lookups = nil
	return err
}

// lookupOptions are those for single keys. Pebble's own Get does not use the
// filters of the lowest level, where most nodes are: asking for what does not
// exist, as each creation does, costs it four times as much.
func lookupOptions() pebble.IterOptions {
	return pebble.IterOptions{
		LowerBound:   []byte{spaceNode},
		UpperBound:   []byte{spaceNode + 1},
		UseL6Filters: true,
	}
}

// read returns the node at path by an iterator, and has the cache keep it.
func (s *Store) read(it *pebble.Iterator, path string) (*znode.Node, error) {
	var buf [128]byte
	if !it.SeekPrefixGE(appendNodeKey(buf[:0], path)) {
		return nil, it.Error()
	}
	v, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	n, err := s.decodeNode(path, v)
	if err != nil {
		return nil, err
	}
	s.cache.put(n)
	return n, nil
}
