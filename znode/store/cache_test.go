package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"holt/znode"
)

// TestCacheRandom: what the cache holds is what was put last, its sums are right, and each node in it can be found.
func TestCacheRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	c := newCache(512 << 10) // two shards
	latest := map[string]*znode.Node{}
	hits := 0
	for i := range 50_000 {
		path := fmt.Sprintf("/%d", r.IntN(4000))
		switch r.IntN(4) {
		case 0:
			c.remove(path)
			delete(latest, path)
		case 1, 2:
			n := &znode.Node{ACL: znode.OpenACL()}
			size := r.IntN(200)
			if r.IntN(1000) == 0 {
				size = 100 << 10 // too large to be kept
			}
			n.SetContents(path, make([]byte, size))
			c.put(n)
			latest[path] = n
		case 3:
			if n := c.get(path); n != nil {
				hits++
				if n != latest[path] {
					t.Fatalf("step %d: %s is %p, want %p", i, path, n, latest[path])
				}
			}
		}
		if i%1000 == 0 {
			checkShards(t, c)
		}
	}
	if hits < 1000 {
		t.Errorf("%d hits: too few to mean anything", hits)
	}
}

func checkShards(t *testing.T, c *cache) {
	t.Helper()
	for i := range c.shards {
		s := &c.shards[i]
		var bytes int64
		used := 0
		for k, sl := range s.slots {
			if sl.node == nil {
				continue
			}
			used++
			bytes += int64(sl.size)
			if s.place(sl.hash) != k || c.shard(sl.hash) != s {
				t.Fatalf("%s cannot be found", sl.node.Path)
			}
		}
		if used != s.used || bytes != s.bytes || bytes > s.max {
			t.Fatalf("shard %d: %d slots of %d bytes in use, it counts %d of %d, at most %d", i, used, bytes, s.used, s.bytes, s.max)
		}
	}
}
