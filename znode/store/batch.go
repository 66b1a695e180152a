package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"holt/znode"
)

// indexed is set in Node.StoreFlags if the node has an index of its children by creation.
const indexed = 1

// Prepare implements znode.Store.
func (s *Store) Prepare(b *znode.Batch) error {
	err := errors.Join(s.Err(), s.dropLast())
	if err == nil && !s.mayDefer(b) {
		err = s.prepare(b)
	}
	if err != nil {
		return fmt.Errorf("write tree: %w", err)
	}
	s.state, s.hasState = b.State, true
	s.pending = b
	return nil
}

// mayDefer reports whether b needs no batch of its own. After a Flush the view is
// renewed, lest it keep alive what a compaction has replaced.
func (s *Store) mayDefer(b *znode.Batch) bool {
	return s.hasState && valuesOnly(b) && s.deferred.fits(b, s.opts.MemTableBytes/16) && !s.stale.Load()
}

// prepare writes b, and before it what was deferred, and opens the view that will show it.
func (s *Store) prepare(b *znode.Batch) error {
	if err := s.endLookups(); err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.write(b); err != nil {
		s.seal.fail(err)
		return err
	}
	s.stale.Store(false)
	var err error
	s.next, err = s.db.NewIter(nil)
	return err
}

func (s *Store) dropLast() error {
	if s.last == nil {
		return nil
	}
	err := s.last.Close()
	s.last = nil
	return err
}

// Publish implements znode.Store.
func (s *Store) Publish() {
	b := s.pending
	for i := range b.Changes {
		if c := &b.Changes[i]; c.New != nil {
			s.cache.put(c.New)
		} else {
			s.cache.remove(c.Path)
		}
	}
	s.pending = nil
	if s.next == nil {
		s.deferred.add(b.Changes, b.Records, &b.State)
		return
	}
	s.deferred.reset(&b.State)
	s.last, s.view, s.next = s.view, s.next, nil
}

func (s *Store) write(b *znode.Batch) error {
	w := s.db.NewBatch()
	turn, _, err := s.fillDeferred(w)
	if err == nil {
		err = s.fill(w, b)
	}
	if err = s.apply(w, err); err == nil {
		s.deferred.wrote(turn)
	}
	return err
}

// apply ends w: it goes to the database if it was filled without an error.
func (s *Store) apply(w *pebble.Batch, err error) error {
	if err == nil {
		err = s.makeRoom(int64(w.Len()))
	}
	if err == nil {
		err = s.db.Apply(w, pebble.NoSync)
	}
	if err == nil {
		s.metrics.Batches.Inc()
		s.metrics.BatchBytes.Add(int64(w.Len()))
		err = s.Err() // of a flush that has failed meanwhile
	}
	return errors.Join(err, w.Close())
}

// makeRoom waits while too much is in memory, or too much on disk is unsorted, for n more bytes.
func (s *Store) makeRoom(n int64) error {
	const sublevelsMax = 20
	if s.unseen += n; s.unseen < s.opts.MemTableBytes/4 {
		return nil
	}
	s.unseen = 0
	for {
		if err := s.Err(); err != nil {
			return err
		}
		// Metrics takes the lock that a goroutine parked at a failure of the
		// manifest holds for ever.
		var m *pebble.Metrics
		if err := s.seal.run(func() error { m = s.db.Metrics(); return nil }); err != nil {
			return err
		}
		if m.MemTable.Size < uint64(3*s.opts.MemTableBytes) && m.Levels[0].Sublevels < sublevelsMax {
			return nil
		}
		s.compactions.release()
		select {
		case <-s.room:
		case <-s.seal.failed:
		}
	}
}

func (s *Store) signalRoom() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

func (s *Store) fill(w *pebble.Batch, b *znode.Batch) error {
	if !s.hasState {
		if err := w.Set([]byte{spaceVersion}, []byte{formatVersion}, nil); err != nil {
			return err
		}
	}
	if err := s.reindex(w, b); err != nil {
		return err
	}
	for i := range b.Changes {
		if err := s.fillChange(w, b, &b.Changes[i]); err != nil {
			return err
		}
	}
	for _, r := range b.Records {
		s.key = append(append(s.key[:0], spaceRecord), r.Key...)
		if err := setOrDelete(w, s.key, r.Value); err != nil {
			return err
		}
	}
	return s.setState(w, &b.State)
}

func (s *Store) setState(w *pebble.Batch, state *znode.State) error {
	var buf [64]byte
	return w.Set([]byte{spaceState}, appendState(buf[:0], state), nil)
}

func setOrDelete(w *pebble.Batch, key, value []byte) error {
	if value == nil {
		return w.Delete(key, nil)
	}
	return w.Set(key, value, nil)
}

// fillChange writes a node and its places in the secondary key spaces.
func (s *Store) fillChange(w *pebble.Batch, b *znode.Batch, c *znode.Change) error {
	s.key = appendNodeKey(s.key[:0], c.Path)
	var err error
	if c.New == nil {
		err = w.Delete(s.key, nil)
	} else {
		err = s.setNode(w, s.key, c.New)
	}
	if err != nil {
		return err
	}
	if c.Parent < 0 {
		return nil // still the same node, so its owner and czxid are as they were
	}
	if err := s.fillOwner(w, c); err != nil {
		return err
	}
	parent := &b.Changes[c.Parent]
	if c.New != nil {
		s.born(c, parent.Path)
	}
	if parent.New == nil || parent.New.StoreFlags&indexed == 0 {
		return nil
	}
	name := znode.Base(c.Path)
	if c.Old != nil {
		s.key = appendIndexKey(s.key[:0], parent.Path, c.Old.Czxid, name)
		if err := w.Delete(s.key, nil); err != nil {
			return err
		}
	}
	if c.New != nil {
		s.key = appendIndexKey(s.key[:0], parent.Path, c.New.Czxid, name)
		return w.Set(s.key, nil, nil)
	}
	return nil
}

// setNode encodes the node where the batch keeps it, without a copy in between.
func (s *Store) setNode(w *pebble.Batch, key []byte, n *znode.Node) error {
	s.value = appendNode(s.value[:0], n)
	return w.Set(key, s.value, nil)
}

// fillOwner keeps the indexes of ephemerals and of candidates for reaping.
func (s *Store) fillOwner(w *pebble.Batch, c *znode.Change) error {
	var old, owner znode.Owner
	if c.Old != nil {
		old = c.Old.Owner
	}
	if c.New != nil {
		owner = c.New.Owner
	}
	if old != 0 && old != owner {
		s.key = appendOwnerKey(s.key[:0], old, c.Path)
		if err := w.Delete(s.key, nil); err != nil {
			return err
		}
	}
	if owner == 0 {
		return nil
	}
	s.key = appendOwnerKey(s.key[:0], owner, c.Path)
	if owner.IsSession() {
		return w.Set(s.key, nil, nil)
	}
	var v [16]byte
	binary.BigEndian.PutUint64(v[:], uint64(owner))
	binary.BigEndian.PutUint64(v[8:], uint64(c.New.Ctime))
	return w.Set(s.key, v[:], nil)
}

// reindex sets which nodes have an index of their children, and builds or drops it where that
// changes. It comes before the changes of children, which keep to what it set.
func (s *Store) reindex(w *pebble.Batch, b *znode.Batch) error {
	for i := range b.Changes {
		c := &b.Changes[i]
		had := c.Old != nil && c.Old.StoreFlags&indexed != 0
		has := had && c.New != nil && int(c.New.NumChildren) >= s.opts.PageIndexMin/2 ||
			c.New != nil && int(c.New.NumChildren) >= s.opts.PageIndexMin
		if c.New != nil {
			c.New.StoreFlags &^= indexed
			if has {
				c.New.StoreFlags |= indexed
			}
		}
		var err error
		switch {
		case had && !has:
			prefix := appendIndexPrefix(nil, c.Path)
			err = w.DeleteRange(prefix, successor(prefix), nil)
		case has && !had:
			err = s.buildIndex(w, c.Path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// buildIndex enters the children that path has in the view.
func (s *Store) buildIndex(w *pebble.Batch, path string) error {
	it, err := s.openChildren(path)
	if err != nil {
		return err
	}
	for name, ok := it.Next(); ok; name, ok = it.Next() {
		s.key = appendIndexKey(s.key[:0], path, it.Czxid(), string(name))
		if err := w.Set(s.key, nil, nil); err != nil {
			it.fail(err)
			break
		}
	}
	return it.Close()
}
