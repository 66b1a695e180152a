package main

import (
	"strings"
	"testing"
)

func TestCells(t *testing.T) {
	for _, c := range []struct {
		r    row
		want string
	}{
		{row{"l", "throughput", "MB/s", 200, 100, noWorse(true)}, "l|throughput|200 MB/s|100 MB/s|2|≥ 1|yes"},
		{row{"l", "throughput", "MB/s", 50, 100, noWorse(true)}, "l|throughput|50 MB/s|100 MB/s|0.5|≥ 1|NO"},
		{row{"l", "p99", "ms", 6, 10, atMost(0.5, "≤ 1/2")}, "l|p99|6 ms|10 ms|0.6|≤ 1/2|NO"},
		{row{"l", "p99", "ms", 0, 10, atMost(0.5, "≤ 1/2")}, "l|p99|–|10 ms||≤ 1/2|"},
	} {
		if got := strings.Join(c.r.cells(), "|"); got != c.want {
			t.Errorf("cells of %v = %s, want %s", c.r, got, c.want)
		}
	}
}

func TestReplaceTable(t *testing.T) {
	once := replaceTable("before\n", "one\n")
	if got, want := replaceTable(once+"after\n", "two\n"), "before\n"+tableBegin+"two\n"+tableEnd+"after\n"; got != want {
		t.Errorf("replaced = %q, want %q", got, want)
	}
}

func TestMedian(t *testing.T) {
	if got := median([]float64{3, 1, 2, 10}); got != 2.5 {
		t.Errorf("median = %v, want 2.5", got)
	}
}
