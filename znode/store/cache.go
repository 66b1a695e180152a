package store

import (
	"hash/maphash"
	"sync"

	"holt/znode"
)

// cache holds the nodes in use, up to a number of bytes. A node that was asked
// for again since the hand last came by gets another round (CLOCK); one that was
// only written or read once goes first, so a scan or a burst of creations does not push the hot ones out.
//
// Nodes are found by a hash of their path alone; when two paths have the same, the one
// that came last is in the cache.
type cache struct {
	seed   maphash.Seed
	shards []shard
	mask   uint64
}

// shard is one part of the cache with its own lock, padded so that no two share a cache line.
//
// Its slots are a hash table with linear probing, so that finding a node takes one place in memory
// besides the node. Nothing is between a slot and the place its hash asks for but slots in use.
type shard struct {
	mu    sync.Mutex
	slots []slot // a power of two of them, less than four fifths in use
	used  int
	hand  int
	bytes int64
	max   int64
	hits  int64
	// misses are those of find, also of nodes that do not exist.
	misses int64
	_      [48]byte
}

type slot struct {
	node *znode.Node // nil if the slot is free
	hash uint64
	size int32
	ref  bool // asked for since the hand came by
}

const (
	shardsMax     = 64
	shardBytesMin = 256 << 10
	// slotOverhead is what a slot takes, with its share of the free ones.
	slotOverhead = 48
	slotsMin     = 16
)

func newCache(bytes int64) *cache {
	n := 1
	for n < shardsMax && bytes/int64(2*n) >= shardBytesMin {
		n *= 2
	}
	c := &cache{seed: maphash.MakeSeed(), shards: make([]shard, n), mask: uint64(n - 1)}
	for i := range c.shards {
		c.shards[i].slots = make([]slot, slotsMin)
		c.shards[i].max = bytes / int64(n)
	}
	return c
}

func (c *cache) shard(hash uint64) *shard { return &c.shards[hash>>32&c.mask] }

func (c *cache) hash(path string) uint64 { return maphash.String(c.seed, path) }

func (c *cache) get(path string) *znode.Node { return c.find(c.hash(path), path) }

// find is get with the hash of the path.
func (c *cache) find(h uint64, path string) *znode.Node {
	s := c.shard(h)
	s.mu.Lock()
	if sl := &s.slots[s.place(h)]; sl.node != nil && sl.node.Path == path {
		sl.ref = true
		s.hits++
		n := sl.node
		s.mu.Unlock()
		return n
	}
	s.misses++
	s.mu.Unlock()
	return nil
}

// put makes n the node at its path.
func (c *cache) put(n *znode.Node) {
	h := c.hash(n.Path)
	size := n.Size() + slotOverhead
	s := c.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.place(h)
	sl := &s.slots[i]
	if size > s.max/4 {
		if sl.node != nil { // too large to keep, but what is there is stale
			s.drop(i)
		}
		return
	}
	if sl.node == nil {
		sl.hash = h
		s.used++
	}
	s.bytes += size - int64(sl.size)
	sl.node, sl.size = n, int32(size)
	s.evict(n)
	if s.used >= len(s.slots)/5*4 {
		s.grow()
	}
}

// remove forgets the node at path, if it is there.
func (c *cache) remove(path string) {
	h := c.hash(path)
	s := c.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.place(h); s.slots[i].node != nil {
		s.drop(i)
	}
}

// place returns the slot of a hash, or the free one that it would take.
func (s *shard) place(h uint64) int {
	mask := len(s.slots) - 1
	i := int(h) & mask
	for s.slots[i].node != nil && s.slots[i].hash != h {
		i = (i + 1) & mask
	}
	return i
}

// drop frees slot i, and moves those after it up that had to make way.
func (s *shard) drop(i int) {
	s.bytes -= int64(s.slots[i].size)
	s.used--
	mask := len(s.slots) - 1
	for j := (i + 1) & mask; s.slots[j].node != nil; j = (j + 1) & mask {
		if wish := int(s.slots[j].hash) & mask; (j-wish)&mask >= (j-i)&mask {
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = slot{}
}

func (s *shard) grow() {
	old := s.slots
	s.slots = make([]slot, 2*len(old))
	for _, sl := range old {
		if sl.node != nil {
			s.slots[s.place(sl.hash)] = sl
		}
	}
}

// evict makes room, sparing keep. It ends as no node is larger than a quarter of the shard.
func (s *shard) evict(keep *znode.Node) {
	for s.bytes > s.max {
		s.hand = s.hand & (len(s.slots) - 1)
		sl := &s.slots[s.hand]
		switch {
		case sl.node == nil || sl.node == keep:
		case sl.ref:
			sl.ref = false
		default:
			s.drop(s.hand) // another node may be here now
			continue
		}
		s.hand++
	}
}
