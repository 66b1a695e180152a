package journal

import (
	"math"
	"time"

	"holt/broker/record"
)

// Instant is a moment as it is handed to a core: Up for whatever is to happen after a while, which
// no change of the wall clock disturbs, and Unix (milliseconds) for what is written down.
type Instant struct {
	Up   time.Duration
	Unix int64
}

// Never is when nothing is due.
const Never = time.Duration(math.MaxInt64)

// Core is the state of one partition. All its methods are called by one goroutine at a time.
type Core interface {
	// Replay takes the log's batches in order, before Loaded. An error ends the load, which begins
	// anew later with another core.
	Replay(b record.Batch) error
	// Loaded ends the replay; requests follow.
	Loaded(now Instant)
	// SetEpoch tells of a further term of the same leader.
	SetEpoch(leaderEpoch int32)
	// Tick does what is due.
	Tick(now Instant)
	// Next returns when Tick has something to do, or Never. It may be too early.
	Next() time.Duration
	// Unload answers all requests that wait, with NOT_COORDINATOR. Writes in flight have been done
	// before. Nothing is called afterwards.
	Unload()
}
