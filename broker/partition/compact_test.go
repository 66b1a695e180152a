package partition_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/partition"
	"holt/broker/record"
)

// keyed is a record as the model of a compacted log has it.
type keyed struct {
	offset     int64
	key, value string
}

// compacted is a random run over a log that is compacted and whose power fails.
type compacted struct {
	run
	all       []keyed
	cleanings int
	dropped   int
}

// TestCompactRandom appends, compacts, closes and fails the power in random order. At all times each key must have
// the value that was appended last, at its offset, and no record may be there that was not appended.
func TestCompactRandom(t *testing.T) {
	for i := range *seeds {
		seed := rand.Uint64()
		if i == 0 {
			seed = 1
		}
		if *only != 0 {
			seed = *only
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			(&compacted{run: run{T: t, r: rand.New(rand.NewPCG(seed, 1))}}).steps(200)
		})
	}
}

func (x *compacted) start() {
	x.fs = vfs.NewCrashableMem()
	if err := errors.Join(x.fs.MkdirAll("/data", 0o755), syncDir(x.fs, "/")); err != nil {
		x.Fatal(err)
	}
	x.cfg = partition.Defaults()
	x.cfg.CleanupPolicy = partition.Compact
	x.cfg.SegmentBytes, x.cfg.IndexIntervalBytes = 2000, 200
	x.run.open()
	var err error
	if x.log, err = x.dir.Create(name, [16]byte{1, 2}, x.cfg); err != nil {
		x.Fatal(err)
	}
}

func (x *compacted) steps(n int) {
	x.start()
	for range n {
		switch k := x.r.IntN(100); {
		case k < 60:
			x.put()
		case k < 75:
			if err := x.log.Flush(); err != nil {
				x.Fatal(err)
			}
			x.m.flushed = x.m.end
		case k < 88:
			x.compact()
		case k < 92:
			if err := x.dir.Close(); err != nil {
				x.Fatal(err)
			}
			x.run.open()
			x.m.flushed = x.m.end
		default:
			x.fail()
		}
		x.verify()
	}
	if err := x.dir.Close(); err != nil {
		x.Fatal(err)
	}
	if x.cleanings > 3 && x.dropped == 0 {
		x.Errorf("%d compactions dropped nothing", x.cleanings)
	}
}

func (x *compacted) put() {
	x.Helper()
	b := record.NewBuilder(record.BuilderOptions{})
	for i := range 1 + x.r.IntN(6) {
		k := keyed{x.m.end + int64(i), fmt.Sprint("key", x.r.IntN(20)), fmt.Sprint("value", x.r.Uint64())}
		b.Append(record.Record{Timestamp: 1000 + k.offset, Key: []byte(k.key), Value: []byte(k.value)})
		x.all = append(x.all, k)
	}
	batch, err := b.Build()
	if err != nil {
		x.Fatal(err)
	}
	at, invalid, err := x.log.AppendAsLeader(batch, partition.AppendOptions{Now: 5, Origin: record.Coordinator})
	if invalid != nil || err != nil {
		x.Fatal(invalid, err)
	}
	x.m.end = at.LastOffset + 1
}

// compact also fails the power in the middle, now and then: the disk is taken as it is while files are renamed.
func (x *compacted) compact() {
	x.Helper()
	x.log.SetHighWatermark(x.m.end)
	var clones []*vfs.MemFS
	done := make(chan error)
	log, fs := x.log, x.fs
	go func() { done <- log.Compact(time.Now().UnixMilli()) }()
	for {
		select {
		case err := <-done:
			if err != nil {
				x.Fatal(err)
			}
			x.cleanings++
			if len(clones) > 0 && x.r.IntN(2) == 0 {
				x.restart(clones[x.r.IntN(len(clones))])
			}
			return
		default:
			if len(clones) < 20 {
				clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: x.r.IntN(4) * 33, RNG: x.r}))
			}
		}
	}
}

func (x *compacted) fail() {
	x.Helper()
	x.restart(x.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: x.r.IntN(4) * 33, RNG: x.r}))
}

func (x *compacted) restart(fs *vfs.MemFS) {
	x.Helper()
	if err := x.dir.Close(); err != nil {
		x.Fatal(err)
	}
	x.fs = fs
	x.run.open()
	end := x.log.EndOffset()
	if end < x.m.flushed || end > x.m.end {
		x.Fatalf("log ends at %d after the crash, want %d to %d", end, x.m.flushed, x.m.end)
	}
	for len(x.all) > 0 && x.all[len(x.all)-1].offset >= end {
		x.all = x.all[:len(x.all)-1]
	}
	x.m.end = end
}

func (x *compacted) verify() {
	x.Helper()
	want := make(map[string]keyed)
	byOffset := make(map[int64]keyed)
	for _, k := range x.all {
		want[k.key], byOffset[k.offset] = k, k
	}
	n, got := 0, make(map[string]keyed)
	for from := x.log.StartOffset(); from < x.m.end; {
		s, err := x.log.Read(from, 1<<20, x.m.end, true)
		if err != nil || s.Upper() <= from {
			x.Fatalf("read from %d: upper %d, %v", from, s.Upper(), err)
		}
		b, err := s.AppendTo(nil)
		if err := errors.Join(err, s.Release()); err != nil {
			x.Fatal(err)
		}
		for batch, err := range record.All(b) {
			if err == nil {
				err = batch.Check()
			}
			if err != nil {
				x.Fatal(err)
			}
			for r, err := range batch.Records(nil) {
				if err != nil {
					x.Fatal(err)
				}
				k := keyed{r.Offset, string(r.Key), string(r.Value)}
				if byOffset[k.offset] != k || got[k.key].offset > k.offset {
					x.Fatalf("read %v, appended was %v", k, byOffset[k.offset])
				}
				got[k.key] = k
				n++
			}
		}
		from = s.Upper()
	}
	for key, k := range want {
		if got[key] != k {
			x.Fatalf("%s is %v, want %v; compacted to %d", key, got[key], k, x.log.Cleaned())
		}
	}
	x.dropped = max(x.dropped, len(x.all)-n)
}
