package record

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
)

// fixture is a batch that kafka-clients 3.9.2 built (testdata/Fixtures.java).
type fixture struct {
	name    string
	batch   Batch
	records string // as Fixtures.java prints them
}

func fixtures(t testing.TB) []fixture {
	t.Helper()
	b, err := os.ReadFile("testdata/fixtures.txt")
	if err != nil {
		t.Fatal(err)
	}
	var fs []fixture
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "|", 3)
		raw, err := hex.DecodeString(f[1])
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, fixture{f[0], raw, f[2]})
	}
	if len(fs) != 23 {
		t.Fatalf("%d fixtures, want 23", len(fs))
	}
	return fs
}

// asFixtures prints records as Fixtures.java does.
func asFixtures(rs []Record) string {
	field := func(b []byte) string {
		switch {
		case b == nil:
			return "null"
		case len(b) == 0:
			return "''"
		case len(b) > 1000:
			return fmt.Sprint("zeros", len(b))
		}
		return hex.EncodeToString(b)
	}
	var lines []string
	for _, r := range rs {
		s := fmt.Sprintf("%d %d %s %s", r.Offset, r.Timestamp, field(r.Key), field(r.Value))
		for _, h := range r.Headers {
			s += " " + field(h.Key) + "=" + field(h.Value)
		}
		lines = append(lines, s)
	}
	return strings.Join(lines, "|")
}

func TestReadJava(t *testing.T) {
	d := NewDecompressor(1 << 20)
	for _, f := range fixtures(t) {
		if err := f.batch.Check(); err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		if got := asFixtures(collect(t, f.batch, d)); got != f.records {
			t.Errorf("%s:\n%s\nwant\n%s", f.name, got, f.records)
		}
	}
}

// TestBuildAsJava builds Java's batches again from their records; where no codec's own choices
// come in, they have to be the same bytes.
func TestBuildAsJava(t *testing.T) {
	d := NewDecompressor(1 << 20)
	for _, f := range fixtures(t) {
		o := filterOptions(f.batch, nil)
		if !f.batch.HasProducer() {
			o.Producer = nil
		}
		rs := collect(t, f.batch, d)
		if o.TimestampType == LogAppendTime { // what the producer said does not matter any more
			rs[0].Timestamp, rs[1].Timestamp, rs[2].Timestamp = 1_700_000_000_000, 1_700_000_000_000-12345, 1_700_007_000_000
		}
		b := build(t, o, rs...)
		switch {
		case o.Compression.Codec == Uncompressed && !bytes.Equal(b, f.batch):
			t.Errorf("%s:\n%x\nwant\n%x", f.name, b, f.batch)
		case asFixtures(collect(t, b, d)) != f.records:
			t.Errorf("%s: other records when compressed again", f.name)
		}
	}
}

// TestAccessors holds them against what Fixtures.java asked for.
func TestAccessors(t *testing.T) {
	for _, f := range fixtures(t) {
		b := f.batch
		got := fmt.Sprintf("%v offsets %d-%d count %d producer %d/%d sequence %d-%d times %v %d-%d txn %v control %v",
			b.Codec(), b.BaseOffset(), b.NextOffset(), b.Count(), b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), b.LastSequence(),
			b.TimestampType(), b.BaseTimestamp(), b.MaxTimestamp(), b.IsTransactional(), b.IsControl())
		want := map[string]string{
			"plain-lz4":          "lz4 offsets 0-4 count 4 producer -1/-1 sequence -1--1 times CreateTime 1700000000000-1700007000000 txn false control false",
			"idempotent-none":    "none offsets 0-2 count 2 producer 4000/3 sequence 77-78 times CreateTime 1700000000000-1700000000000 txn false control false",
			"transactional-zstd": "zstd offsets 0-2 count 2 producer 9223372036854775806/32767 sequence 2147483647-0 times CreateTime 1700000000000-1700000000000 txn true control false",
			"commit":             "none offsets 0-1 count 1 producer 4000/3 sequence -1--1 times CreateTime 1700000000000-1700000000000 txn true control true",
		}[f.name]
		if want != "" && want != got {
			t.Errorf("%s:\n%s\nwant\n%s", f.name, got, want)
		}
	}
}

func TestMarkers(t *testing.T) {
	for _, f := range fixtures(t) {
		m, err := f.batch.Marker()
		if err != nil {
			t.Fatal(err)
		}
		if f.name != "commit" && f.name != "abort" {
			if m != nil {
				t.Errorf("%s is taken for a marker: %+v", f.name, m)
			}
			continue
		}
		want := Marker{ProducerID: 4000, ProducerEpoch: 3, CoordinatorEpoch: 12, Commit: f.name == "commit", Timestamp: 1_700_000_000_000}
		if m == nil || *m != want {
			t.Fatalf("%s = %+v, want %+v", f.name, m, want)
		}
		if b := m.Batch(); !bytes.Equal(b, f.batch) {
			t.Errorf("%s is built as\n%x\nwant\n%x", f.name, b, f.batch)
		}
	}
}
