package store

import (
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"holt/znode"
)

// deferred is what entries have changed since the database was last written to.
//
// An entry that neither creates nor deletes a node changes values alone, and often those that
// the entry before it changed: a counter, a leader's heartbeat, the records of the caller. It is
// kept here, and what is here goes to the database in one batch, each node once,
// with the state after the last entry in it:
//
//	with the next entry that creates or deletes, or when it is too much,
//	by Prepare                                     the next view has it: Publish empties this
//	by Flush, on its goroutine                     it stays here for the readers of the old view
//
// Both hold Store.writing, so batches reach the database in the order of their states. The maps are
// changed by Publish alone, with readers held off and mu held for Flush.
type deferred struct {
	mu      sync.Mutex
	nodes   map[string]deferredNode
	records map[string]deferredRecord
	bytes   int64       // of what the maps hold
	turn    uint64      // counts the entries that came here
	written uint64      // turn up to which all is in the database
	state   znode.State // after the last entry published
}

type deferredNode struct {
	node *znode.Node
	turn uint64
}

type deferredRecord struct {
	value []byte // nil if it is deleted
	turn  uint64
}

// deferredNodesMax bounds how long Prepare takes that writes them all.
const deferredNodesMax = 2048

// deferredOverhead is what a node or record takes here besides itself.
const deferredOverhead = 96

func newDeferred() deferred {
	return deferred{nodes: make(map[string]deferredNode), records: make(map[string]deferredRecord)}
}

// valuesOnly reports whether b leaves the set of nodes as it is, and each the node it was.
func valuesOnly(b *znode.Batch) bool {
	for i := range b.Changes {
		if c := &b.Changes[i]; c.Old == nil || c.New == nil || c.Parent >= 0 {
			return false
		}
	}
	return true
}

// fits reports whether b may wait in memory.
func (d *deferred) fits(b *znode.Batch, bytesMax int64) bool {
	n := d.bytes
	for i := range b.Changes {
		n += b.Changes[i].New.Size() + deferredOverhead
	}
	for _, r := range b.Records {
		n += int64(len(r.Key)+len(r.Value)) + deferredOverhead
	}
	return n <= bytesMax && len(d.nodes)+len(b.Changes) <= deferredNodesMax
}

// node returns the node at path, nil if it is not here.
func (d *deferred) node(path string) *znode.Node { return d.nodes[path].node }

// recordKeys returns the keys of the records here that have a prefix, in order.
func (d *deferred) recordKeys(prefix []byte) []string {
	var keys []string
	for k := range d.records {
		if strings.HasPrefix(k, string(prefix)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// add takes an entry over, whose state is s.
func (d *deferred) add(changes []znode.Change, records []znode.Record, s *znode.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn++
	d.state = *s
	for i := range changes {
		n := changes[i].New
		was, ok := d.nodes[n.Path]
		if ok {
			d.bytes -= was.node.Size()
		} else {
			d.bytes += deferredOverhead
		}
		d.bytes += n.Size()
		d.nodes[n.Path] = deferredNode{n, d.turn}
	}
	for _, r := range records {
		was, ok := d.records[string(r.Key)]
		if !ok {
			d.bytes += int64(len(r.Key)) + deferredOverhead
		}
		d.bytes += int64(len(r.Value) - len(was.value))
		d.records[string(r.Key)] = deferredRecord{slices.Clone(r.Value), d.turn}
	}
}

// reset forgets all, which a view shows whose state is s.
func (d *deferred) reset(s *znode.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.nodes)+len(d.records) > 0 { // clear is in proportion to what they once held
		clear(d.nodes)
		clear(d.records)
	}
	d.bytes, d.written, d.state = 0, d.turn, *s
}

// fillDeferred writes what the database lacks to w, and returns the turn up to which it then
// lacks nothing, and the state of that time.
func (s *Store) fillDeferred(w *pebble.Batch) (turn uint64, state znode.State, err error) {
	d := &s.deferred
	d.mu.Lock()
	var nodes []*znode.Node
	if d.written < d.turn {
		nodes = make([]*znode.Node, 0, len(d.nodes))
	}
	for _, n := range d.nodes {
		if n.turn > d.written {
			nodes = append(nodes, n.node)
		}
	}
	for k, r := range d.records {
		if r.turn > d.written && err == nil {
			s.key = append(append(s.key[:0], spaceRecord), k...)
			err = setOrDelete(w, s.key, r.value)
		}
	}
	turn, state = d.turn, d.state
	d.mu.Unlock()

	// Close to the order of keys, in which they go to a memtable faster.
	slices.SortFunc(nodes, func(a, b *znode.Node) int { return strings.Compare(a.Path, b.Path) })
	for _, n := range nodes {
		if err != nil {
			break
		}
		s.key = appendNodeKey(s.key[:0], n.Path)
		err = s.setNode(w, s.key, n)
	}
	return turn, state, err
}

// writeDeferred brings the database to the state after the last entry published.
func (s *Store) writeDeferred() error {
	if err := s.Err(); err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if !s.deferred.behind() {
		return nil
	}
	w := s.db.NewBatch()
	turn, state, err := s.fillDeferred(w)
	if err == nil {
		err = s.setState(w, &state)
	}
	if err = s.apply(w, err); err != nil {
		s.seal.fail(err)
		return err
	}
	s.deferred.wrote(turn)
	s.stale.Store(true)
	return nil
}

// behind reports whether something is here that is not in the database.
func (d *deferred) behind() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.written < d.turn
}

func (d *deferred) wrote(turn uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.written = turn
}
