package partition_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/partition"
	"holt/broker/record"
)

// TestRetainRandom appends records of different ages and has retention by time and size look at them, while
// the log is closed and its power fails. Only whole segments go, from the beginning, none that must stay by
// both rules and none that is not committed; what is left is as it was, and the start never goes back. (K9)
func TestRetainRandom(t *testing.T) {
	for i := range *seeds {
		seed := rand.Uint64()
		if i == 0 {
			seed = 1
		}
		if *only != 0 {
			seed = *only
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			(&retained{run: run{T: t, r: rand.New(rand.NewPCG(seed, 5))}}).steps(200)
		})
	}
}

type retained struct {
	run
	hw, now int64
	dropped int
}

func (x *retained) steps(n int) {
	x.fs = vfs.NewCrashableMem()
	if err := errors.Join(x.fs.MkdirAll("/data", 0o755), syncDir(x.fs, "/")); err != nil {
		x.Fatal(err)
	}
	x.cfg = partition.Defaults()
	x.cfg.SegmentBytes, x.cfg.IndexIntervalBytes = 1500, 200
	x.cfg.RetentionMillis, x.cfg.RetentionBytes = 1000, 8000
	x.now = 1_000_000
	x.open()
	var err error
	if x.log, err = x.dir.Create(name, [16]byte{1, 2}, x.cfg); err != nil {
		x.Fatal(err)
	}
	for range n {
		switch k := x.r.IntN(100); {
		case k < 60:
			x.put()
		case k < 70:
			x.hw = x.log.SetHighWatermark(x.hw + x.r.Int64N(x.m.end-x.hw+1))
		case k < 85:
			x.retain()
		case k < 90:
			err = x.log.Flush()
			x.m.flushed = x.m.end
		case k < 95:
			if err := x.dir.Close(); err != nil {
				x.Fatal(err)
			}
			x.open()
			x.m.flushed = x.m.end
			x.run.check()
		default:
			x.crash()
			x.hw = x.log.HighWatermark()
		}
		if err != nil {
			x.Fatal(err)
		}
	}
	if x.dropped == 0 {
		x.Error("nothing was dropped")
	}
	if err := x.dir.Close(); err != nil {
		x.Fatal(err)
	}
}

func (x *retained) put() {
	x.Helper()
	x.now += x.r.Int64N(100)
	b := record.NewBuilder(record.BuilderOptions{})
	b.Append(record.Record{Timestamp: x.now, Value: make([]byte, x.r.IntN(300))})
	batch, err := b.Build()
	if err != nil {
		x.Fatal(err)
	}
	at, invalid, err := x.log.AppendAsLeader(batch, partition.AppendOptions{LeaderEpoch: x.epoch, Now: x.now, Origin: record.Coordinator})
	if invalid != nil || err != nil || at.FirstOffset != x.m.end {
		x.Fatal(at, invalid, err)
	}
	x.m.batches = append(x.m.batches, append(record.Batch(nil), batch...))
	x.m.end++
}

func (x *retained) retain() {
	x.Helper()
	before, size := x.log.StartOffset(), x.log.Size()
	if err := x.log.Retain(x.now); err != nil {
		x.Fatal(err)
	}
	start := x.log.StartOffset()
	if start < before || start > x.hw && start > before {
		x.Fatalf("the start went from %d to %d, the high watermark is %d", before, start, x.hw)
	}
	if start > before {
		x.dropped++
	}
	excess := size - x.cfg.RetentionBytes
	for _, b := range x.m.batches {
		if b.BaseOffset() < before || b.BaseOffset() >= start {
			continue
		}
		old := x.now-b.MaxTimestamp() > x.cfg.RetentionMillis
		if excess -= int64(b.Size()); !old && excess < 0 {
			x.Fatalf("offset %d went, which is %d ms old, and %d bytes of %d are left", b.BaseOffset(), x.now-b.MaxTimestamp(), x.log.Size(), size)
		}
	}
	x.m.start = start
	x.run.check()
}
