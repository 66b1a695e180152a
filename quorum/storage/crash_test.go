package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"
)

// abandoned are goroutines of Pebble that a log leaves behind when its disk
// has failed: it ends with the process, not in order.
var abandoned = []goleak.Option{
	goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2/record.(*LogWriter).flushLoop"),
	goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2.(*cleanupManager).mainLoop"),
	goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"),
	goleak.IgnoreAnyFunction("holt/quorum/storage.(*Log).openPebble.func1"),
	goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2/internal/genericcache.(*shard[...]).releaseLoop"),
}

// changes reports whether an operation changes the disk.
func changes(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite }

// at calls f before the n-th changing operation.
type at struct {
	n     int64
	f     func(op errorfs.Op) error
	count atomic.Int64
}

func (a *at) String() string { return fmt.Sprintf("at %d", a.n) }

func (a *at) MaybeError(op errorfs.Op) error {
	if changes(op) && a.count.Add(1) == a.n {
		return a.f(op)
	}
	return nil
}

// live runs the script on a disk until it fails, and reports how many steps
// were acknowledged.
func live(vol vfs.FS, steps []step, reopen bool, acked *atomic.Int64) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("goroutine ended") // by Goexit, see pebbleLogger
		defer func() { done <- err }()
		var l *Log
		if l, err = Open("log", small(vol)); err != nil {
			return
		}
		for i, s := range steps {
			if reopen && i%5 == 4 { // what was written so far goes into tables
				if err = l.Close(); err != nil {
					return
				}
				if l, err = Open("log", small(vol)); err != nil {
					return
				}
			}
			if err = s.do(l); err != nil {
				return
			}
			acked.Add(1)
		}
		if err = l.Close(); err == nil {
			err = l.Err()
		}
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		return errors.New("hangs")
	}
}

// states are the descriptions of the model after each number of steps.
func states(steps []step) (all []string) {
	var m model
	all = append(all, m.describe())
	for _, s := range steps {
		m = m.do(s)
		all = append(all, m.describe())
	}
	return all
}

// checkImage opens what a crash left: it must be the state after the
// acknowledged steps, or with the next one, or without the last ones if they
// are lazy. Where the steps went on meanwhile, acked and until are how many were
// acknowledged before and after the image was taken.
func checkImage(t *testing.T, image vfs.FS, steps []step, acked, until int, what string) {
	t.Helper()
	want := states(steps)
	l, err := Open("log", small(image))
	if err != nil && strings.Contains(err.Error(), "could not open manifest file") && strings.Contains(what, "50 %") {
		// The image has the entry of a file that was made after another one in
		// the same directory, and not that other one's. Journals of file systems keep
		// that order, and Pebble counts on it.
		return
	}
	if err != nil {
		t.Fatalf("%s: %d steps acknowledged: %v", what, acked, err)
	}
	defer l.Close()
	got, err := describe(l)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	from := acked
	for from > 0 && steps[from-1].lazy {
		from--
	}
	allowed := want[from:min(until+2, len(want))]
	if !slices.Contains(allowed, got) {
		t.Fatalf("%s: %d steps acknowledged, found\n%s\nwant\n%s", what, acked, got, strings.Join(allowed, "\nor\n"))
	}
}

// operations counts the changing operations of a whole life.
func operations(t *testing.T, steps []step) int64 {
	a := &at{n: -1}
	var acked atomic.Int64
	if err := live(errorfs.Wrap(vfs.NewCrashableMem(), a), steps, true, &acked); err != nil {
		t.Fatal(err)
	}
	return a.count.Load()
}

// TestCrashAtEveryOperation takes an image of the disk before each changing
// operation, with none, some and all of what was not synced.
func TestCrashAtEveryOperation(t *testing.T) {
	steps := life()
	n := operations(t, steps)
	t.Logf("%d operations", n)
	for _, percent := range []int{0, 50, 100} {
		for k := int64(1); k <= n; k += int64(1 + percent/50) {
			disk := vfs.NewCrashableMem()
			var image *vfs.MemFS
			var acked, before, after atomic.Int64
			a := &at{n: k, f: func(errorfs.Op) error {
				before.Store(acked.Load())
				image = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(k), 1))})
				after.Store(acked.Load()) // the operation may be one in the background
				return nil
			}}
			if err := live(errorfs.Wrap(disk, a), steps, true, &acked); err != nil {
				t.Fatal(err)
			}
			if image != nil { // background work varies a little
				checkImage(t, image, steps, int(before.Load()), int(after.Load()), fmt.Sprintf("operation %d, %d %% of unsynced", k, percent))
			}
		}
	}
}

// TestFailedFlush: Pebble would begin a failed flush anew at once, again and
// again; the log has failed by then, and does not keep a processor busy.
func TestFailedFlush(t *testing.T) {
	var tables atomic.Int64
	o := small(errorfs.Wrap(vfs.NewCrashableMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			tables.Add(1)
			return errorfs.ErrInjected
		}
		return nil
	})))
	l, err := Open("log", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Found(Identity{Member: 1}, conf(1, 1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	for i := uint64(2); l.Err() == nil; i++ {
		if err := l.Write(Write{Entries: entriesOf(i, i, 1)}); err != nil && l.Err() == nil {
			t.Fatal(err)
		}
	}
	n := tables.Load()
	time.Sleep(20 * time.Millisecond) // of a thousand attempts
	if more := tables.Load() - n; more > 1 {
		t.Errorf("after the log has failed, %d more tables were begun", more)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestFlushFailsInClose: a log that is being closed ends although a flush fails meanwhile.
func TestFlushFailsInClose(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l, err := Open("log", small(errorfs.Wrap(vfs.NewCrashableMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind != errorfs.OpCreate || !strings.HasSuffix(op.Path, ".sst") {
			return nil
		}
		once.Do(func() { close(begun) })
		<-goOn
		return errorfs.ErrInjected
	}))))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Found(Identity{Member: 1}, conf(1, 1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	for i, full := uint64(2), false; !full; i++ {
		if err := l.Write(Write{Entries: entriesOf(i, i, 1)}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-begun:
			full = true
		default:
		}
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	for l.usable() == nil {
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Fatal("Close waits for a flush that has failed")
	}
}

// TestErrorAtEveryOperation has each changing operation fail once, and later
// ones succeed, as disks do: the log must not go on, and what it acknowledged
// before must be there afterwards.
func TestErrorAtEveryOperation(t *testing.T) {
	steps := life()
	n := operations(t, steps)
	failures := 0
	for k := int64(1); k <= n; k++ {
		disk := vfs.NewCrashableMem()
		var acked atomic.Int64
		var failed errorfs.Op
		a := &at{n: k, f: func(op errorfs.Op) error {
			failed = op
			return errorfs.ErrInjected
		}}
		err := live(errorfs.Wrap(disk, a), steps, true, &acked)
		if err != nil {
			failures++
			if strings.Contains(err.Error(), "hangs") {
				t.Fatalf("operation %d (%v): %v", k, failed, err)
			}
		}
		image := disk.CrashClone(vfs.CrashCloneCfg{})
		checkImage(t, image, steps, int(acked.Load()), int(acked.Load()), fmt.Sprintf("operation %d (%v) failed, then %v", k, failed, err))
	}
	t.Logf("%d of %d errors ended the log", failures, n)
	if failures < int(n)/2 {
		t.Errorf("only %d of %d errors were noticed", failures, n)
	}
}
