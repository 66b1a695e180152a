package bench

import (
	"math/bits"
	"time"
)

// subBits is the number of bits of a value that its bucket keeps, after the highest: buckets
// are at most 1/32 of their value wide.
const subBits = 5

// histogram counts durations, in nanoseconds. Values below 32 have a bucket each, then every
// power of two has 32. The zero value is empty. It belongs to one goroutine.
type histogram struct {
	buckets [(64 - subBits) << subBits]uint32
	count   int64
	max     int64
}

func bucketOf(v int64) int {
	if v < 1<<subBits {
		return int(max(v, 0))
	}
	shift := bits.Len64(uint64(v)) - 1 - subBits
	return shift<<subBits + int(v>>shift)
}

// upperBound returns the largest value of a bucket.
func upperBound(bucket int) int64 {
	if bucket < 2<<subBits {
		return int64(bucket)
	}
	shift := bucket>>subBits - 1
	mantissa := int64(bucket - shift<<subBits)
	return (mantissa+1)<<shift - 1
}

// add counts n values of v nanoseconds.
func (h *histogram) add(v int64, n int64) {
	h.buckets[bucketOf(v)] += uint32(n)
	h.count += n
	h.max = max(h.max, v)
}

// merge adds the values of other.
func (h *histogram) merge(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.max = max(h.max, other.max)
}

// quantile returns a value that the fraction q of all values does not exceed, at most 1/32
// above the true one; 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := int64(q * float64(h.count))
	for i, n := range h.buckets {
		if rank -= int64(n); rank < 0 {
			return time.Duration(min(upperBound(i), h.max))
		}
	}
	return time.Duration(h.max)
}
