package metric

import "testing"

func TestRange(t *testing.T) {
	var r Range
	check := func(last, least, most int64) {
		t.Helper()
		if l, a, b := r.Load(); l != last || a != least || b != most {
			t.Errorf("%d, %d, %d, want %d, %d, %d", l, a, b, last, least, most)
		}
	}
	check(-1, -1, -1)
	r.Observe(7, 7, 7)
	check(7, 7, 7)
	r.Observe(9, 0, 12)
	check(9, 0, 12)
	r.Observe(3, 3, 5)
	check(3, 0, 12)
	r.Reset()
	check(-1, -1, -1)
}
