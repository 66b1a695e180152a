package journal

import "sync/atomic"

// Countdown calls a function after n things are done, from whatever goroutine does the last.
type Countdown struct {
	left atomic.Int64
	then func()
}

// NewCountdown returns a countdown of n things; with none it calls then at once.
func NewCountdown(n int, then func()) *Countdown {
	c := &Countdown{then: then}
	c.left.Store(int64(n))
	if n == 0 {
		then()
	}
	return c
}

// Done is called once for each of the things.
func (c *Countdown) Done() {
	if c.left.Add(-1) == 0 {
		c.then()
	}
}
