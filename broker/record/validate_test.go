package record

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"holt/broker/kerror"
)

// TestCoordinator: the broker's own batches may be several and control batches, and are checked
// for damage and size.
func TestCoordinator(t *testing.T) {
	one := build(t, BuilderOptions{}, sample(3)...)
	two := append(bytes.Clone(one), Marker{ProducerID: 1, Timestamp: 5}.Batch()...)
	damaged := bytes.Clone(two)
	damaged[len(damaged)-1]++
	for name, c := range map[string]struct {
		in   []byte
		o    ValidateOptions
		want kerror.Code
	}{
		"two":               {two, ValidateOptions{MaxBatchBytes: len(one), SegmentBytes: len(two)}, kerror.OK},
		"one too large":     {two, ValidateOptions{MaxBatchBytes: len(one) - 1}, kerror.MessageTooLarge},
		"all too large":     {two, ValidateOptions{SegmentBytes: len(two) - 1}, kerror.RecordListTooLarge},
		"second damaged":    {damaged, ValidateOptions{}, kerror.CorruptMessage},
		"second cut":        {two[:len(two)-1], ValidateOptions{}, kerror.CorruptMessage},
		"nothing":           {nil, ValidateOptions{}, kerror.InvalidRecord},
		"topics' own rules": {two, ValidateOptions{TimestampType: LogAppendTime, Compression: &Compression{Codec: Zstd}}, kerror.OK},
	} {
		c.o.Origin = Coordinator
		in := bytes.Clone(c.in)
		out, bad := Validate(in, c.o)
		code := kerror.OK
		if bad != nil {
			code = bad.Code
		}
		if code != c.want || code == kerror.OK && !bytes.Equal(out, c.in) {
			t.Errorf("%s: %v, %d bytes of %d", name, bad, len(out), len(c.in))
		}
	}
}

// TestTrusted is what the shortcut refuses by the header.
func TestTrusted(t *testing.T) {
	b := build(t, BuilderOptions{Compression: Compression{Codec: Zstd}}, Record{Timestamp: 1000}, Record{Timestamp: 1600})
	late := ValidateOptions{ProduceVersion: 9, Now: 1000, TimestampAfterMax: 500, TrustCompressed: true}
	if _, bad := Validate(b, late); bad == nil || bad.Code != kerror.InvalidTimestamp {
		t.Errorf("too new: %v", bad)
	}
	appended := edit(b, setAttributes(attrLogAppendTime))
	own := ValidateOptions{ProduceVersion: 9, TimestampType: LogAppendTime, TrustCompressed: true}
	if _, bad := Validate(appended, own); bad == nil || bad.Code != kerror.InvalidTimestamp {
		t.Errorf("type LogAppendTime of a producer: %v", bad)
	}
	if out, bad := Validate(bytes.Clone(b), ValidateOptions{ProduceVersion: 9, TimestampType: LogAppendTime, Now: 7, TrustCompressed: true}); bad != nil || Batch(out).MaxTimestamp() != 7 {
		t.Errorf("time of the append: %v", bad)
	}
}

// TestManyBlamed: an answer does not grow with the batch.
func TestManyBlamed(t *testing.T) {
	b := NewBuilder(BuilderOptions{})
	for range 5000 {
		b.Append(Record{Value: []byte("no key")})
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	_, bad := Validate(batch, ValidateOptions{ProduceVersion: 9, Compacted: true})
	if bad == nil || bad.Code != kerror.InvalidRecord || len(bad.Records) != recordErrorsMax {
		t.Errorf("%v", bad)
	}
}

// TestBadRecords are records that are wrong within a block of the right length.
func TestBadRecords(t *testing.T) {
	for name, block := range map[string][]byte{
		"good":                   {12, 0, 0, 0, 1, 1, 0},
		"length varint too long": {0xff, 0xff, 0xff, 0xff, 0xff, 0, 0},
		"no attributes":          {0},
		"no timestamp":           {2, 0},
		"timestamp too long":     {24, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"more than its fields":   {14, 0, 0, 0, 1, 1, 0, 9},
		"null header key":        {16, 0, 0, 0, 1, 1, 2, 1, 1},
		"headers beyond":         {14, 0, 0, 0, 1, 1, 40, 2},
	} {
		b := Batch(append(make([]byte, HeaderSize), block...))
		b.setSize(len(b))
		b[posMagic] = magicV2
		b.putInt32(posCount, 1)
		b.seal()
		var damage *CorruptError
		n := 0
		for _, err := range b.Records(nil) {
			if n++; (name == "good") != (err == nil) || err != nil && !errors.As(err, &damage) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d steps", name, n)
		}
	}
}

func TestApart(t *testing.T) {
	for _, c := range []struct{ from, to, want int64 }{
		{5, 7, 2}, {7, 5, -2}, {0, math.MaxInt64, math.MaxInt64}, {-1, math.MaxInt64, math.MaxInt64}, {1, math.MinInt64, math.MinInt64},
		{math.MinInt64, math.MaxInt64, math.MaxInt64}, {math.MaxInt64, math.MinInt64, math.MinInt64}, {math.MinInt64, 0, math.MaxInt64}, {0, math.MinInt64, math.MinInt64},
	} {
		if got := apart(c.from, c.to); got != c.want {
			t.Errorf("apart(%d, %d) = %d, want %d", c.from, c.to, got, c.want)
		}
	}
}
