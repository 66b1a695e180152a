package store

import (
	"fmt"
	"hash/maphash"
	"testing"
)

func TestNurseryHoldsWhatItGot(t *testing.T) {
	n := nursery{broods: make(map[string]*brood)}
	b := n.brood("/a")
	b.state = scanning
	seed := maphash.MakeSeed()
	hash := func(i int) uint64 { return maphash.String(seed, fmt.Sprint("/a/", i)) }
	const names = 200_000
	for i := range names {
		n.add(b, hash(i))
	}
	if b.barren(hash(-1)) {
		t.Error("an incomplete filter denies a name")
	}
	b.state = complete
	for i := range names {
		if b.barren(hash(i)) {
			t.Fatalf("name %d of %d is denied", i, names)
		}
	}
	wrong := 0
	for i := range names {
		if !b.barren(hash(names + i)) {
			wrong++
		}
	}
	if wrong > names/25 {
		t.Errorf("%d of %d absent names pass", wrong, names)
	}
	if perName := float64(n.bytes) / names; perName > 6 {
		t.Errorf("%.1f bytes per name", perName)
	}
	t.Logf("%d layers, %d bytes, %.2f%% pass in vain", len(b.layers), n.bytes, 100*float64(wrong)/names)
}

func TestNurseryIsBounded(t *testing.T) {
	n := nursery{broods: make(map[string]*brood)}
	seed := maphash.MakeSeed()
	first := n.brood("/first")
	first.state = complete
	n.add(first, 1)
	for i := range 10 * broodsMax {
		b := n.brood(fmt.Sprint("/", i))
		b.state = complete
		n.add(b, 1)
	}
	if len(n.broods) > broodsMax {
		t.Errorf("%d broods", len(n.broods))
	}
	big := n.brood("/big")
	big.state = scanning
	for i := 0; big.state == scanning; i++ {
		n.add(big, maphash.Comparable(seed, i))
		if n.bytes > nurseryBytesMax {
			t.Fatalf("%d bytes after %d names", n.bytes, i)
		}
		if i > 100*nurseryBytesMax {
			t.Fatal("a brood without end")
		}
	}
	if big.state != hopeless || big.bytes() != 0 || n.bytes != 0 {
		t.Errorf("state %d, %d bytes of its own, %d of all", big.state, big.bytes(), n.bytes)
	}
	n.add(big, 1)
	if big.barren(2) {
		t.Error("a hopeless brood denies a name")
	}
}
