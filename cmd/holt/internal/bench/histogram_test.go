package bench

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBucketBounds(t *testing.T) {
	for _, v := range []int64{0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 1000, 999_999, 1 << 40, 1<<62 + 12345, 1<<63 - 1} {
		b := bucketOf(v)
		upper := upperBound(b)
		if v > upper || b > 0 && v <= upperBound(b-1) {
			t.Errorf("%d is not in bucket %d, which ends at %d after %d", v, b, upper, upperBound(b-1))
		}
		if float64(upper-v) > float64(v)/32 {
			t.Errorf("bucket %d of %d ends at %d: too wide", b, v, upper)
		}
	}
	if got := bucketOf(-5); got != 0 {
		t.Errorf("bucket of a negative value = %d", got)
	}
}

func TestQuantile(t *testing.T) {
	var h, part histogram
	if h.quantile(0.5) != 0 {
		t.Error("quantile of nothing is not 0")
	}
	var values []int64
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		v := rng.Int64N(1 << rng.IntN(40))
		values = append(values, v)
		if v%2 == 0 {
			h.add(v, 1)
		} else {
			part.add(v, 1)
		}
	}
	h.merge(&part)
	slices.Sort(values)
	for _, q := range []float64{0, 0.5, 0.99, 0.999} {
		want := values[int(q*float64(len(values)))]
		got := int64(h.quantile(q))
		if got < want || float64(got-want) > float64(want)/32 {
			t.Errorf("quantile %v = %d, want %d to 1/32 more", q, got, want)
		}
	}
	if got := int64(h.quantile(1)); got != values[len(values)-1] {
		t.Errorf("quantile 1 = %d, want the maximum %d", got, values[len(values)-1])
	}
}
