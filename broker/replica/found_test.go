package replica

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/metadata"
	"holt/broker/partition"
	"holt/broker/record"
)

// TestFoundIsDurable: with log.flush.on.ack, what a log is found with after a crash is on stable storage before the Set
// does anything with it. A leader would count only what is, and nobody would tell it of more before the next
// append; a follower would report all. That the directory flushes by itself sooner or later is not enough.
func TestFoundIsDurable(t *testing.T) {
	mem := vfs.NewCrashableMem()
	d, err := partition.Open("/logs", partition.Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.Create(partition.Name{Topic: testTopic}, [16]byte{1}, partition.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	b := record.NewBuilder(record.BuilderOptions{})
	b.Append(record.Record{Timestamp: 1, Value: []byte("v")})
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if _, invalid, err := l.AppendAsLeader(batch, partition.AppendOptions{Now: 1, Origin: record.Client, ProduceVersion: 9}); invalid != nil || err != nil {
		t.Fatal(invalid, err)
	}
	killed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	disk := &gateFS{FS: killed}
	disk.shut()
	if d, err = partition.Open("/logs", partition.Options{FS: disk, FlushOnAck: true}); err != nil {
		t.Fatal(err)
	}
	opened := make(chan *Set, 1)
	go func() {
		opened <- Open(Config{Self: 1, Dirs: []*partition.Dir{d}, FlushOnAck: true,
			Topic: func(*metadata.Image, string) partition.Config { return partition.Defaults() }})
	}()
	var s *Set
	select {
	case s = <-opened: // nothing can have been synced
	case <-time.After(200 * time.Millisecond):
		disk.open()
		s = <-opened
	}
	l = d.Log(partition.Name{Topic: testTopic})
	if end, durable := l.EndOffset(), l.FlushedOffset(); end != 1 || durable != end {
		t.Errorf("the log ends at %d and is durable to %d when the Set is open", end, durable)
	}
	disk.open()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
