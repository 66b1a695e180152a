package main

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector lets the heap grow by as much as lives before it collects. Of a member with a small tree
// little lives, and collecting more often would cost CPU for a few MiB. What lives of a large one are caches of bounded
// size, which hold little to scan: there the heap grows by half only, which with a million nodes under one
// parent saves 55 MiB of 250.
const (
	smallHeapPercent = 100 // Go's default
	largeHeapPercent = 50
	// largeHeapMin is from how many live bytes a heap is large, and smallHeapMax at how many it is small again.
	largeHeapMin = 64 << 20
	smallHeapMax = 48 << 20
	// heapLookEvery is how often that is looked at; a look costs a microsecond.
	heapLookEvery = time.Second
)

// collectorPercent returns by how many percent a heap may grow of which so many bytes live, and which may grow by
// now percent so far.
func collectorPercent(live uint64, now int) int {
	switch {
	case live >= largeHeapMin:
		return largeHeapPercent
	case live <= smallHeapMax:
		return smallHeapPercent
	}
	return now
}

// tuneCollector adjusts the garbage collector to the heap for as long as the process runs. GOGC, if set, outweighs it.
func (a *app) tuneCollector() {
	if a.getenv("GOGC") != "" {
		return
	}
	a.tuned.Do(func() {
		go func() {
			live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
			percent := smallHeapPercent
			for range time.Tick(heapLookEvery) {
				metrics.Read(live)
				if p := collectorPercent(live[0].Value.Uint64(), percent); p != percent {
					percent = p
					debug.SetGCPercent(p)
				}
			}
		}()
	})
}
