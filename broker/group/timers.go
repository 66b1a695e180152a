package group

import (
	"container/heap"
	"time"

	"holt/broker/journal"
)

// timer is a deadline of a member, a pending member or a group. It sits in the heap by at and is due
// at due, which is never before: putting a deadline off, as each heartbeat does, costs nothing.
type timer struct {
	due, at time.Duration
	index   int // in the heap, -1: not set
	group   *group
	member  *member
	pending string
}

// timers is a heap of timers.
type timers struct{ heap timerHeap }

// set makes a timer due at a moment.
func (ts *timers) set(t *timer, due time.Duration) {
	t.due = due
	switch {
	case t.index < 0:
		t.at = due
		heap.Push(&ts.heap, t)
	case due < t.at:
		t.at = due
		heap.Fix(&ts.heap, t.index)
	}
}

// stop makes a timer not due at all.
func (ts *timers) stop(t *timer) {
	if t.index >= 0 {
		heap.Remove(&ts.heap, t.index)
	}
}

// next returns when to call pop.
func (ts *timers) next() time.Duration {
	if len(ts.heap) == 0 {
		return journal.Never
	}
	return ts.heap[0].at
}

// pop takes out one timer that is due, or returns nil.
func (ts *timers) pop(now time.Duration) *timer {
	for len(ts.heap) > 0 && ts.heap[0].at <= now {
		t := ts.heap[0]
		if t.due <= now {
			heap.Pop(&ts.heap)
			return t
		}
		t.at = t.due
		heap.Fix(&ts.heap, 0)
	}
	return nil
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
