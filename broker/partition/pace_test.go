package partition_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/partition"
	"holt/broker/record"
)

// overwritten is a Dir with a log of n segments in which one key is written over and over.
func overwritten(t *testing.T, o partition.Options, n int) (*partition.Dir, *partition.Log) {
	t.Helper()
	cfg := partition.Defaults()
	cfg.CleanupPolicy, cfg.SegmentBytes, cfg.MinCleanableRatio = partition.Compact, 200, 0
	o.FS, o.Config = vfs.NewMem(), func(string) partition.Config { return cfg }
	d, err := partition.Open("/logs", o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.Create(name, [16]byte{1}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		b := record.NewBuilder(record.BuilderOptions{})
		b.Append(record.Record{Timestamp: 1, Key: []byte("k"), Value: fmt.Append(make([]byte, 100), i)})
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if _, invalid, err := l.AppendAsLeader(batch, partition.AppendOptions{Now: 1, Origin: record.Client, ProduceVersion: 9}); invalid != nil || err != nil {
			t.Fatal(invalid, err)
		}
	}
	l.SetHighWatermark(l.EndOffset())
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	return d, l
}

// TestCompactionPace: what a compaction reads, twice, and writes takes as long as it is allowed to a second.
func TestCompactionPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, rate = 50, 1000
		d, l := overwritten(t, partition.Options{CleanerOff: true, CleanerBytesPerSecond: rate}, n)
		size, began := l.Size(), time.Now()
		if err := l.Compact(time.Now().UnixMilli()); err != nil {
			t.Fatal(err)
		}
		least := time.Duration(2*size) * time.Second / rate * 9 / 10 // the last segment is not compacted
		if took := time.Since(began); took < least || took > 2*least || l.Size() >= size {
			t.Errorf("%d bytes, of which %d are left, took %v; want %v to %v", size, l.Size(), took, least, 2*least)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCompactionIsOff: log.cleaner.enable=false leaves all records where they are.
func TestCompactionIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, off := range []bool{false, true} {
			d, l := overwritten(t, partition.Options{CleanerOff: off, CleanerInterval: time.Second}, 20)
			size := l.Size()
			time.Sleep(3 * time.Second)
			if compacted := l.Size() < size; compacted == off {
				t.Errorf("off %v: %d of %d bytes are left", off, l.Size(), size)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
