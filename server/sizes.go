package server

import "sync/atomic"

// sizes collects, for one connection, the sizes of the replies and events it is sent, without their length fields, until
// they are reported to what all connections share: a frame costs a few additions under a lock that is
// held anyway, a write to the socket the shared values.
type sizes struct {
	n              int64 // frames
	last, min, max int64 // of n frames
	bytes, events  int64 // of all frames, and of the events among them
}

const lengthField = 4

// frame adds a frame of so many bytes; of none if the connection takes no more.
func (s *sizes) frame(bytes int) {
	n := int64(bytes) - lengthField
	if n < 0 {
		return
	}
	if s.n == 0 || n < s.min {
		s.min = n
	}
	s.max = max(s.max, n)
	s.last = n
	s.n++
	s.bytes += n
}

// event is frame for a notification.
func (s *sizes) event(bytes int) {
	s.frame(bytes)
	s.events += int64(max(bytes-lengthField, 0))
}

// traffic counts what one connection, or all that have ended, received and sent. What every request adds to is
// kept apart for each connection: one counter that all share would cost each of them a cache miss.
type traffic struct {
	in, out, watch atomic.Int64 // bytes: of requests, replies, events
	received, sent atomic.Int64 // requests; replies and events

	// What received and sent were when `crst` had the connection's figures begin anew; less than nothing
	// after `srst`, which is not about those.
	receivedBefore, sentBefore atomic.Int64
}

// add adds what o counted.
func (t *traffic) add(o *traffic) {
	t.in.Add(o.in.Load())
	t.out.Add(o.out.Load())
	t.watch.Add(o.watch.Load())
	t.received.Add(o.received.Load())
	t.sent.Add(o.sent.Load())
}

func (t *traffic) reset() {
	t.in.Store(0)
	t.out.Store(0)
	t.watch.Store(0)
	t.receivedBefore.Add(-t.received.Swap(0))
	t.sentBefore.Add(-t.sent.Swap(0))
}

// resetOwn has own begin anew.
func (t *traffic) resetOwn() {
	t.receivedBefore.Store(t.received.Load())
	t.sentBefore.Store(t.sent.Load())
}

// own returns how much the connection received and sent since resetOwn.
func (t *traffic) own() (received, sent int64) {
	return t.received.Load() - t.receivedBefore.Load(), t.sent.Load() - t.sentBefore.Load()
}

// traffic adds up all connections, the ended ones included.
func (s *Server) traffic() *traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum traffic
	sum.add(&s.ended)
	for c := range s.conns {
		sum.add(&c.out.traffic)
	}
	return &sum
}

func (s *Server) resetTraffic() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended.reset()
	for c := range s.conns {
		c.out.traffic.reset()
	}
}

// report hands on what was collected.
func (s *sizes) report(to *Metrics, own *traffic) {
	if s.n > 0 {
		to.Responses.Observe(s.last, s.min, s.max)
		own.out.Add(s.bytes - s.events)
		if s.events > 0 {
			own.watch.Add(s.events)
		}
		*s = sizes{}
	}
}
