package replica

import (
	"sync/atomic"
	"time"
)

// instant is a point in monotonic time, in nanoseconds since the Set was opened.
// Cores compare instants and never ask for the time themselves.
type instant int64

func (t instant) sub(u instant) time.Duration { return time.Duration(t - u) }

// never is so long ago that nothing accepts it.
const never instant = -1 << 62

// instantCell is an instant that one goroutine sets and others look at.
type instantCell struct{ v atomic.Int64 }

func (c *instantCell) load() instant   { return instant(c.v.Load()) }
func (c *instantCell) store(t instant) { c.v.Store(int64(t)) }

// contact is when a follower was last heard of. One is shared by all partitions
// that the follower fetches in one session, so that a partition with nothing new
// costs nothing when the follower fetches again. The session writes it, cores read
// it; see core.appended.
type contact struct{ at instantCell }
