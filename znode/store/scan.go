package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"holt/wire"
	"holt/znode"
)

// iter returns an iterator on the view. It outlives the view.
func (s *Store) iter(o pebble.IterOptions) (*pebble.Iterator, error) {
	return s.view.Clone(pebble.CloneOptions{IterOptions: &o})
}

// get returns a copy of a value in the view, nil if there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	it, err := s.iter(pebble.IterOptions{})
	if err != nil {
		return nil, err
	}
	var value []byte
	if it.SeekPrefixGE(key) {
		if value, err = it.ValueAndErr(); err == nil {
			value = append([]byte{}, value...)
		}
	}
	return value, errors.Join(err, it.Error(), it.Close())
}

// scan calls visit for the keys with a prefix in the view, in order, until it returns false.
func (s *Store) scan(prefix, from []byte, visit func(key, value []byte) (bool, error)) error {
	if from == nil {
		from = prefix
	}
	it, err := s.iter(pebble.IterOptions{LowerBound: from, UpperBound: successor(prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			ok, err = visit(it.Key(), value)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if !ok {
			break
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// Children implements znode.Store.
func (s *Store) Children(path string) (znode.ChildIter, error) {
	it, err := s.openChildren(path)
	if err != nil {
		return nil, fmt.Errorf("list children of %q: %w", path, err)
	}
	return it, nil
}

func (s *Store) openChildren(path string) (*childIter, error) {
	prefix := appendBelow(nil, path, 1)
	it, err := s.iter(pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return nil, err
	}
	return &childIter{it: it, prefix: len(prefix)}, nil
}

// childIter implements znode.ChildIter.
type childIter struct {
	it      *pebble.Iterator
	prefix  int // of the key, before the name
	started bool
	err     error
}

func (c *childIter) Next() ([]byte, bool) {
	if c.err != nil {
		return nil, false
	}
	ok := false
	if c.started {
		ok = c.it.Next()
	} else {
		c.started = true
		ok = c.it.First()
	}
	if !ok {
		return nil, false
	}
	return c.it.Key()[c.prefix:], true
}

func (c *childIter) Czxid() wire.Zxid {
	v, err := c.it.ValueAndErr()
	if err != nil {
		c.fail(err)
		return 0
	}
	z, ok := decodeCzxid(v)
	if !ok {
		c.fail(errCorrupt)
	}
	return z
}

func (c *childIter) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *childIter) Close() error {
	if err := errors.Join(c.err, c.it.Error(), c.it.Close()); err != nil {
		return fmt.Errorf("list children: %w", err)
	}
	return nil
}

// Subtree implements znode.Store. The nodes of one depth below a path are one range.
func (s *Store) Subtree(path string, visit func(path []byte, dataBytes int)) error {
	for levels, found := 1, true; found; levels++ {
		found = false
		err := s.scan(appendBelow(nil, path, levels), nil, func(key, value []byte) (bool, error) {
			found = true
			path := nodeKeyPath(key)
			if d := s.deferred.nodes[string(path)].node; d != nil {
				visit(path, len(d.Data))
				return true, nil
			}
			n, ok := decodeDataLen(value)
			if ok {
				visit(path, n)
				return true, nil
			}
			return false, errCorrupt
		})
		if err != nil {
			return fmt.Errorf("walk %q: %w", path, err)
		}
	}
	return nil
}

// Ephemerals implements znode.Store.
func (s *Store) Ephemerals(first, last wire.SessionID, visit func(wire.SessionID, []byte) bool) error {
	lower := appendEphemeralKey(nil, first, "")
	upper := []byte{spaceEphemeral + 1}
	if last != -1 {
		upper = appendEphemeralKey(nil, last+1, "")
	}
	it, err := s.iter(pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("list ephemerals: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		k := it.Key()
		if !visit(wire.SessionID(binary.BigEndian.Uint64(k[1:])), k[9:]) {
			break
		}
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("list ephemerals: %w", err)
	}
	return nil
}

// Candidates implements znode.Store.
func (s *Store) Candidates(after string, visit func([]byte, znode.Owner, int64) bool) error {
	from := appendCandidateKey(nil, after)
	err := s.scan([]byte{spaceCandidate}, from, func(key, value []byte) (bool, error) {
		if after != "" && bytes.Equal(key, from) {
			return true, nil
		}
		if len(value) != 16 {
			return false, errCorrupt
		}
		owner := znode.Owner(binary.BigEndian.Uint64(value))
		return visit(key[1:], owner, int64(binary.BigEndian.Uint64(value[8:]))), nil
	})
	if err != nil {
		return fmt.Errorf("list containers and TTL nodes: %w", err)
	}
	return nil
}

// Record returns a copy of the caller's record at key, nil if there is none.
func (s *Store) Record(key []byte) ([]byte, error) {
	if r, ok := s.deferred.records[string(key)]; ok {
		return slices.Clone(r.value), nil
	}
	v, err := s.get(append([]byte{spaceRecord}, key...))
	if err != nil {
		return nil, fmt.Errorf("read record %q: %w", key, err)
	}
	return v, nil
}

// EachRecord calls visit for the caller's records whose keys have the prefix, in
// order, until it returns an error, which EachRecord then returns. Both slices are valid during the call.
func (s *Store) EachRecord(prefix []byte, visit func(key, value []byte) error) error {
	newer := s.deferred.recordKeys(prefix)
	// upTo visits those that come before key in the order, which may be one of them.
	upTo := func(key string, all bool) error {
		for len(newer) > 0 && (all || newer[0] <= key) {
			k := newer[0]
			newer = newer[1:]
			if r := s.deferred.records[k]; r.value != nil {
				if err := visit([]byte(k), r.value); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := s.scan(append([]byte{spaceRecord}, prefix...), nil, func(key, value []byte) (bool, error) {
		err := upTo(string(key[1:]), false)
		if _, ok := s.deferred.records[string(key[1:])]; err == nil && !ok {
			err = visit(key[1:], value)
		}
		return err == nil, err
	})
	if err == nil {
		err = upTo("", true)
	}
	if err != nil {
		return fmt.Errorf("read records %q: %w", prefix, err)
	}
	return nil
}
