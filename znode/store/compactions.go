package store

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// compactionsAfter is how long a store that was opened reads, and writes what the log repeats, before it
// merges what came before: a crash under load leaves layers whose merging takes seconds of a core, just
// when clients wait for the first reply.
const compactionsAfter = 2 * time.Second

// compactions is Pebble's scheduler of compactions: as many at a time as Pebble allows itself, none until
// release.
//
// Pebble asks once for a compaction that is not granted (TrySchedule), and takes it when it is offered
// (grant). It may hold its lock when it calls, and takes it when it is called: mu is never held then.
type compactions struct {
	failed <-chan struct{} // closed when the disk has failed: a goroutine may hold Pebble's lock for ever then
	db     pebble.DBForCompaction
	timer  *time.Timer

	mu       sync.Mutex
	released bool
	closed   bool
	running  int
	refused  bool       // since grant last asked whether there is something to do
	granting bool       // some goroutine is in grant
	granted  *sync.Cond // granting has become false
}

func newCompactions(failed <-chan struct{}) *compactions {
	c := &compactions{failed: failed}
	c.granted = sync.NewCond(&c.mu)
	return c
}

// Register implements pebble.CompactionScheduler.
func (c *compactions) Register(_ int, db pebble.DBForCompaction) {
	c.db = db
	c.timer = time.AfterFunc(compactionsAfter, c.release)
}

// Unregister implements pebble.CompactionScheduler.
func (c *compactions) Unregister() {
	c.timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for c.granting {
		c.granted.Wait()
	}
}

// release lets compactions begin.
func (c *compactions) release() {
	c.mu.Lock()
	c.released = true
	c.mu.Unlock()
	c.grant()
}

// TrySchedule implements pebble.CompactionScheduler.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.roomLocked() {
		c.refused = true
		return false, nil
	}
	c.running++
	return true, (*compaction)(c)
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler. Pebble calls it with its lock
// held.
func (c *compactions) UpdateGetAllowedWithoutPermission() { go c.grant() }

func (c *compactions) roomLocked() bool {
	select {
	case <-c.failed:
		return false
	default:
	}
	return c.released && !c.closed && c.running < c.db.GetAllowedWithoutPermission()
}

// grant offers what there is room for.
func (c *compactions) grant() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.granting {
		c.refused = true // that goroutine looks again
		return
	}
	c.granting = true
	for c.roomLocked() {
		c.running++ // reserved
		c.refused = false
		c.mu.Unlock()
		waiting, _ := c.db.GetWaitingCompaction()
		taken := waiting && c.db.Schedule((*compaction)(c))
		c.mu.Lock()
		if taken {
			continue
		}
		c.running--
		if !c.refused {
			break
		}
	}
	c.granting = false
	c.granted.Broadcast()
}

// compaction is the permission for one, which Pebble returns with Done.
type compaction compactions

// Started implements pebble.CompactionGrantHandle.
func (*compaction) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (*compaction) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (*compaction) CumulativeStats(pebble.CompactionGrantHandleStats) {}

// Done implements pebble.CompactionGrantHandle.
func (g *compaction) Done() {
	c := (*compactions)(g)
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
	c.grant()
}
