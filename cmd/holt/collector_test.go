package main

import "testing"

func TestCollectorPercent(t *testing.T) {
	const mib = 1 << 20
	percent := smallHeapPercent
	for _, step := range []struct {
		live uint64
		want int
	}{{0, 100}, {60 * mib, 100}, {64 * mib, 50}, {50 * mib, 50}, {48 * mib, 100}, {63 * mib, 100}, {1 << 40, 50}} {
		if percent = collectorPercent(step.live, percent); percent != step.want {
			t.Errorf("%d MiB live: %d %%, want %d %%", step.live/mib, percent, step.want)
		}
	}
}
