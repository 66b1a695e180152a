package record

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestVerdicts holds Validate against what Kafka 3.9.2 did with the same bytes
// (testdata/verdicts.txt, made by testdata/Verdicts.java): the code, the records blamed, and the
// bytes stored.

const (
	verdictNow   = 1_700_000_000_000
	verdictEpoch = 5
)

var casesFile = flag.String("cases", "", "write the cases for Verdicts.java to this file")

// verdictCase is one Produce to one topic.
type verdictCase struct {
	name     string
	version  int16
	settings string // the topic's, "key=value,…"
	records  []byte
}

func (c verdictCase) line() string {
	return fmt.Sprintf("%s|%d|%s|%x", c.name, c.version, c.settings, c.records)
}

func parseVerdict(t *testing.T, line string) (c verdictCase, want string) {
	t.Helper()
	f := strings.Split(strings.TrimSuffix(line, "\n"), "|")
	version, err := strconv.ParseInt(f[1], 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(f[3])
	if err != nil {
		t.Fatal(err)
	}
	return verdictCase{f[0], int16(version), f[2], raw}, f[4]
}

func (c verdictCase) options(t *testing.T) ValidateOptions {
	t.Helper()
	o := ValidateOptions{ProduceVersion: c.version, MaxBatchBytes: 1048588, SegmentBytes: 1 << 30, Now: verdictNow,
		Decompressor: NewDecompressor(1 << 20)}
	for setting := range strings.SplitSeq(c.settings, ",") {
		key, value, _ := strings.Cut(setting, "=")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch key {
		case "":
		case "cleanup.policy":
			o.Compacted = value == "compact"
		case "compression.type":
			codec, _ := ParseCodec(value)
			o.Compression = &Compression{Codec: codec}
		case "max.message.bytes":
			o.MaxBatchBytes = int(n)
		case "segment.bytes":
			o.SegmentBytes = int(n)
		case "message.timestamp.type":
			if value == "LogAppendTime" {
				o.TimestampType = LogAppendTime
			}
		case "message.timestamp.before.max.ms":
			o.TimestampBeforeMax = n
		case "message.timestamp.after.max.ms":
			o.TimestampAfterMax = n
		default:
			t.Fatalf("unknown setting %q", setting)
		}
	}
	return o
}

// run returns the verdict as Verdicts.java prints it, for what is to be stored with its place in
// the log written in.
func (c verdictCase) run(t *testing.T) string {
	t.Helper()
	input := bytes.Clone(c.records)
	out, bad := Validate(input, c.options(t))
	if bad != nil {
		if !bytes.Equal(input, c.records) {
			t.Errorf("%s: refused, and changed all the same", c.name)
		}
		var indexes []string
		for _, r := range bad.Records {
			indexes = append(indexes, strconv.Itoa(int(r.Index)))
		}
		return fmt.Sprintf("%v %s", bad.Code, strings.Join(indexes, ","))
	}
	Batch(out).SetPartitionLeaderEpoch(verdictEpoch)
	if err := Batch(out).Check(); err != nil {
		t.Errorf("%s: %v", c.name, err)
	}
	return fmt.Sprintf("NONE %x", out)
}

// differences are the verdicts that are not Kafka's, by intent; see doc.go.
func differences() map[string]string {
	m := map[string]string{
		"length huge":              "INVALID_RECORD ",     // its size overflows there
		"timestamp min":            "INVALID_TIMESTAMP 0", // its age does
		"none, offset delta twice": "INVALID_RECORD 2",
	}
	for _, codec := range codecs[1:] {
		m[fmt.Sprintf("%v, offset delta twice", codec)] = "INVALID_RECORD 2"
		m[fmt.Sprintf("%v, record length -1", codec)] = "INVALID_RECORD "
		m[fmt.Sprintf("%v, block damaged", codec)] = "INVALID_RECORD "
		m[fmt.Sprintf("%v, block cut", codec)] = "INVALID_RECORD "
		m[fmt.Sprintf("%v, not compressed at all", codec)] = "INVALID_RECORD "
	}
	return m
}

func TestVerdicts(t *testing.T) {
	cases := verdictCases(t)
	if *casesFile != "" {
		var s strings.Builder
		for _, c := range cases {
			fmt.Fprintln(&s, c.line())
		}
		if err := os.WriteFile(*casesFile, []byte(s.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Skip("cases written, now run Verdicts.java")
	}
	b, err := os.ReadFile("testdata/verdicts.txt")
	if err != nil {
		t.Fatal(err)
	}
	names, ours := map[string]bool{}, differences()
	for line := range strings.Lines(string(b)) {
		c, want := parseVerdict(t, line)
		names[c.name] = true
		if other, ok := ours[c.name]; ok {
			if want == other {
				t.Errorf("%s: no difference from Kafka", c.name)
			}
			want = other
		}
		// The bytes of the file count, not those that today's codecs make of the case.
		if got := c.run(t); got != want && !sameRecords(t, got, want) {
			t.Errorf("%s: %s\nwant %s", c.name, got, want)
		}
	}
	var missing []string
	for _, c := range cases {
		if !names[c.name] {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no verdict for %d cases, the first %q: write the cases and run Verdicts.java", len(missing), missing[0])
	}
}

// sameRecords reports whether two stored batches differ only in how a codec compressed them.
func sameRecords(t *testing.T, got, want string) bool {
	t.Helper()
	var as [2]Batch
	for i, s := range []string{got, want} {
		raw, err := hex.DecodeString(strings.TrimPrefix(s, "NONE "))
		if err != nil || len(raw) < HeaderSize {
			return false
		}
		as[i] = raw
	}
	if as[0].Codec() == Uncompressed || as[0].Attributes() != as[1].Attributes() || as[0].MaxTimestamp() != as[1].MaxTimestamp() ||
		!bytes.Equal(as[0][posLastDelta:HeaderSize], as[1][posLastDelta:HeaderSize]) {
		return false
	}
	d := NewDecompressor(1 << 20)
	return text(collect(t, as[0], d)) == text(collect(t, as[1], d))
}

// edit returns a copy of b with a change under a right CRC.
func edit(b Batch, change func(Batch)) Batch {
	b = bytes.Clone(b)
	change(b)
	if len(b) >= HeaderSize && b.Size() == len(b) {
		b.seal()
	}
	return b
}

func setAttributes(bits int16) func(Batch) {
	return func(b Batch) { binary.BigEndian.PutUint16(b[posAttributes:], uint16(b.Attributes()|bits)) }
}

// verdictCases is every row of the table of checks, good and bad, and every pair whose order
// shows.
func verdictCases(t *testing.T) []verdictCase {
	var cs []verdictCase
	add := func(name string, version int16, settings string, records []byte) {
		cs = append(cs, verdictCase{name, version, settings, records})
	}
	at := func(ts int64, key string) Record {
		r := Record{Timestamp: ts, Value: []byte("value")}
		if key != "" {
			r.Key = []byte(key)
		}
		return r
	}
	good := build(t, BuilderOptions{PartitionLeaderEpoch: -1}, at(verdictNow, "a"), at(verdictNow+5, "b"), at(verdictNow-5, "c"))
	compressed := map[Codec]Batch{}
	for _, codec := range codecs {
		compressed[codec] = build(t, BuilderOptions{Compression: Compression{Codec: codec}}, at(verdictNow, "a"), at(verdictNow+5, ""), at(verdictNow-5, "c"))
	}

	// The request.
	add("empty", 9, "", nil)
	add("header cut", 9, "", good[:16])
	add("batch cut", 9, "", good[:len(good)-1])
	add("two batches", 9, "", append(bytes.Clone(good), good...))
	add("two batches, second cut", 9, "", append(bytes.Clone(good), good[:70]...))
	add("trailing bytes", 9, "", append(bytes.Clone(good), 1, 2, 3))
	add("zeros behind", 9, "", append(bytes.Clone(good), make([]byte, 100)...))
	add("ten zeros behind", 9, "", append(bytes.Clone(good), make([]byte, 10)...))
	add("17 zeros behind", 9, "", append(bytes.Clone(good), make([]byte, 17)...))
	add("magic 1 behind", 9, "", append(bytes.Clone(good), edit(good, func(b Batch) { b[posMagic] = 1 })...))
	add("magic 1 cut behind", 9, "", append(bytes.Clone(good), edit(good, func(b Batch) { b[posMagic] = 1 })[:20]...))
	add("magic 7 behind", 9, "", append(bytes.Clone(good), edit(good, func(b Batch) { b[posMagic] = 7 })...))
	add("magic 7 cut behind", 9, "", append(bytes.Clone(good), edit(good, func(b Batch) { b[posMagic] = 7 })[:20]...))
	add("length 20 behind", 9, "", append(bytes.Clone(good), edit(good, func(b Batch) { b.putInt32(posLength, 20) })...))
	add("length 2 cut behind", 9, "", append(bytes.Clone(good), edit(good, func(b Batch) { b.putInt32(posLength, 2) })[:20]...))
	add("segment too small for what comes out", 9, "segment.bytes=100,compression.type=uncompressed", build(t, BuilderOptions{Compression: Compression{Codec: Zstd}}, Record{Timestamp: verdictNow, Value: make([]byte, 500)}))
	add("limit too small for what comes out", 9, "max.message.bytes=100,compression.type=uncompressed", build(t, BuilderOptions{Compression: Compression{Codec: Zstd}}, Record{Timestamp: verdictNow, Value: make([]byte, 500)}))
	add("magic 0", 9, "", edit(good, func(b Batch) { b[posMagic] = 0 }))
	add("magic 1", 9, "", edit(good, func(b Batch) { b[posMagic] = 1 }))
	add("magic 1, wrong crc", 9, "", func() []byte { b := bytes.Clone(good); b[posMagic] = 1; return b }())
	add("magic 3", 9, "", edit(good, func(b Batch) { b[posMagic] = 3 }))
	add("magic -1", 9, "", edit(good, func(b Batch) { b[posMagic] = 0xff }))
	add("length 0", 9, "", edit(good, func(b Batch) { b.putInt32(posLength, 0) }))
	add("length 13", 9, "", edit(good, func(b Batch) { b.putInt32(posLength, 13) }))
	add("length 14", 9, "", edit(good, func(b Batch) { b.putInt32(posLength, 14) }))
	add("length 48", 9, "", edit(good, func(b Batch) { b.putInt32(posLength, 48) }))
	add("length 48 and no more", 9, "", edit(good[:60], func(b Batch) { b.putInt32(posLength, 48) }))
	add("length 40 and no more", 9, "", edit(good[:52], func(b Batch) { b.putInt32(posLength, 40) }))
	add("length negative", 9, "", edit(good, func(b Batch) { b.putInt32(posLength, -1) }))
	add("length huge", 9, "", edit(good, func(b Batch) { b.putInt32(posLength, math.MaxInt32) }))
	add("zstd, version 6", 6, "", compressed[Zstd])
	add("zstd, version 7", 7, "", compressed[Zstd])
	add("zstd, version 3, wrong crc", 3, "", func() []byte { b := bytes.Clone(compressed[Zstd]); b[30]++; return b }())
	add("zstd, version 3, two", 3, "", append(bytes.Clone(compressed[Zstd]), compressed[Zstd]...))

	// Header and CRC.
	add("wrong crc", 9, "", func() []byte { b := bytes.Clone(good); b[len(b)-1]++; return b }())
	add("wrong crc, too large", 9, "max.message.bytes=90", func() []byte { b := bytes.Clone(good); b[len(b)-1]++; return b }())
	add("base offset 1", 9, "", edit(good, func(b Batch) { b.SetBaseOffset(1) }))
	add("base offset 1, too large", 9, "max.message.bytes=90", edit(good, func(b Batch) { b.SetBaseOffset(1) }))
	add("base offset 1, wrong crc", 9, "", func() []byte { b := Batch(bytes.Clone(good)); b.SetBaseOffset(1); b[len(b)-1]++; return b }())
	add("leader epoch set", 9, "", edit(good, func(b Batch) { b.SetPartitionLeaderEpoch(99) }))
	add("size is max", 9, fmt.Sprintf("max.message.bytes=%d", len(good)), good)
	add("size is max and 1", 9, fmt.Sprintf("max.message.bytes=%d", len(good)-1), good)
	add("size is segment", 9, fmt.Sprintf("segment.bytes=%d", len(good)), good)
	add("size is segment and 1", 9, fmt.Sprintf("segment.bytes=%d", len(good)-1), good)
	add("size is segment and 1, compacted", 9, fmt.Sprintf("segment.bytes=%d,cleanup.policy=compact", len(compressed[Uncompressed])-1), compressed[Uncompressed])
	for codec := int16(5); codec <= 7; codec++ {
		add(fmt.Sprintf("codec %d", codec), 9, "", edit(good, setAttributes(codec)))
	}
	add("codec 7, wrong crc", 9, "", func() []byte { b := edit(good, setAttributes(7)); b[len(b)-1]++; return b }())
	add("codec 7, control", 9, "", edit(good, setAttributes(attrControl|7)))
	add("unknown attribute bits", 9, "", edit(good, setAttributes(0x7f80)))
	add("delete horizon", 9, "", edit(good, setAttributes(attrDeleteHorizon)))
	add("count 0", 9, "", edit(good, func(b Batch) { b.putInt32(posCount, 0) }))
	add("count -1", 9, "", edit(good, func(b Batch) { b.putInt32(posCount, -1) }))
	add("count 2 of 3", 9, "", edit(good, func(b Batch) { b.putInt32(posCount, 2) }))
	add("count 4 of 3", 9, "", edit(good, func(b Batch) { b.putInt32(posCount, 4) }))
	add("count and delta 2 of 3", 9, "", edit(good, func(b Batch) { b.putInt32(posCount, 2); b.putInt32(posLastDelta, 1) }))
	add("count and delta 4 of 3", 9, "", edit(good, func(b Batch) { b.putInt32(posCount, 4); b.putInt32(posLastDelta, 3) }))
	add("delta -1", 9, "", edit(good, func(b Batch) { b.putInt32(posLastDelta, -1) }))
	add("delta -1, count 0", 9, "", edit(good, func(b Batch) { b.putInt32(posLastDelta, -1); b.putInt32(posCount, 0) }))
	add("delta max", 9, "", edit(good, func(b Batch) { b.putInt32(posLastDelta, math.MaxInt32) }))
	add("control", 9, "", edit(good, setAttributes(attrControl)))
	add("commit marker", 9, "", Marker{ProducerID: 1, Commit: true, Timestamp: verdictNow}.Batch())
	add("producer", 9, "", build(t, BuilderOptions{Producer: &Producer{ID: 7, Epoch: 1, BaseSequence: 0}}, at(verdictNow, "a")))
	add("producer without sequence", 9, "", build(t, BuilderOptions{Producer: &Producer{ID: 7, Epoch: 1, BaseSequence: -1}}, at(verdictNow, "a")))
	add("producer -2 without sequence", 9, "", build(t, BuilderOptions{Producer: &Producer{ID: -2, Epoch: 1, BaseSequence: -1}}, at(verdictNow, "a")))
	add("sequence without producer", 9, "", build(t, BuilderOptions{Producer: &Producer{ID: -1, Epoch: -1, BaseSequence: 3}}, at(verdictNow, "a")))

	// The records.
	for _, codec := range codecs {
		b := compressed[codec]
		add(fmt.Sprintf("%v", codec), 9, "", b)
		add(fmt.Sprintf("%v, null key, compacted", codec), 9, "cleanup.policy=compact", b)
		add(fmt.Sprintf("%v, LogAppendTime", codec), 9, "message.timestamp.type=LogAppendTime", b)
		add(fmt.Sprintf("%v, wrong greatest time", codec), 9, "", edit(b, func(b Batch) { b.putInt64(posMaxTime, verdictNow+99) }))
		add(fmt.Sprintf("%v, LogAppendTime bit", codec), 9, "", edit(b, setAttributes(attrLogAppendTime)))
		add(fmt.Sprintf("%v, LogAppendTime bit, LogAppendTime", codec), 9, "message.timestamp.type=LogAppendTime", edit(b, setAttributes(attrLogAppendTime)))
		add(fmt.Sprintf("%v, too old", codec), 9, "message.timestamp.before.max.ms=4", b)
		add(fmt.Sprintf("%v, too new", codec), 9, "message.timestamp.after.max.ms=4", b)
		add(fmt.Sprintf("%v, just old and new enough", codec), 9, "message.timestamp.before.max.ms=5,message.timestamp.after.max.ms=5", b)
		add(fmt.Sprintf("%v, too new and null key", codec), 9, "cleanup.policy=compact,message.timestamp.after.max.ms=4", b)
		add(fmt.Sprintf("%v, too old and null key", codec), 9, "cleanup.policy=compact,message.timestamp.before.max.ms=4", b)
		for _, to := range []string{"uncompressed", "gzip", "zstd"} {
			add(fmt.Sprintf("%v to %v", codec, to), 9, "compression.type="+to, b)
		}
		add(fmt.Sprintf("%v to lz4, LogAppendTime", codec), 9, "compression.type=lz4,message.timestamp.type=LogAppendTime", b)
		add(fmt.Sprintf("%v, bytes behind the records", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte { return append(block, 0, 0) }))
		add(fmt.Sprintf("%v, records cut", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte { return block[:len(block)-3] }))
		add(fmt.Sprintf("%v, offset delta twice", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte {
			block[len(block)/3*2+3] = 2 // 1, the second's, for the third
			return block
		}))
		add(fmt.Sprintf("%v, key too long", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte { block[4] = 0x7e; return block }))
		add(fmt.Sprintf("%v, key length -2", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte { block[4] = 3; return block }))
		add(fmt.Sprintf("%v, value too short", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte { block[6] = 4; return block }))
		add(fmt.Sprintf("%v, header count -1", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte { block[12] = 1; return block }))
		add(fmt.Sprintf("%v, header count 5", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte { block[12] = 10; return block }))
		add(fmt.Sprintf("%v, record length -1", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte { block[0] = 1; return block }))
		add(fmt.Sprintf("%v, record attributes", codec), 9, "", damagedBlock(t, codec, func(block []byte) []byte { block[1] = 0x55; return block }))
		if codec != Uncompressed {
			add(fmt.Sprintf("%v, block damaged", codec), 9, "", edit(b, func(b Batch) { clear(b[HeaderSize+8 : HeaderSize+24]) }))
			add(fmt.Sprintf("%v, block cut", codec), 9, "", cutBlock(b))
			add(fmt.Sprintf("%v, not compressed at all", codec), 9, "", edit(good, setAttributes(int16(codec))))
		}
	}
	none := build(t, BuilderOptions{}, at(-1, "a"), at(-1, "b"))
	add("no timestamps", 9, "message.timestamp.before.max.ms=1,message.timestamp.after.max.ms=1", none)
	add("no timestamps, LogAppendTime", 9, "message.timestamp.type=LogAppendTime", none)
	add("timestamp max", 9, "message.timestamp.after.max.ms=1000", build(t, BuilderOptions{}, at(math.MaxInt64, "a")))
	add("timestamp min", 9, "message.timestamp.before.max.ms=1000", build(t, BuilderOptions{}, at(math.MinInt64, "a")))
	add("timestamp 0", 9, "message.timestamp.before.max.ms=1000", build(t, BuilderOptions{}, at(0, "a")))
	add("timestamp min, no limit", 9, "", build(t, BuilderOptions{}, at(math.MinInt64, "a")))
	add("null keys, compacted", 9, "cleanup.policy=compact", build(t, BuilderOptions{}, at(verdictNow, ""), at(verdictNow, "b"), at(verdictNow, "")))
	add("empty key, compacted", 9, "cleanup.policy=compact", build(t, BuilderOptions{}, Record{Timestamp: verdictNow, Key: []byte{}}))
	return cs
}

// damagedBlock returns a batch of three records of the same length, with the block of its
// records damaged before it is compressed.
func damagedBlock(t *testing.T, codec Codec, damage func([]byte) []byte) []byte {
	t.Helper()
	r := Record{Timestamp: verdictNow, Key: []byte("k"), Value: []byte("value")}
	b := build(t, BuilderOptions{}, r, r, r)
	out, err := rebuild(b, damage(bytes.Clone(b.records())), Compression{Codec: codec}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func cutBlock(b Batch) Batch {
	cut := Batch(bytes.Clone(b[:len(b)-(len(b)-HeaderSize)/3]))
	cut.setSize(len(cut))
	cut.seal()
	return cut
}

// TestTrustCompressed: the shortcut gives the same answers, but for what only the records show.
func TestTrustCompressed(t *testing.T) {
	for _, c := range verdictCases(t) {
		full, _ := Validate(bytes.Clone(c.records), c.options(t))
		o := c.options(t)
		o.TrustCompressed = true
		if o.Compression == nil && !o.readsRecords() {
			o.Decompressor = nil // nothing may need it
			if len(c.records) >= HeaderSize && Batch(c.records).Codec() == Uncompressed {
				continue
			}
		}
		got, bad := Validate(bytes.Clone(c.records), o)
		if full != nil && bad != nil {
			t.Errorf("%s: refused: %v", c.name, bad)
		}
		if bad != nil && len(bad.Records) > 0 && o.Decompressor == nil {
			t.Errorf("%s: blames records without looking: %v", c.name, bad)
		}
		if full != nil && got != nil && !bytes.Equal(got[posCount:], full[posCount:]) && o.Compression == nil {
			t.Errorf("%s: stored as %x, not %x", c.name, got, full)
		}
	}
}
