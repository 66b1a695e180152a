package server

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

// report hands on what was collected.
func (s *sizes) report(to *Metrics) {
	if s.n > 0 {
		to.Responses.Observe(s.last, s.min, s.max)
		to.ResponseBytes.Add(s.bytes - s.events)
		if s.events > 0 {
			to.WatchBytes.Add(s.events)
		}
		*s = sizes{}
	}
}
