package store

import (
	"hash/maphash"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"holt/znode"
)

// nursery saves most creations the look into the database that shows that the
// node does not exist yet, which costs as much as the rest of a creation.
//
// For the few parents under which many nodes are created it holds a filter (Bloom) of the
// children they have. It is built from the database little by little, by the lookups
// that had to go there, so that the work stays in proportion and nobody waits; what is
// created meanwhile is added as it is written. Once the scan is through, the filter holds
// all children there are, and a path it does not hold does not exist.
//
// It is the writer's own, needs no account of deletions (they only make it less
// sharp), and is not kept: after a restart it begins anew.
type nursery struct {
	broods map[string]*brood // by path of the parent
	bytes  int               // of all filters
	tick   uint64            // counts lookups, to find the brood longest unused
}

// brood is one parent's children.
type brood struct {
	misses int    // lookups that went to the database and found nothing
	used   uint64 // nursery.tick of the last lookup
	state  broodState
	next   []byte // key at which the scan goes on
	layers []layer
	count  int // names added to the last layer
}

type broodState uint8

const (
	idle     broodState = iota // not worth it yet
	scanning                   // holds what was created since, and what was scanned
	complete                   // holds all
	hopeless                   // too many children
)

// layer is a Bloom filter in blocks of a cache line. When it is as full as it may
// be, one of twice its size is put on top.
type layer [][8]uint64

const (
	broodsMax       = 32
	nurseryBytesMax = 8 << 20
	// broodMisses is from how many misses on a filter is built.
	broodMisses = 64
	// scanStep is how many children are scanned per miss.
	scanStep = 64
	// namesPerBlock gives 12 bits to a name: one lookup in a hundred goes to the
	// database in vain.
	namesPerBlock  = 42
	layerBlocksMin = 64
)

// brood returns that of a parent, a new one if need be in place of the one longest unused.
func (n *nursery) brood(parent string) *brood {
	n.tick++
	b := n.broods[parent]
	if b == nil {
		if len(n.broods) >= broodsMax {
			n.evict(nil)
		}
		b = new(brood)
		n.broods[strings.Clone(parent)] = b // it may alias a caller's buffer
	}
	b.used = n.tick
	return b
}

// evict gives up the brood longest unused but for keep. It reports whether there was one.
func (n *nursery) evict(keep *brood) bool {
	var oldest *brood
	var path string
	for p, b := range n.broods {
		if b != keep && (oldest == nil || b.used < oldest.used) {
			oldest, path = b, p
		}
	}
	if oldest == nil {
		return false
	}
	n.bytes -= oldest.bytes()
	delete(n.broods, path)
	return true
}

func (b *brood) bytes() (n int) {
	for _, l := range b.layers {
		n += len(l) * 64
	}
	return n
}

// barren reports whether a child with this hash is known not to exist.
func (b *brood) barren(hash uint64) bool {
	if b.state != complete {
		return false
	}
	for i := len(b.layers) - 1; i >= 0; i-- {
		if b.layers[i].has(hash) {
			return false
		}
	}
	return true
}

// add notes a child, if anybody will want to know.
func (n *nursery) add(b *brood, hash uint64) {
	if b.state != scanning && b.state != complete {
		return
	}
	top := len(b.layers) - 1
	if top < 0 || b.count >= len(b.layers[top])*namesPerBlock {
		blocks := layerBlocksMin << (top + 1)
		for n.bytes+blocks*64 > nurseryBytesMax {
			if !n.evict(b) {
				n.bytes -= b.bytes()
				*b = brood{state: hopeless, used: b.used}
				return
			}
		}
		n.bytes += blocks * 64
		b.layers = append(b.layers, make(layer, blocks))
		b.count = 0
		top++
	}
	b.layers[top].add(hash)
	b.count++
}

// spread yields the place of the i-th of a hash's six bits within its block.
func spread(hash uint64, i int) (word int, mask uint64) {
	h := hash * 0x9e3779b97f4a7c15 >> (9 * i) // nine bits each, of the product's low 54
	return int(h & 7), 1 << (h >> 3 & 63)
}

func (l layer) block(hash uint64) *[8]uint64 { return &l[(hash>>32)%uint64(len(l))] }

func (l layer) has(hash uint64) bool {
	b := l.block(hash)
	for i := range 6 {
		if word, mask := spread(hash, i); b[word]&mask == 0 {
			return false
		}
	}
	return true
}

func (l layer) add(hash uint64) {
	b := l.block(hash)
	for i := range 6 {
		word, mask := spread(hash, i)
		b[word] |= mask
	}
}

// born notes the children that a batch creates.
func (s *Store) born(c *znode.Change, parent string) {
	if b := s.nursery.broods[parent]; b != nil {
		s.nursery.add(b, s.cache.hash(c.Path))
	}
}

// missed is called when a lookup went to the database and found nothing.
func (s *Store) missed(b *brood, parent string) error {
	switch b.misses++; {
	case b.state == scanning:
	case b.state == idle && b.misses >= broodMisses:
		b.state = scanning
		b.next = appendBelow(nil, parent, 1)
	default:
		return nil
	}
	it, err := s.iter(pebble.IterOptions{LowerBound: b.next, UpperBound: successor(appendBelow(nil, parent, 1))})
	if err != nil {
		return err
	}
	ok := it.First()
	for i := 0; ok && i < scanStep && b.state == scanning; i++ {
		s.nursery.add(b, maphash.Bytes(s.cache.seed, nodeKeyPath(it.Key())))
		ok = it.Next()
	}
	if ok {
		b.next = append(b.next[:0], it.Key()...)
	} else if b.state == scanning && it.Error() == nil {
		b.state = complete
	}
	return it.Close()
}
