package metric

import (
	"math/bits"
	"sync/atomic"
)

// Counter counts events.
type Counter struct{ n atomic.Int64 }

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Add adds n, which is not negative.
func (c *Counter) Add(n int64) { c.n.Add(n) }

// Load returns the count since the start or the last Reset.
func (c *Counter) Load() int64 { return c.n.Load() }

// Reset starts again at zero.
func (c *Counter) Reset() { c.n.Store(0) }

// Gauge is a value that goes up and down.
type Gauge struct{ n atomic.Int64 }

// Set replaces the value.
func (g *Gauge) Set(n int64) { g.n.Store(n) }

// Add changes the value by n.
func (g *Gauge) Add(n int64) { g.n.Add(n) }

// Load returns the value.
func (g *Gauge) Load() int64 { return g.n.Load() }

// Range is the last, the least and the greatest of values that are not
// negative.
type Range struct{ last, min, max atomic.Int64 } // each plus one: 0 means no value yet

// Observe adds values of which last came last and the others lie between min and
// max.
func (r *Range) Observe(last, min, max int64) {
	if r.last.Load() != last+1 { // to write costs the others a cache miss, to read does not
		r.last.Store(last + 1)
	}
	for m := r.max.Load(); max+1 > m && !r.max.CompareAndSwap(m, max+1); m = r.max.Load() {
	}
	for m := r.min.Load(); (m == 0 || min+1 < m) && !r.min.CompareAndSwap(m, min+1); m = r.min.Load() {
	}
}

// Load returns the three values, −1 each if there was none since the start or the
// last Reset.
func (r *Range) Load() (last, min, max int64) {
	return r.last.Load() - 1, r.min.Load() - 1, r.max.Load() - 1
}

// Reset forgets all values.
func (r *Range) Reset() {
	r.last.Store(0)
	r.min.Store(0)
	r.max.Store(0)
}

const (
	linearBits = 4 // values below 1<<linearBits have a bucket each
	partBits   = 3 // parts of each power of two, as bits
	linear     = 1 << linearBits
	parts      = 1 << partBits
	buckets    = linear + (63-linearBits)*parts
)

// Histogram is a distribution of values that are not negative; a negative one
// counts as 0. What the values mean, nanoseconds or bytes or pieces, is the
// owner's word.
type Histogram struct {
	counts   [buckets]atomic.Int64
	sum      atomic.Int64
	max      atomic.Int64
	minPlus1 atomic.Int64 // 0: no value yet
}

// bucketOf returns the bucket of v ≥ 0.
func bucketOf(v int64) int {
	if v < linear {
		return int(v)
	}
	exp := bits.Len64(uint64(v)) - 1 // ≥ linearBits
	part := int(v>>(exp-partBits)) & (parts - 1)
	return linear + (exp-linearBits)*parts + part
}

// bounds returns the least value of a bucket and the least of the next one.
func bounds(bucket int) (low, high int64) {
	if bucket < linear {
		return int64(bucket), int64(bucket) + 1
	}
	exp := linearBits + (bucket-linear)/parts
	width := int64(1) << (exp - partBits)
	low = int64(1)<<exp + int64((bucket-linear)%parts)*width
	return low, low + width
}

// Observe adds one value.
func (h *Histogram) Observe(v int64) { h.ObserveN(v, 1) }

// ObserveN adds n equal values.
func (h *Histogram) ObserveN(v, n int64) {
	if v < 0 {
		v = 0
	}
	h.add(bucketOf(v), n, v*n, v, v)
}

// add adds n values of one bucket.
func (h *Histogram) add(bucket int, n, sum, least, most int64) {
	h.counts[bucket].Add(n)
	h.sum.Add(sum)
	for m := h.max.Load(); most > m && !h.max.CompareAndSwap(m, most); m = h.max.Load() {
	}
	for m := h.minPlus1.Load(); (m == 0 || least+1 < m) && !h.minPlus1.CompareAndSwap(m, least+1); m = h.minPlus1.Load() {
	}
}

// Run observes values that come one after another: those that fall into the same bucket are added together.
// Unlike all else here it is for one goroutine, which ends it by Flush. The zero value is ready to use.
type Run struct {
	h                   *Histogram // nil: nothing is gathered
	bucket              int
	n, sum, least, most int64
}

// Observe adds n equal values to h, now or with the next ones.
func (r *Run) Observe(h *Histogram, v, n int64) {
	v = max(v, 0)
	bucket := bucketOf(v)
	if h != r.h || bucket != r.bucket {
		r.Flush()
		*r = Run{h: h, bucket: bucket, least: v, most: v}
	}
	r.n += n
	r.sum += v * n
	r.least, r.most = min(r.least, v), max(r.most, v)
}

// Flush adds what was gathered.
func (r *Run) Flush() {
	if r.h != nil {
		r.h.add(r.bucket, r.n, r.sum, r.least, r.most)
		r.h = nil
	}
}

// Empty reports whether there was no value yet. It is much cheaper than Snapshot.
func (h *Histogram) Empty() bool { return h.minPlus1.Load() == 0 }

// Reset forgets all values. Observations made meanwhile may be half forgotten.
func (h *Histogram) Reset() {
	for i := range h.counts {
		h.counts[i].Store(0)
	}
	h.sum.Store(0)
	h.max.Store(0)
	h.minPlus1.Store(0)
}

// Snapshot is a histogram as it was at one time.
type Snapshot struct {
	counts        [buckets]int64
	count         int64
	sum, min, max int64
}

// Snapshot copies the present state.
func (h *Histogram) Snapshot() *Snapshot {
	s := &Snapshot{sum: h.sum.Load(), max: h.max.Load(), min: max(h.minPlus1.Load()-1, 0)}
	for i := range h.counts {
		s.counts[i] = h.counts[i].Load()
		s.count += s.counts[i]
	}
	return s
}

// Merge adds the values of o.
func (s *Snapshot) Merge(o *Snapshot) {
	if o.count == 0 {
		return
	}
	if s.count == 0 || o.min < s.min {
		s.min = o.min
	}
	s.max = max(s.max, o.max)
	s.sum += o.sum
	s.count += o.count
	for i, n := range o.counts {
		s.counts[i] += n
	}
}

// Count is the number of values.
func (s *Snapshot) Count() int64 { return s.count }

// Sum is their sum.
func (s *Snapshot) Sum() int64 { return s.sum }

// Min is the least value, 0 without values.
func (s *Snapshot) Min() int64 { return s.min }

// Max is the greatest value, 0 without values.
func (s *Snapshot) Max() int64 { return s.max }

// Quantile returns the value below which the share q (0 to 1) of all values lies,
// from within its bucket; 0 without values.
func (s *Snapshot) Quantile(q float64) int64 {
	if s.count == 0 {
		return 0
	}
	rank := int64(q * float64(s.count))
	var seen int64
	for i, n := range s.counts {
		if seen+n > rank {
			low, high := bounds(i)
			v := low + int64(float64(high-low)*(float64(rank-seen)+0.5)/float64(n))
			return min(max(v, s.min), s.max)
		}
		seen += n
	}
	return s.max
}

// Cumulative calls visit with ascending upper bounds (inclusive) and how many
// values are not above them; empty buckets are left out.
func (s *Snapshot) Cumulative(visit func(upper, count int64)) {
	var seen int64
	for i, n := range s.counts {
		if n == 0 {
			continue
		}
		seen += n
		_, high := bounds(i)
		visit(high-1, seen)
	}
}
