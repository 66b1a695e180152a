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
type shard struct {
	mu    sync.Mutex
	index map[uint64]int32 // hash of path -> slot
	slots []slot
	free  []int32
	hand  int
	bytes int64
	max   int64
	hits  int64
	_     [24]byte
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
	// slotOverhead is what a slot and its place in the index take.
	slotOverhead = 48
)

func newCache(bytes int64) *cache {
	n := 1
	for n < shardsMax && bytes/int64(2*n) >= shardBytesMin {
		n *= 2
	}
	c := &cache{seed: maphash.MakeSeed(), shards: make([]shard, n), mask: uint64(n - 1)}
	for i := range c.shards {
		c.shards[i].index = make(map[uint64]int32)
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
	if i, ok := s.index[h]; ok {
		sl := &s.slots[i]
		if n := sl.node; n.Path == path {
			sl.ref = true
			s.hits++
			s.mu.Unlock()
			return n
		}
	}
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
	i, ok := s.index[h]
	if size > s.max/4 {
		if ok { // too large to keep, but what is there is stale
			s.drop(i)
		}
		return
	}
	if ok {
		sl := &s.slots[i]
		s.bytes += size - int64(sl.size)
		sl.node, sl.size = n, int32(size)
	} else {
		i = s.slot()
		s.slots[i] = slot{node: n, hash: h, size: int32(size)}
		s.index[h] = i
		s.bytes += size
	}
	s.evict(i)
}

// remove forgets the node at path, if it is there.
func (c *cache) remove(path string) {
	h := c.hash(path)
	s := c.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.index[h]; ok {
		s.drop(i)
	}
}

func (s *shard) slot() int32 {
	if k := len(s.free); k > 0 {
		i := s.free[k-1]
		s.free = s.free[:k-1]
		return i
	}
	s.slots = append(s.slots, slot{})
	return int32(len(s.slots) - 1)
}

func (s *shard) drop(i int32) {
	sl := &s.slots[i]
	delete(s.index, sl.hash)
	s.bytes -= int64(sl.size)
	*sl = slot{}
	s.free = append(s.free, i)
}

// evict makes room, sparing slot keep. It ends as no node is larger than a quarter of the shard.
func (s *shard) evict(keep int32) {
	for s.bytes > s.max {
		s.hand++
		if s.hand >= len(s.slots) {
			s.hand = 0
		}
		sl := &s.slots[s.hand]
		switch {
		case sl.node == nil || int32(s.hand) == keep:
		case sl.ref:
			sl.ref = false
		default:
			s.drop(int32(s.hand))
		}
	}
}
