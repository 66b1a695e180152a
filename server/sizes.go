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

// traffic counts the bytes of one connection, and of all that have ended. What every request adds to is
// kept apart for each connection: one counter that all share would cost each of them a cache miss.
type traffic struct{ in, out, watch atomic.Int64 }

// add adds what o counted.
func (t *traffic) add(o *traffic) {
	t.in.Add(o.in.Load())
	t.out.Add(o.out.Load())
	t.watch.Add(o.watch.Load())
}

func (t *traffic) reset() {
	t.in.Store(0)
	t.out.Store(0)
	t.watch.Store(0)
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
