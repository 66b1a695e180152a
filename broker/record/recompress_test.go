package record

import (
	"bytes"
	"testing"
)

func TestRecompress(t *testing.T) {
	d, z := NewDecompressor(1<<20), &Compressor{}
	for _, from := range codecs {
		b := build(t, BuilderOptions{BaseOffset: 9, Compression: Compression{Codec: from}, Producer: &Producer{ID: 1, Epoch: 2, BaseSequence: 3}, Transactional: true}, sample(100)...)
		want := text(collect(t, b, d))
		for _, to := range codecs {
			got, err := Recompress(b, Compression{Codec: to}, z, d)
			if err != nil {
				t.Fatalf("%v to %v: %v", from, to, err)
			}
			if err := got.Check(); err != nil || got.Codec() != to || got.Attributes()&^attrCodec != b.Attributes()&^attrCodec ||
				!bytes.Equal(got[posLastDelta:HeaderSize], b[posLastDelta:HeaderSize]) || got.BaseOffset() != 9 {
				t.Errorf("%v to %v: %v, header %x of %x", from, to, err, got[:HeaderSize], b[:HeaderSize])
			}
			if text(collect(t, got, d)) != want {
				t.Errorf("%v to %v: other records", from, to)
			}
		}
	}
}

func TestFilter(t *testing.T) {
	d := NewDecompressor(1 << 20)
	for _, codec := range codecs {
		for _, typ := range []TimestampType{CreateTime, LogAppendTime} {
			b := build(t, BuilderOptions{BaseOffset: 50, PartitionLeaderEpoch: 4, Compression: Compression{Codec: codec},
				TimestampType: typ, LogAppendTime: 12345, Producer: &Producer{ID: 1, Epoch: 2, BaseSequence: 3}}, sample(10)...)
			all := collect(t, b, d)
			for name, keep := range map[string]func(Record) bool{
				"all":    func(Record) bool { return true },
				"none":   func(Record) bool { return false },
				"some":   func(r Record) bool { return r.Offset%3 == 0 },
				"last":   func(r Record) bool { return r.Offset == 59 },
				"middle": func(r Record) bool { return r.Offset == 54 },
			} {
				for _, horizon := range []int64{NoTimestamp, 1_700_000_100_000} {
					checkFiltered(t, name, b, all, keep, FilterOptions{DeleteHorizon: horizon, Decompressor: d})
				}
			}
		}
	}
}

func checkFiltered(t *testing.T, name string, b Batch, all []Record, keep func(Record) bool, o FilterOptions) {
	t.Helper()
	got, err := Filter(b, keep, o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := got.Check(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	var want []Record
	greatest := NoTimestamp
	for _, r := range all {
		if keep(r) {
			want = append(want, r)
			greatest = max(greatest, r.Timestamp)
		}
	}
	if g, w := text(collect(t, got, o.Decompressor)), text(want); g != w {
		t.Errorf("%s of %v: %s\nwant\n%s", name, b.Codec(), g, w)
	}
	if got.BaseOffset() != 50 || got.LastOffset() != 59 || got.LastSequence() != b.LastSequence() || got.ProducerID() != 1 ||
		got.PartitionLeaderEpoch() != 4 || int(got.Count()) != len(want) || got.TimestampType() != b.TimestampType() {
		t.Errorf("%s of %v: header %x of %x", name, b.Codec(), got[:HeaderSize], b[:HeaderSize])
	}
	if len(want) > 0 && got.MaxTimestamp() != greatest {
		t.Errorf("%s of %v: greatest timestamp %d, want %d", name, b.Codec(), got.MaxTimestamp(), greatest)
	}
	if len(want) == 0 && got.MaxTimestamp() != b.MaxTimestamp() {
		t.Errorf("%s of %v: greatest timestamp %d, was %d", name, b.Codec(), got.MaxTimestamp(), b.MaxTimestamp())
	}
	horizon, ok := got.DeleteHorizon()
	if ok != (o.DeleteHorizon != NoTimestamp) || horizon != o.DeleteHorizon {
		t.Errorf("%s of %v: delete horizon %d, %v", name, b.Codec(), horizon, ok)
	}
	// A horizon is stamped once, and filtering again changes nothing.
	again, err := Filter(got, func(Record) bool { return true }, FilterOptions{DeleteHorizon: o.DeleteHorizon, Decompressor: o.Decompressor})
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("%s of %v: filtered again: %x, was %x, %v", name, b.Codec(), again, got, err)
	}
}
