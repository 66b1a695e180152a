package bench

import "holt/wire"

// lane is one connection of a run.
type lane struct {
	run    *run
	s      *session
	script script
	tally
}

// request is one request in flight.
type request struct {
	sent int64 // nanoseconds since the start of the run
	kind int
}

// tally is what a lane counted while the run was measuring.
type tally struct {
	latency []*histogram // by kind
	errors  map[string]int64
	lost    error // why the lane ended before the run did
}

func newTally(kinds int) tally {
	t := tally{errors: make(map[string]int64)}
	for range kinds {
		t.latency = append(t.latency, new(histogram))
	}
	return t
}

// ring holds the requests in flight, oldest first: replies come in the order of requests, so
// nothing need be looked up.
type ring struct {
	requests   []request // a power of two long
	head, tail int       // those in flight are requests[head:tail], counted without end
}

func newRing(capacity int) *ring {
	size := 1
	for size < capacity {
		size *= 2
	}
	return &ring{requests: make([]request, size)}
}

func (r *ring) empty() bool { return r.head == r.tail }

func (r *ring) push(q request) {
	r.requests[r.tail&(len(r.requests)-1)] = q
	r.tail++
}

func (r *ring) pop() request {
	q := r.requests[r.head&(len(r.requests)-1)]
	r.head++
	return q
}

// closedLoop keeps Config.Outstanding requests in flight until the run ends.
func (l *lane) closedLoop() error {
	inFlight := newRing(l.run.cfg.Outstanding)
	request := func(now int64) bool {
		q, ok := l.request(now)
		if ok {
			inFlight.push(q)
		}
		return ok
	}
	now := l.run.now()
	for range l.run.cfg.Outstanding {
		if !request(now) {
			break
		}
	}
	if err := l.s.flush(); err != nil {
		return err
	}
	for !inFlight.empty() {
		fresh := !l.s.frames.Buffered()
		h, err := l.s.next()
		if err != nil {
			return err
		}
		if fresh {
			// One reading of the clock for all replies that came together.
			now = l.run.now()
		}
		if h.Xid < 0 {
			continue // a notification
		}
		l.reply(inFlight.pop(), h.Err, now)
		request(now)
		if !l.s.frames.Buffered() {
			if err := l.s.flush(); err != nil {
				return err
			}
		}
	}
	return l.s.close()
}

// request puts the next request into the output, if the run goes on and there is one.
func (l *lane) request(now int64) (request, bool) {
	if !l.run.take() {
		return request{}, false
	}
	out, kind, ok := l.script.next(l.s.out, l.s.xid+1)
	if !ok {
		return request{}, false
	}
	l.s.xid++
	l.s.out = out
	return request{now, kind}, true
}

// reply accounts for the reply to q.
func (l *lane) reply(q request, code wire.ErrCode, now int64) {
	if l.run.measuring() {
		l.count(q, code, now)
	}
}

func (t *tally) count(q request, code wire.ErrCode, now int64) {
	if code != wire.OK {
		t.errors[code.String()]++
		return
	}
	t.latency[q.kind].add(now-q.sent, 1)
}
