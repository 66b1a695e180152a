package record

import (
	"bytes"
	"io"
	"testing"
)

func seed(f *testing.F) {
	for _, x := range fixtures(f) {
		f.Add([]byte(x.batch))
		f.Add([]byte(x.batch[:len(x.batch)-1]))
	}
	f.Add(append(bytes.Clone(build(f, BuilderOptions{}, sample(9)...)), build(f, BuilderOptions{Compression: Compression{Codec: Zstd}}, sample(9)...)...))
}

// FuzzNext splits, checks and searches any bytes; nothing is read twice or left out.
func FuzzNext(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		for rest := b; ; {
			batch, next, err := Next(rest)
			if err != nil {
				if (err == io.EOF) != (len(rest) == 0) || !bytes.Equal(next, rest) {
					t.Fatalf("%d bytes left, %d returned, %v", len(rest), len(next), err)
				}
				break
			}
			n += len(batch)
			if batch.Size() != len(batch) || len(batch) < HeaderSize || n+len(next) != len(b) {
				t.Fatalf("a batch of %d bytes, %d in its header, %d of %d read", len(batch), batch.Size(), n, len(b))
			}
			_ = batch.Check()
			rest = next
		}
		if at := Search(b, 0); at >= 0 {
			if batch, _, err := Next(b[at:]); err != nil || batch.Check() != nil {
				t.Fatalf("no batch at %d: %v", at, err)
			}
		}
	})
}

// FuzzRecords reads what it makes pass Check. Records that can be read can be built, and read
// again.
func FuzzRecords(f *testing.F) {
	seed(f)
	d := NewDecompressor(1 << 20)
	f.Fuzz(func(t *testing.T, b []byte) {
		batch, _, err := Next(b)
		if err != nil || batch.Count() < 0 {
			return
		}
		batch.seal()
		_, _ = batch.Marker()
		n := NewBuilder(BuilderOptions{BaseOffset: batch.BaseOffset(), TimestampType: batch.TimestampType(), LogAppendTime: batch.MaxTimestamp()})
		var rs []Record
		for r, err := range batch.Records(d) {
			if err != nil {
				return
			}
			if r.Offset < batch.BaseOffset() || len(rs) > 0 && r.Offset <= rs[len(rs)-1].Offset {
				return // a client's lie, which only Validate finds out
			}
			rs = append(rs, clone(r))
			n.AppendAt(r)
		}
		if len(rs) == 0 {
			return
		}
		again, err := n.Build()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := text(collect(t, again, nil)), text(rs); got != want {
			t.Fatalf("%s\nwant\n%s", got, want)
		}
	})
}

// FuzzValidate: what passes can be stored and read; what does not is left as it was.
func FuzzValidate(f *testing.F) {
	seed(f)
	o := ValidateOptions{ProduceVersion: 9, TimestampBeforeMax: 1000, TimestampAfterMax: 1000, Now: verdictNow, Decompressor: NewDecompressor(1 << 20)}
	variants := []func(*ValidateOptions){
		func(*ValidateOptions) {},
		func(o *ValidateOptions) { o.TimestampBeforeMax, o.TimestampAfterMax = 0, 0 },
		func(o *ValidateOptions) { o.TimestampType = LogAppendTime },
		func(o *ValidateOptions) { o.Compacted = true },
		func(o *ValidateOptions) { o.Compression = &Compression{Codec: LZ4} },
		func(o *ValidateOptions) { o.TrustCompressed, o.TimestampBeforeMax = true, 0 },
		func(o *ValidateOptions) { o.Origin = Coordinator },
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= HeaderSize && Batch(b).Size() == len(b) {
			Batch(b).seal()
		}
		for i, change := range variants {
			o := o
			change(&o)
			in := bytes.Clone(b)
			out, bad := Validate(in, o)
			if bad != nil {
				if out != nil || bad.Code == 0 || bad.Message == "" || !bytes.Equal(in, b) {
					t.Fatalf("variant %d: %v with %d bytes to store", i, bad, len(out))
				}
				continue
			}
			for batch, err := range All(out) {
				if err != nil || batch.Check() != nil {
					t.Fatalf("variant %d: what is to be stored is damaged: %v", i, err)
				}
				if o.Origin == Client && !o.TrustCompressed {
					collect(t, batch, o.Decompressor)
				}
			}
		}
	})
}

// FuzzSkim: what skim takes, next takes too, and finds the same.
func FuzzSkim(f *testing.F) {
	plain := build(f, BuilderOptions{}, sample(3)...)
	f.Add([]byte(plain.records()))
	f.Add([]byte{0x12, 0, 0, 0, 1, 4, 'a', 'b', 0, 0})          // a value of three bytes, two of them there
	f.Add([]byte{0x10, 0, 0, 0, 1, 4, 'a', 'b', 0})             // no key
	f.Add([]byte{0x14, 0, 0x81, 0x80, 0, 0, 1, 4, 'a', 'b', 0}) // a number that goes on
	f.Add([]byte{0x14, 0, 0, 0xff, 0xff, 0x7f, 1, 4, 'a', 'b', 0})
	f.Fuzz(func(t *testing.T, block []byte) {
		b := Batch(make([]byte, HeaderSize))
		skimmed := cursor{batch: b, rest: block, left: 1}
		before := skimmed.rest
		took := skimmed.skim()
		if !took {
			if len(skimmed.rest) != len(before) || skimmed.left != 1 {
				t.Fatal("skim moved on without taking the record")
			}
			return
		}
		read := cursor{batch: b, rest: block, left: 1}
		if !read.next() {
			t.Fatalf("skim took what next refuses: %v", read.err)
		}
		if len(read.rest) != len(skimmed.rest) || read.left != skimmed.left || read.delta != skimmed.delta ||
			read.rec.Offset != skimmed.rec.Offset || read.rec.Timestamp != skimmed.rec.Timestamp || (read.rec.Key == nil) != (skimmed.rec.Key == nil) {
			t.Fatalf("skim %+v, next %+v", skimmed, read)
		}
	})
}
