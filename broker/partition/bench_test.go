package partition_test

import (
	"fmt"
	"testing"
	"time"

	"holt/broker/partition"
	"holt/broker/record"
)

// benchLog makes a log on the machine's disk.
func benchLog(b *testing.B, path string) (*partition.Dir, *partition.Log) {
	b.Helper()
	d, err := partition.Open(path, partition.Options{})
	if err != nil {
		b.Fatal(err)
	}
	l := d.Log(name)
	if l == nil {
		c := partition.Defaults()
		c.SegmentBytes = 64 << 20
		if l, err = d.Create(name, [16]byte{1}, c); err != nil {
			b.Fatal(err)
		}
	}
	return d, l
}

// benchBatch is a batch of so many bytes of records, 100 bytes each.
func benchBatch(b *testing.B, bytes int) record.Batch {
	b.Helper()
	builder := record.NewBuilder(record.BuilderOptions{})
	for builder.Size() < bytes {
		builder.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: make([]byte, 100)})
	}
	batch, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	return batch
}

func fill(b *testing.B, l *partition.Log, batch record.Batch, n int) {
	b.Helper()
	for range n {
		batch.SetBaseOffset(0)
		_, invalid, err := l.AppendAsLeader(batch, partition.AppendOptions{Now: time.Now().UnixMilli(), Origin: record.Client, ProduceVersion: 9})
		if invalid != nil || err != nil {
			b.Fatal(invalid, err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 256 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			d, l := benchLog(b, b.TempDir())
			batch := benchBatch(b, size)
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for b.Loop() {
				fill(b, l, batch, 1)
			}
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkRead reads a megabyte at the end of the log, which is in memory, and at its beginning.
func BenchmarkRead(b *testing.B) {
	d, l := benchLog(b, b.TempDir())
	batch := benchBatch(b, 16<<10)
	fill(b, l, batch, 4000)
	l.SetHighWatermark(l.EndOffset())
	per := int64(record.Batch(batch).LastOffsetDelta()) + 1
	for where, from := range map[string]int64{"tail": l.EndOffset() - 10*per, "file": 5 * per} {
		b.Run(where, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := l.Read(from, 1<<20, l.EndOffset(), true)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Release(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpen opens and closes a log of 64 MB.
func BenchmarkOpen(b *testing.B) {
	path := b.TempDir()
	d, l := benchLog(b, path)
	fill(b, l, benchBatch(b, 16<<10), 4000)
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d, _ := benchLog(b, path)
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
