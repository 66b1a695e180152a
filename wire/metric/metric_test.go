package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBucketsCoverEveryValueOnce(t *testing.T) {
	next := int64(0)
	for b := range buckets {
		low, high := bounds(b)
		if low != next {
			t.Fatalf("bucket %d begins at %d, the one before ended at %d", b, low, next)
		}
		for _, v := range []int64{low, low + (high-low)/2, high - 1} {
			if got := bucketOf(v); got != b {
				t.Fatalf("bucketOf(%d) = %d, want %d", v, got, b)
			}
		}
		if next = high; high < 0 {
			break // the last bucket's end is beyond int64
		}
	}
	if got := bucketOf(math.MaxInt64); got != buckets-1 {
		t.Fatalf("bucketOf(max) = %d, want %d", got, buckets-1)
	}
}

func TestQuantilesAreWithinSixPercent(t *testing.T) {
	var h Histogram
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]int64, 100_000)
	for i := range values {
		values[i] = int64(math.Exp(r.Float64() * 20))
		h.Observe(values[i])
	}
	slices.Sort(values)
	s := h.Snapshot()
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		want := float64(values[int(q*float64(len(values)))])
		if got := float64(s.Quantile(q)); math.Abs(got-want) > 0.0625*want+1 {
			t.Errorf("Quantile(%v) = %v, want %v", q, got, want)
		}
	}
	if s.Min() != values[0] || s.Max() != values[len(values)-1] || s.Count() != int64(len(values)) {
		t.Errorf("min %d max %d count %d, want %d %d %d", s.Min(), s.Max(), s.Count(), values[0], values[len(values)-1], len(values))
	}
}

func TestEmptyAndReset(t *testing.T) {
	var h Histogram
	h.Observe(-5)
	if s := h.Snapshot(); s.Count() != 1 || s.Min() != 0 || s.Max() != 0 || s.Quantile(0.5) != 0 {
		t.Errorf("after a negative value: %d values from %d to %d", s.Count(), s.Min(), s.Max())
	}
	h.ObserveN(100, 3)
	h.Reset()
	s := h.Snapshot()
	if s.Count() != 0 || s.Sum() != 0 || s.Max() != 0 || s.Quantile(0.99) != 0 {
		t.Errorf("after Reset: %d values, sum %d, max %d", s.Count(), s.Sum(), s.Max())
	}
}

func TestMerge(t *testing.T) {
	var a, b Histogram
	a.Observe(10)
	b.Observe(1000)
	s := a.Snapshot()
	s.Merge(b.Snapshot())
	if s.Count() != 2 || s.Min() != 10 || s.Max() != 1000 || s.Sum() != 1010 {
		t.Errorf("merged: %d values from %d to %d, sum %d", s.Count(), s.Min(), s.Max(), s.Sum())
	}
	var last, uppers int64
	s.Cumulative(func(upper, count int64) { uppers++; last = count })
	if uppers != 2 || last != 2 {
		t.Errorf("Cumulative visited %d bounds up to %d values, want 2 and 2", uppers, last)
	}
}

// TestRun compares values observed in runs with the same observed one by one.
func TestRun(t *testing.T) {
	var want, got, other Histogram
	var run Run
	r := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		v, n := int64(90+r.IntN(40)), int64(1+r.IntN(3))
		want.ObserveN(v, n)
		run.Observe(&got, v, n)
		if r.IntN(10) == 0 {
			run.Observe(&other, -1, 1)
		}
	}
	run.Flush()
	run.Flush()
	if a, b := want.Snapshot(), got.Snapshot(); *a != *b {
		t.Errorf("%d values of %d from %d to %d, want %d of %d from %d to %d",
			b.Count(), b.Sum(), b.Min(), b.Max(), a.Count(), a.Sum(), a.Min(), a.Max())
	}
	if s := other.Snapshot(); s.Count() == 0 || s.Sum() != 0 {
		t.Errorf("%d negative values with sum %d", s.Count(), s.Sum())
	}
}

func BenchmarkObserve(b *testing.B) {
	var h Histogram
	v := int64(1)
	b.ReportAllocs()
	for b.Loop() {
		h.Observe(v)
		v = v*7%1_000_003 + 1
	}
}
