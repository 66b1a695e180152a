package store

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// layers is a database with a number of compactions to do.
type layers struct {
	mu      sync.Mutex
	waiting int
	begun   []pebble.CompactionGrantHandle
	missed  func() // called once by the next GetWaitingCompaction that finds nothing
}

func (l *layers) GetAllowedWithoutPermission() int { return 1 }

func (l *layers) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == 0 && l.missed != nil {
		missed := l.missed
		l.missed = nil
		missed()
		return false, pebble.WaitingCompaction{}
	}
	return l.waiting > 0, pebble.WaitingCompaction{}
}

func (l *layers) Schedule(h pebble.CompactionGrantHandle) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == 0 {
		return false
	}
	l.waiting--
	l.begun = append(l.begun, h)
	return true
}

func (l *layers) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.begun)
}

func TestCompactionsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c := &layers{waiting: 2}, newCompactions(nil)
		c.Register(2, l)
		if ok, _ := c.TrySchedule(); ok {
			t.Error("granted at once")
		}
		c.UpdateGetAllowedWithoutPermission()
		synctest.Wait()
		if n := l.count(); n != 0 {
			t.Errorf("%d compactions after a flush, want none yet", n)
		}
		time.Sleep(compactionsAfter)
		synctest.Wait()
		if n := l.count(); n != 1 {
			t.Fatalf("%d compactions once released, want 1", n)
		}
		if ok, _ := c.TrySchedule(); ok {
			t.Error("granted one more than Pebble allows")
		}
		l.begun[0].Done()
		if n := l.count(); n != 2 {
			t.Fatalf("%d compactions when the first was done, want 2", n)
		}
		l.begun[1].Done()
		if ok, _ := c.TrySchedule(); !ok {
			t.Error("refused although none runs")
		}
		c.Unregister()
		if ok, _ := c.TrySchedule(); ok {
			t.Error("granted after the end")
		}
	})
}

func TestCompactionRefusedMeanwhile(t *testing.T) {
	l, c := new(layers), newCompactions(nil)
	c.Register(2, l)
	defer c.Unregister()
	l.missed = func() {
		if ok, _ := c.TrySchedule(); ok {
			t.Error("granted what is being offered")
		}
		l.waiting = 1
	}
	c.release()
	if n := l.count(); n != 1 {
		t.Errorf("%d compactions, want the one that was refused while it was looked for", n)
	}
}

func TestCompactionsEndEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c := &layers{waiting: 1}, newCompactions(nil)
		c.Register(2, l)
		c.Unregister()
		time.Sleep(2 * compactionsAfter)
		c.release()
		c.UpdateGetAllowedWithoutPermission()
		synctest.Wait()
		if n := l.count(); n != 0 {
			t.Errorf("%d compactions of a closed database", n)
		}
	})
}

func TestNoCompactionAfterFailure(t *testing.T) {
	failed := make(chan struct{})
	l, c := &layers{waiting: 1}, newCompactions(failed)
	c.Register(2, l)
	defer c.Unregister()
	close(failed)
	c.release()
	if n := l.count(); n != 0 {
		t.Errorf("%d compactions on a disk that has failed", n)
	}
}
