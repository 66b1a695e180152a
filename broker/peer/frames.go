package peer

import (
	"math/bits"
	"sync"
)

const (
	// frameKeptMax is the largest frame whose memory is kept: an answer to a fetch as large as
	// replica.fetch.response.max.bytes of 10 MiB allows.
	frameKeptMax = 16 << 20
	// frameIdleMax is how many answers in a row may need less than a quarter of what is kept, before
	// it goes. A follower with nothing to copy has two a second.
	frameIdleMax = 64
)

// frames keeps the memory of one answer for the next. Answers of megabytes that a follower copies one
// after the other would be garbage else, and the memory for each would be zeroed and, having been given
// back to the system, faulted in.
type frames struct {
	mu    sync.Mutex
	spare []byte
	idle  int // answers in a row that needed little of it
}

// take returns n bytes, of any content.
func (f *frames) take(n int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.spare
	f.spare = nil
	if 4*n < cap(b) {
		if f.idle++; f.idle > frameIdleMax {
			b, f.idle = nil, 0
		}
	} else {
		f.idle = 0
	}
	switch {
	case n <= cap(b):
		return b[:n]
	case n <= frameKeptMax:
		return make([]byte, n, 1<<bits.Len(uint(max(n, 1)-1)))
	}
	return make([]byte, n)
}

// give takes memory back that nobody uses any more.
func (f *frames) give(b []byte) {
	if cap(b) > frameKeptMax {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if cap(b) > cap(f.spare) {
		f.spare = b
	}
}
