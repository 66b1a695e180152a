package replica

import "time"

// instant is a point in monotonic time, in nanoseconds since the Set was opened.
// Cores compare instants and never ask for the time themselves.
type instant int64

func (t instant) sub(u instant) time.Duration { return time.Duration(t - u) }

// never is so long ago that nothing accepts it.
const never instant = -1 << 62
