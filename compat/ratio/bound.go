package ratio

import "slices"

// Bound is what a ratio of Holt's figure to the other's must not exceed, or must reach; or what
// Holt's own figure must not exceed. The zero Bound asks for nothing.
type Bound struct {
	limit   float64
	reach   bool
	own     bool
	written string
}

// AtMost is met by a ratio that is not greater. written is the number as the table shows it.
func AtMost(ratio float64, written string) Bound {
	return Bound{limit: ratio, written: "≤ " + written}
}

// AtLeast is met by a ratio that is not less.
func AtLeast(ratio float64, written string) Bound {
	return Bound{limit: ratio, reach: true, written: "≥ " + written}
}

// AtMostOwn is met if Holt's figure, whatever the other's, is not greater.
func AtMostOwn(v float64, written string) Bound {
	return Bound{limit: v, own: true, written: "≤ " + written}
}

// verdict is what the table says: nothing where there is no bound, or not what it needs.
func (b Bound) verdict(holt, other float64) string {
	v := holt
	if !b.own {
		v = ratio(holt, other)
	}
	switch {
	case b.written == "", !b.own && (holt == 0 || other == 0):
		return ""
	case b.reach && v >= b.limit, !b.reach && v <= b.limit:
		return "yes"
	}
	return "NO"
}

func ratio(holt, other float64) float64 {
	if other == 0 {
		return 0
	}
	return holt / other
}

// Median returns the middle value, the mean of the two middle ones for an even number, 0 for
// none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
