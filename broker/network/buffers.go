package network

import (
	"math/bits"
	"sync"
)

const (
	bufferMinBits = 10 // 1 KiB
	bufferMaxBits = 24 // 16 MiB; larger ones are not kept
)

// buffer is memory that came from a pool. It is passed by pointer so that putting
// it back allocates nothing.
type buffer struct{ b []byte }

// buffers are pools of byte slices by size, each a power of two.
type buffers struct {
	pools [bufferMaxBits - bufferMinBits + 1]sync.Pool
}

func bufferClass(n int) int {
	return max(bits.Len(uint(max(n, 1)-1)), bufferMinBits) - bufferMinBits
}

// reuse returns a buffer with len(b) ≥ n if there is one to be had without
// allocating, else nil.
func (p *buffers) reuse(n int) *buffer {
	class := bufferClass(n)
	if class >= len(p.pools) {
		return nil
	}
	b, _ := p.pools[class].Get().(*buffer)
	return b
}

// get returns a buffer with len(b) ≥ n.
func (p *buffers) get(n int) *buffer {
	if b := p.reuse(n); b != nil {
		return b
	}
	if class := bufferClass(n); class < len(p.pools) {
		n = 1 << (class + bufferMinBits)
	}
	return &buffer{make([]byte, n)}
}

// put takes a buffer back; nobody may use it any more.
func (p *buffers) put(b *buffer) {
	n := cap(b.b)
	// By size rounded down: append may have made it of any capacity.
	class := bits.Len(uint(n)) - 1 - bufferMinBits
	if class < 0 || class >= len(p.pools) {
		return
	}
	b.b = b.b[:n]
	p.pools[class].Put(b)
}
