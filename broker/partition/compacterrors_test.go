package partition_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"holt/broker/partition"
)

// failNth has the nth operation after arm fail, and none before or after: what a disk says of one operation it need not
// say of the next.
type failNth struct {
	mu     sync.Mutex
	armed  bool
	n      int
	count  int
	failed string
}

func (f *failNth) arm(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = on
}

func (f *failNth) MaybeError(op errorfs.Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return nil
	}
	if f.count++; f.count != f.n {
		return nil
	}
	f.failed = fmt.Sprintf("operation %d (%d) on %s", f.n, op.Kind, op.Path)
	return errorfs.ErrInjected
}

func (f *failNth) String() string { return "fail the nth" }

// TestCompactErrors has each operation of a compaction on the disk fail, one by one. The directory has failed then, all
// that was appended can still be read, and nothing can be written. After a restart, with or without a power failure
// before, each key has its value.
func TestCompactErrors(t *testing.T) {
	noticed := 0
	for n := 1; ; n++ {
		x, f := newFailing(t, n)
		err := x.log.Compact(1 << 41)
		f.arm(false)
		if f.failed == "" {
			if err != nil || n < 20 {
				t.Fatalf("%d operations, %v", n-1, err)
			}
			x.finish()
			t.Logf("%d of %d errors were noticed", noticed, n-1)
			if noticed < n-1 {
				t.Errorf("%d errors were not", n-1-noticed)
			}
			return
		}
		if err != nil {
			noticed++
			x.hasFailed(f.failed, err)
		} else {
			t.Logf("not noticed: %s", f.failed)
		}
		x.verify()
		x.everywhere()
		disk := x.fs
		for _, percent := range []int{0, 100} {
			image := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: x.r})
			x.again(image)
			x.verify()
			x.everywhere()
			if err := x.log.Compact(1 << 41); err != nil {
				t.Errorf("after %s failed: %v", f.failed, err)
			}
			x.verify()
		}
		x.finish()
	}
}

// newFailing is a log whose segments a compaction makes fewer, on a disk that will fail.
func newFailing(t *testing.T, n int) (*compacted, *failNth) {
	x := &compacted{run: run{T: t, r: rand.New(rand.NewPCG(5, 4))}}
	x.start()
	for range 40 {
		x.put()
	}
	x.finish()
	f := &failNth{n: n}
	x.cfg.SegmentBytes = 8000
	x.wrap = errorfs.Wrap(x.fs, f)
	x.run.open()
	x.wrap = nil
	x.log.SetHighWatermark(x.m.end)
	if err := x.log.Flush(); err != nil {
		t.Fatal(err)
	}
	x.m.flushed = x.m.end
	f.arm(true)
	return x, f
}

// hasFailed checks that nothing is written any more.
func (x *compacted) hasFailed(op string, err error) {
	x.Helper()
	var failed *partition.FailedError
	if !errors.As(err, &failed) || !errors.Is(err, errorfs.ErrInjected) {
		x.Errorf("%s failed: compaction says %v", op, err)
	}
	if !errors.As(x.dir.Err(), &failed) || x.log.Flush() == nil || x.log.Compact(1<<41) == nil {
		x.Errorf("%s failed: the directory goes on", op)
	}
}

// again opens an image of the disk; the directory before is left as it is.
func (x *compacted) again(image *vfs.MemFS) {
	x.Helper()
	_ = x.dir.Close() // of a disk that has failed
	x.fs = image
	x.run.open()
	if got := x.log.EndOffset(); got != x.m.end {
		x.Fatalf("the log ends at %d, want %d", got, x.m.end)
	}
	x.log.SetHighWatermark(x.m.end)
}

func (x *compacted) finish() {
	x.Helper()
	if err := x.dir.Close(); err != nil && x.dir.Err() == nil {
		x.Fatal(err)
	}
}
