package quorumtest

import (
	"container/heap"
	"encoding/binary"
	"hash/fnv"
	"time"
)

type event struct {
	at  time.Duration
	seq int
	do  func()
}

type events []event

func (q events) Len() int { return len(q) }

func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}

func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *events) Push(e any) { *q = append(*q, e.(event)) }

func (q *events) Pop() any {
	e := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = event{}
	*q = (*q)[:len(*q)-1]
	return e
}

// after schedules an event.
func (s *sim) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.queue, event{at: s.now + d, seq: s.seq, do: do})
}

// on schedules an event of a member, forgotten if it crashes before and put
// off while it stands still.
func (s *sim) on(n *simNode, d time.Duration, do func()) {
	inc := n.incarnation
	s.after(d, func() {
		if n.incarnation != inc || !n.up {
			return
		}
		if n.frozen > s.now {
			s.on(n, n.frozen-s.now, do)
			return
		}
		do()
		s.pump(n)
	})
}

// until steps until a time, or until done.
func (s *sim) until(end time.Duration, done func() bool) {
	for len(s.queue) > 0 && s.queue[0].at <= end && !done() {
		e := heap.Pop(&s.queue).(event)
		s.now = e.at
		e.do()
	}
}

func (s *sim) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(s.rng.Int64N(int64(hi-lo)+1))
}

// chance is true in one of n cases.
func (s *sim) chance(n int) bool { return s.rng.IntN(n) == 0 }

// traceHash accumulates what happened.
type traceHash struct{ sum uint64 }

func (h *traceHash) add(v ...uint64) {
	f := fnv.New64a()
	var b [8]byte
	for _, x := range append(v, h.sum) {
		binary.BigEndian.PutUint64(b[:], x)
		f.Write(b[:])
	}
	h.sum = f.Sum64()
}

func (h *traceHash) Sum64() uint64 { return h.sum }
