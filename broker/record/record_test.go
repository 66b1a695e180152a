package record

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
)

// sample returns n records with keys, null and empty fields and headers in turn.
func sample(n int) []Record {
	var rs []Record
	for i := range n {
		r := Record{Offset: int64(i), Timestamp: 1_700_000_000_000 + int64(i%7)*5 - 3}
		switch i % 4 {
		case 0:
			r.Key, r.Value = fmt.Appendf(nil, "key-%d", i), bytes.Repeat([]byte{byte(i)}, i%300)
		case 1:
			r.Value = fmt.Appendf(nil, "value of %d", i)
		case 2:
			r.Key = []byte{}
		case 3:
			r.Key, r.Value = []byte("k"), []byte{}
			r.Headers = []Header{{Key: []byte("trace"), Value: fmt.Append(nil, i)}, {Key: []byte{}}, {Key: []byte("trace"), Value: []byte{}}}
		}
		rs = append(rs, r)
	}
	return rs
}

func build(t testing.TB, o BuilderOptions, rs ...Record) Batch {
	t.Helper()
	b := NewBuilder(o)
	for _, r := range rs {
		b.Append(r)
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// collect returns copies of the batch's records.
func collect(t testing.TB, b Batch, d *Decompressor) []Record {
	t.Helper()
	var rs []Record
	for r, err := range b.Records(d) {
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, clone(r))
	}
	return rs
}

func clone(r Record) Record {
	r.Key, r.Value, r.Headers = bytes.Clone(r.Key), bytes.Clone(r.Value), slices.Clone(r.Headers)
	for i, h := range r.Headers {
		r.Headers[i] = Header{Key: bytes.Clone(h.Key), Value: bytes.Clone(h.Value)}
	}
	return r
}

// text prints records so that nil and empty differ.
func text(rs []Record) string {
	var s bytes.Buffer
	for _, r := range rs {
		fmt.Fprintf(&s, "%d @%d %#v=%#v %#v\n", r.Offset, r.Timestamp, r.Key, r.Value, r.Headers)
	}
	return s.String()
}

var codecs = []Codec{Uncompressed, Gzip, Snappy, LZ4, Zstd}

func TestRoundTrip(t *testing.T) {
	d := NewDecompressor(1 << 20)
	for _, codec := range codecs {
		for _, n := range []int{1, 2, 5, 1000} {
			rs := sample(n)
			for i := range rs {
				rs[i].Offset += 1000
			}
			b := build(t, BuilderOptions{BaseOffset: 1000, PartitionLeaderEpoch: 7, Compression: Compression{Codec: codec}}, rs...)
			if err := b.Check(); err != nil {
				t.Fatalf("%v, %d records: %v", codec, n, err)
			}
			if got, want := text(collect(t, b, d)), text(rs); got != want {
				t.Errorf("%v, %d records:\n%s\nwant\n%s", codec, n, got, want)
			}
			if next, rest, err := Next(append(bytes.Clone(b), 1, 2)); err != nil || !bytes.Equal(next, b) || len(rest) != 2 {
				t.Errorf("%v, %d records: Next: %d bytes, %d left, %v", codec, n, len(next), len(rest), err)
			}
		}
	}
}

func TestNextOfPrefixes(t *testing.T) {
	b := build(t, BuilderOptions{}, sample(3)...)
	for n := range len(b) {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if _, _, err := Next(b[:n]); err != want {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}
