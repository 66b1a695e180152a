package partition_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/record"
)

// stepFS calls before ahead of whatever changes names, or makes them durable.
type stepFS struct {
	vfs.FS
	before func()
}

func (s *stepFS) Rename(from, to string) error { s.before(); return s.FS.Rename(from, to) }
func (s *stepFS) Remove(name string) error     { s.before(); return s.FS.Remove(name) }
func (s *stepFS) OpenDir(name string) (vfs.File, error) {
	s.before()
	return s.FS.OpenDir(name)
}

// TestCompactCrashSteps fails the power before each step of a compaction, and lets the disk keep nothing, some or all
// of what was not durable.
func TestCompactCrashSteps(t *testing.T) {
	for seed := range uint64(10) {
		x := &compacted{run: run{T: t, r: rand.New(rand.NewPCG(seed, 2))}}
		x.start()
		for range 60 {
			x.put()
		}
		if err := x.log.Flush(); err != nil {
			t.Fatal(err)
		}
		x.m.flushed = x.m.end
		x.log.SetHighWatermark(x.m.end)
		if err := x.dir.Close(); err != nil {
			t.Fatal(err)
		}
		x.cfg.SegmentBytes = 20_000 // so that segments become one
		mem := x.fs
		var mu sync.Mutex // the directory's flusher is about, too
		var clones []*vfs.MemFS
		recording := false
		record := func(on bool) {
			mu.Lock()
			defer mu.Unlock()
			recording = on
		}
		x.wrap = &stepFS{FS: mem, before: func() {
			mu.Lock()
			defer mu.Unlock()
			for percent := 0; recording && percent <= 100; percent += 50 {
				clones = append(clones, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: x.r}))
			}
		}}
		x.run.open()
		x.log.SetHighWatermark(x.m.end)
		if err := x.log.Flush(); err != nil {
			t.Fatal(err)
		}
		record(true)
		if err := x.log.Compact(1 << 41); err != nil {
			t.Fatal(err)
		}
		record(false)
		x.wrap = nil
		swaps := 0
		for _, fs := range clones {
			if names, err := fs.List("/data/logs/t-3"); err == nil {
				for _, n := range names {
					if len(n) > 9 && n[len(n)-9:] == ".log.swap" {
						swaps++
					}
				}
			}
			x.restart(fs)
			x.verify()
			x.everywhere()
		}
		if swaps == 0 || x.dropped == 0 {
			t.Fatalf("%d crashes, %d with a log to put in place, %d records dropped", len(clones), swaps, x.dropped)
		}
		if err := x.dir.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// everywhere reads from each offset: what the index says must fit the log.
func (x *compacted) everywhere() {
	x.Helper()
	for from := x.log.StartOffset(); from < x.m.end; from++ {
		s, err := x.log.Read(from, 1, x.m.end, true)
		if err != nil {
			x.Fatalf("read from %d: %v", from, err)
		}
		b, err := s.AppendTo(nil)
		if err := errors.Join(err, s.Release()); err != nil {
			x.Fatal(err)
		}
		batch, _, err := record.Next(b)
		if err != nil || batch.Check() != nil || batch.LastOffset() < from {
			x.Fatalf("read from %d: %v, batch at %d", from, err, batch.BaseOffset())
		}
	}
}
