package partition_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/partition"
	"holt/broker/record"
)

var seeds = flag.Int("seeds", 20, "number of random runs")

func syncDir(fs vfs.FS, path string) error {
	d, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

var only = flag.Uint64("seed", 0, "the only seed, if not 0")

// model is what a log should have.
type model struct {
	batches    []record.Batch // with offsets and epochs, from start on or before
	start, end int64
	flushed    int64
}

// TestRandom does random things to a log, power failures included, and compares it with a model. After a
// failure the log must be the model's without some batches at the end, none of which was durable.
func TestRandom(t *testing.T) {
	for i := range *seeds {
		seed := rand.Uint64()
		if i == 0 {
			seed = 1
		}
		if *only != 0 {
			seed = *only
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { (&run{T: t, r: rand.New(rand.NewPCG(seed, 0))}).steps(300) })
	}
}

type run struct {
	*testing.T
	r     *rand.Rand
	fs    *vfs.MemFS
	wrap  vfs.FS // around fs, or nil
	dir   *partition.Dir
	log   *partition.Log
	m     model
	epoch int32
	cfg   partition.Config
	tail  int // bytes of the log kept in memory; 0: some, -1: none
}

var name = partition.Name{Topic: "t", Partition: 3}

func (x *run) open() {
	x.Helper()
	var fs vfs.FS = x.fs
	if x.wrap != nil {
		fs = x.wrap
	}
	if x.tail == 0 {
		x.tail = 2000
	}
	d, err := partition.Open("/data/logs", partition.Options{
		FS: fs, Config: func(string) partition.Config { return x.cfg }, TailBytesPerLog: x.tail, TailBytes: 100_000,
		RetentionInterval: time.Hour, CheckpointInterval: time.Hour, HighWatermarkInterval: time.Hour, CleanerInterval: time.Hour,
	})
	if err != nil {
		x.Fatal(err)
	}
	x.dir, x.log = d, d.Log(name)
}

// begin makes a log on an empty disk; wrap makes of that what the log sees, nil: it sees the disk.
func (x *run) begin(wrap func(*vfs.MemFS) vfs.FS) {
	x.Helper()
	x.fs = vfs.NewCrashableMem()
	if err := errors.Join(x.fs.MkdirAll("/data", 0o755), syncDir(x.fs, "/")); err != nil {
		x.Fatal(err)
	}
	if wrap != nil {
		x.wrap = wrap(x.fs)
	}
	x.cfg = partition.Defaults()
	x.cfg.SegmentBytes, x.cfg.IndexIntervalBytes = 4000, 200
	x.open()
	var err error
	if x.log, err = x.dir.Create(name, [16]byte{1, 2}, x.cfg); err != nil {
		x.Fatal(err)
	}
}

func (x *run) steps(n int) {
	x.begin(nil)
	for range n {
		x.step()
	}
	x.check()
	if err := x.dir.Close(); err != nil {
		x.Fatal(err)
	}
}

func (x *run) step() {
	x.Helper()
	var err error
	k := x.r.IntN(100)
	switch {
	case k < 55:
		x.append()
	case k < 75:
		x.read()
	case k < 80:
		err = x.log.Flush()
		x.m.flushed = x.m.end
	case k < 84:
		to := x.m.start + x.r.Int64N(x.m.end-x.m.start+1)
		for _, b := range x.m.batches { // a follower truncates where a batch begins
			if b.BaseOffset() < to && b.NextOffset() > to {
				to = max(b.BaseOffset(), x.m.start)
			}
		}
		err = x.log.TruncateTo(to)
		x.m.truncate(to)
	case k < 85:
		to := x.r.Int64N(x.m.end + 10)
		err = x.log.TruncateFullyAt(to)
		x.m = model{start: to, end: to, flushed: to}
	case k < 89:
		x.log.SetHighWatermark(x.m.end)
		x.m.start += x.r.Int64N(x.m.end - x.m.start + 1)
		err = x.log.AdvanceStart(x.m.start)
	case k < 93:
		if err := x.dir.Close(); err != nil {
			x.Fatal(err)
		}
		x.open()
		x.m.flushed = x.m.end
		x.check()
	case k < 97:
		x.crash()
	default:
		x.epoch++
		err = x.log.AssignEpoch(x.epoch, x.m.end)
	}
	if err != nil {
		x.Fatal(err)
	}
}

func (m *model) truncate(to int64) {
	for len(m.batches) > 0 && m.batches[len(m.batches)-1].NextOffset() > to {
		m.batches = m.batches[:len(m.batches)-1]
	}
	m.end, m.flushed = min(m.end, to), min(m.flushed, to)
}

func (x *run) append() {
	x.Helper()
	var buf []byte
	for range 1 + x.r.IntN(3) {
		b := record.NewBuilder(record.BuilderOptions{})
		for range 1 + x.r.IntN(4) {
			b.Append(record.Record{Timestamp: 1000 + x.m.end, Value: bytes.Repeat([]byte{byte(x.r.IntN(256))}, x.r.IntN(200))})
		}
		batch, err := b.Build()
		if err != nil {
			x.Fatal(err)
		}
		buf = append(buf, batch...)
	}
	at, invalid, err := x.log.AppendAsLeader(buf, partition.AppendOptions{LeaderEpoch: x.epoch, Now: 5, Origin: record.Coordinator})
	if invalid != nil || err != nil {
		x.Fatal(invalid, err)
	}
	if at.FirstOffset != x.m.end {
		x.Fatalf("appended at %d, want %d", at.FirstOffset, x.m.end)
	}
	for rest := bytes.Clone(buf); len(rest) > 0; {
		batch, after, err := record.Next(rest)
		if err != nil {
			x.Fatal(err)
		}
		x.m.batches = append(x.m.batches, batch)
		x.m.end = batch.NextOffset()
		rest = after
	}
	if x.log.EndOffset() != x.m.end || at.LastOffset != x.m.end-1 {
		x.Fatalf("log ends at %d, last %d, want %d", x.log.EndOffset(), at.LastOffset, x.m.end)
	}
}

// read reads from a random offset and compares.
func (x *run) read() {
	x.Helper()
	if x.m.end == x.m.start {
		return
	}
	from := x.m.start + x.r.Int64N(x.m.end-x.m.start)
	limit := from + x.r.Int64N(x.m.end-from+5)
	maxBytes, minOne := x.r.IntN(4000), x.r.IntN(2) == 0
	x.compare(from, limit, maxBytes, minOne)
}

func (x *run) compare(from, limit int64, maxBytes int, minOne bool) {
	x.Helper()
	s, err := x.log.Read(from, maxBytes, limit, minOne)
	if err != nil {
		x.Fatalf("read from %d: %v", from, err)
	}
	got, err := s.AppendTo(nil)
	if err != nil {
		x.Fatal(err)
	}
	upper := s.Upper()
	if err := s.Release(); err != nil {
		x.Fatal(err)
	}
	var all []byte // what may be had at most
	for _, b := range x.m.batches {
		if b.LastOffset() >= from && b.NextOffset() <= limit {
			all = append(all, b...)
		}
	}
	if !bytes.HasPrefix(all, got) {
		for i := 0; i < min(len(all), len(got)); i++ {
			if all[i] != got[i] {
				x.Logf("first difference at byte %d: % x, want % x", i, got[i:min(i+20, len(got))], all[i:min(i+20, len(all))])
				break
			}
		}
		x.Fatalf("read from %d below %d, %d bytes: got %d bytes that are not those of the model, of %d", from, limit, maxBytes, len(got), len(all))
	}
	if len(all) > 0 && len(got) == 0 && (minOne || record.Batch(all).Size() <= maxBytes) {
		x.Fatalf("read from %d below %d, %d bytes: nothing", from, limit, maxBytes)
	}
	if len(got) > 0 {
		last := from
		for b, err := range record.All(got) {
			if err != nil {
				x.Fatal(err)
			}
			last = b.NextOffset()
		}
		if len(got) > maxBytes && (last != record.Batch(got).NextOffset() || !minOne) || upper != last {
			x.Fatalf("read from %d below %d, %d bytes: %d bytes, upper %d, want %d", from, limit, maxBytes, len(got), upper, last)
		}
	}
}

// check compares everything.
func (x *run) check() {
	x.Helper()
	if x.log.EndOffset() != x.m.end || x.log.StartOffset() != x.m.start {
		x.Fatalf("log has %d to %d, want %d to %d", x.log.StartOffset(), x.log.EndOffset(), x.m.start, x.m.end)
	}
	for from := x.m.start; from < x.m.end; {
		x.compare(from, x.m.end, 1<<20, true)
		s, err := x.log.Read(from, 1<<20, x.m.end, true)
		if err != nil || s.Upper() <= from {
			x.Fatalf("read from %d: upper %d, %v", from, s.Upper(), err)
		}
		from = s.Upper()
		if err := s.Release(); err != nil {
			x.Fatal(err)
		}
	}
	for _, b := range x.m.batches {
		if b.BaseOffset() < x.m.start {
			continue
		}
		if offset, _, err := x.log.OffsetForTime(b.MaxTimestamp()); err != nil || offset > b.BaseOffset() || offset < 0 {
			x.Fatalf("offset %d, %v for time %d, want %d or before", offset, err, b.MaxTimestamp(), b.BaseOffset())
		}
		if e := x.log.EpochAt(b.BaseOffset()); e != b.PartitionLeaderEpoch() {
			x.Fatalf("offset %d is of epoch %d, want %d", b.BaseOffset(), e, b.PartitionLeaderEpoch())
		}
	}
}

// crash takes the disk as a power failure leaves it.
func (x *run) crash() {
	x.Helper()
	fs := x.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: x.r.IntN(4) * 33, RNG: x.r})
	if err := x.dir.Close(); err != nil {
		x.Fatal(err)
	}
	x.fs = fs
	x.open()
	end, start := x.log.EndOffset(), x.log.StartOffset()
	if end < x.m.flushed {
		x.Fatalf("log ends at %d after the crash, all before %d was durable", end, x.m.flushed)
	}
	if start > x.m.start {
		x.Fatalf("log starts at %d after the crash, want %d at most", start, x.m.start)
	}
	x.m.truncate(end)
	if end != x.m.end {
		x.Fatalf("log ends at %d after the crash, no batch does: %d", end, x.m.end)
	}
	if x.m.start > end { // the tail that was deleted is gone
		x.m = model{start: start, end: end}
	}
	x.m.start = start
	x.m.flushed = min(x.m.flushed, end)
	x.epoch = max(x.epoch, x.log.LatestEpoch())
	x.check()
}
