package record

import (
	"fmt"
	"testing"
)

// mebibyte returns a batch of 1 MiB of records of 100 bytes that do not compress to nothing.
func mebibyte(tb testing.TB, codec Codec) Batch {
	b := NewBuilder(BuilderOptions{Compression: Compression{Codec: codec}})
	for i := 0; b.Size() < 1<<20-200; i++ {
		b.Append(Record{Timestamp: verdictNow + int64(i), Key: fmt.Appendf(nil, "key-%06d", i%1000), Value: fmt.Appendf(nil, "%080x", uint64(i)*0x9e3779b97f4a7c15)})
	}
	batch, err := b.Build()
	if err != nil {
		tb.Fatal(err)
	}
	return batch
}

func BenchmarkCheck(b *testing.B) {
	batch := mebibyte(b, Uncompressed)
	b.SetBytes(int64(len(batch)))
	for b.Loop() {
		if err := batch.Check(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	d := NewDecompressor(8 << 20)
	for _, codec := range codecs {
		batch := mebibyte(b, codec)
		for _, trust := range []bool{false, true} {
			b.Run(fmt.Sprintf("%v/trust=%v", codec, trust), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(1 << 20)
				for b.Loop() {
					if _, bad := Validate(batch, ValidateOptions{ProduceVersion: 9, Decompressor: d, TrustCompressed: trust}); bad != nil {
						b.Fatal(bad)
					}
				}
			})
		}
	}
}

func BenchmarkRecords(b *testing.B) {
	d := NewDecompressor(8 << 20)
	for _, codec := range codecs {
		batch := mebibyte(b, codec)
		b.Run(codec.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(1 << 20)
			for b.Loop() {
				n := 0
				for r, err := range batch.Records(d) {
					if err != nil {
						b.Fatal(err)
					}
					n += len(r.Value)
				}
			}
		})
	}
}

func BenchmarkBuilder(b *testing.B) {
	z := &Compressor{}
	rs := collect(b, mebibyte(b, Uncompressed), nil)
	for _, codec := range codecs {
		b.Run(codec.String(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(1 << 20)
			n := NewBuilder(BuilderOptions{})
			for b.Loop() {
				n.Reset(BuilderOptions{Compression: Compression{Codec: codec}, Compressor: z})
				for _, r := range rs {
					n.Append(r)
				}
				if _, err := n.Build(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRecompress(b *testing.B) {
	d, z := NewDecompressor(8<<20), &Compressor{}
	batch := mebibyte(b, LZ4)
	b.ReportAllocs()
	b.SetBytes(1 << 20)
	for b.Loop() {
		if _, err := Recompress(batch, Compression{Codec: Zstd}, z, d); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocations is the budget of what happens for every batch that is produced or read.
func TestAllocations(t *testing.T) {
	plain, packed := mebibyte(t, Uncompressed), mebibyte(t, Zstd)
	small := build(t, BuilderOptions{}, sample(3)...)
	d := NewDecompressor(8 << 20)
	o := ValidateOptions{ProduceVersion: 9, Decompressor: d}
	for name, c := range map[string]struct {
		budget float64
		f      func()
	}{
		"Next and Check": {0, func() {
			b, _, _ := Next(plain)
			_ = b.Check()
		}},
		"SetBaseOffset, SetPartitionLeaderEpoch, SetLogAppendTime": {0, func() {
			small.SetBaseOffset(7)
			small.SetPartitionLeaderEpoch(7)
			small.SetLogAppendTime(small.MaxTimestamp() + 1)
		}},
		"Validate":       {0, func() { _, _ = Validate(plain, o) }},
		"Validate, zstd": {6, func() { _, _ = Validate(packed, o) }},
		"Records":        {2, func() { drain(plain, d) }},
		"Records, zstd":  {6, func() { drain(packed, d) }},
	} {
		if got := testing.AllocsPerRun(10, c.f); got > c.budget {
			t.Errorf("%s: %v allocations, budget %v", name, got, c.budget)
		}
	}
}

func drain(b Batch, d *Decompressor) {
	for range b.Records(d) {
	}
}
