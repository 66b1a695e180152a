package server

import (
	"holt/server/apply"
	"holt/wire"
	"holt/wire/metric"
)

// takeLocked returns the next commands to send, about bytesMax of them: those
// that are to be sent again before those that never were.
func (p *pipeline) takeLocked(batch [][]byte, bytesMax int) (_ [][]byte, size int) {
	if p.sent == len(p.inflight) {
		p.numberLocked()
	}
	for p.sent < len(p.inflight) && size < bytesMax {
		b := p.inflight[p.sent].encoded
		batch = append(batch, b)
		size += len(b)
		p.sent++
	}
	return batch, size
}

// numberLocked numbers what is fresh, in rounds.
func (p *pipeline) numberLocked() {
	if p.head == len(p.inflight) {
		p.inflight, p.head, p.sent = p.inflight[:0], 0, 0
		p.progress = p.srv.now()
	}
	p.measureQueueLocked()
	seq := p.first + uint64(len(p.inflight)-p.head)
	for _, i := range p.rounds.order(p.fresh) {
		f := p.fresh[i]
		apply.SetSeq(f.encoded, seq)
		seq++
		p.inflight = append(p.inflight, f)
	}
	clear(p.fresh)
	p.fresh = p.fresh[:0]
	if cap(p.fresh) > 4096 {
		p.fresh = nil
	}
}

// measureQueueLocked measures how long what is fresh has waited. What arrived together is one
// observation.
func (p *pipeline) measureQueueLocked() {
	now := p.srv.uptime()
	var run metric.Run
	for i := 0; i < len(p.fresh); {
		r, n := p.fresh[i].req, 1
		for i+n < len(p.fresh) && p.fresh[i+n].req != nil && r != nil && p.fresh[i+n].req.arrived == r.arrived {
			n++
		}
		if r != nil {
			run.Observe(&p.srv.metrics.QueueNanos, int64(now-r.arrived), int64(n))
		}
		i += n
	}
	run.Flush()
}

// rounds sorts commands into rounds.
type rounds struct {
	of      map[wire.SessionID]int // the round a session has reached
	buckets [][]int
	result  []int
}

// order returns the indexes of list, round by round, and within a round as they
// came. Valid until the next call.
func (r *rounds) order(list []flight) []int {
	r.result = r.result[:0]
	clear(r.of)
	for i := range r.buckets {
		r.buckets[i] = r.buckets[i][:0]
	}
	last := 0
	for i := range list {
		f := &list[i]
		n, ok := r.of[f.session]
		if ok && f.afterRead {
			n++
		}
		r.of[f.session] = n
		if n == len(r.buckets) {
			r.buckets = append(r.buckets, nil)
		}
		r.buckets[n] = append(r.buckets[n], i)
		last = max(last, n)
	}
	for _, b := range r.buckets[:min(last+1, len(r.buckets))] {
		r.result = append(r.result, b...)
	}
	return r.result
}
