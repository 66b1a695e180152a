package server

import "holt/wire/metric"

// sizes collects, for one connection, the sizes of the replies and events it is sent, without their length fields, until
// they are reported to the range that all connections share: a frame costs a few additions under a lock that is
// held anyway, a write to the socket the shared values.
type sizes struct {
	n              int64 // frames
	last, min, max int64 // of n frames
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
}

// report hands on what was collected.
func (s *sizes) report(to *metric.Range) {
	if s.n > 0 {
		to.Observe(s.last, s.min, s.max)
		*s = sizes{}
	}
}
