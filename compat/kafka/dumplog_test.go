package kafka

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"holt/broker/partition"
	"holt/broker/record"
	"holt/compat/target"
)

// TestDumpLog has Kafka's own tool read the files of a log of Holt's: segments of every codec with their
// indexes, transactions that were committed and aborted, and a snapshot of the producers.
func TestDumpLog(t *testing.T) {
	target.Kind(t)
	target.Require(t, target.Tool{Check: []string{"java", "-version"}, Package: "default-jre-headless"})
	target.Require(t, target.Tool{Check: []string{"mvn", "-version"}, Package: "maven"})
	k, err := Load(within(t, 2*time.Minute))
	check(t, err)
	files := writeLog(t, t.TempDir())
	for _, suffix := range []string{".log", ".index", ".timeindex", ".txnindex", ".snapshot"} {
		if !strings.Contains(files, suffix) {
			t.Errorf("no %s among %s", suffix, files)
		}
	}
	text := dump(t, k, files)
	complain(t, text, append(complaints, "Non-consecutive")...)
	expect(t, text, "payload: value-0", fmt.Sprintf("payload: value-%d", dumpedBatches-1),
		"compresscodec: none", "compresscodec: gzip", "compresscodec: snappy", "compresscodec: lz4", "compresscodec: zstd",
		"endTxnMarker: COMMIT", "endTxnMarker: ABORT", "producerId: 7", "baseOffset: 0 ")
}

// complaints are what kafka-dump-log says of files that are not as they should be.
var complaints = []string{"Exception", "Could not", "could not", "mismatch", "Mismatch", "isvalid: false"}

func complain(t *testing.T, text string, complaints ...string) {
	t.Helper()
	for _, bad := range complaints {
		if strings.Contains(text, bad) {
			t.Errorf("kafka-dump-log says %q:\n%s", bad, text)
		}
	}
}

// dump has kafka-dump-log read files.
func dump(t *testing.T, k *Installation, files string) string {
	t.Helper()
	out, err := k.Tool(within(t, time.Minute), "kafka-dump-log", "--deep-iteration", "--print-data-log", "--files", files).CombinedOutput()
	if err != nil {
		t.Fatalf("kafka-dump-log: %v\n%s", err, out)
	}
	return string(out)
}

// emptyBatch is what the tool says of a batch without records that has the greatest timestamp of its segment: the
// index goes by the batch's header, as Kafka's cleaner does (MemoryRecords.filterTo), and the tool by the records.
var emptyBatch = regexp.MustCompile(`Found timestamp mismatch in :\S+\n  Index timestamp: \d+, log timestamp: -1\n`)

// TestDumpCompactedLog has Kafka's tool read a log that Holt has compacted: batches with gaps between their offsets
// and within, without records, with times from which on their tombstones or markers may go; and the indexes made
// anew. Offsets are not consecutive in it, nor need they be.
func TestDumpCompactedLog(t *testing.T) {
	target.Kind(t)
	target.Require(t, target.Tool{Check: []string{"java", "-version"}, Package: "default-jre-headless"})
	target.Require(t, target.Tool{Check: []string{"mvn", "-version"}, Package: "maven"})
	k, err := Load(within(t, 2*time.Minute))
	check(t, err)
	text := dump(t, k, writeCompacted(t, t.TempDir()))
	complain(t, emptyBatch.ReplaceAllString(text, ""), complaints...)
	expect(t, text,
		"deleteHorizonMs: OptionalLong[", // of a tombstone's batch
		" count: 0 ",                     // the last batch of a producer stays without records
		"valueSize: -1 sequence: -1 headerKeys: [] key: gone", // the tombstone
		"payload: value-299", // of each key the last value
		"endTxnMarker: COMMIT",
		"compresscodec: zstd", "producerId: 7",
	)
	for i := range 100 {
		if strings.Contains(text, fmt.Sprintf("payload: value-%d ", i)) {
			t.Errorf("value-%d is there, and a later record has its key", i)
		}
	}
}

// writeCompacted fills a log with records of which later ones have the same keys, has it compacted, and returns its
// files, separated by commas.
func writeCompacted(t *testing.T, path string) string {
	t.Helper()
	compacted := make(chan struct{}, 100)
	logger := zap.New(zaptest.NewLogger(t).Core(), zap.Hooks(func(e zapcore.Entry) error {
		if e.Message == "log compacted" {
			compacted <- struct{}{}
		}
		return nil
	}))
	d, err := partition.Open(path, partition.Options{Logger: logger, CleanerInterval: 20 * time.Millisecond})
	check(t, err)
	c := partition.Defaults()
	c.SegmentBytes, c.IndexIntervalBytes, c.CleanupPolicy = 16<<10, 512, partition.Compact
	l, err := d.Create(partition.Name{Topic: "dumped", Partition: 0}, [16]byte{1}, c)
	check(t, err)
	codecs := []record.Codec{record.Uncompressed, record.Gzip, record.Snappy, record.LZ4, record.Zstd}
	for i := range dumpedBatches {
		o := record.BuilderOptions{Compression: record.Compression{Codec: codecs[i/5%len(codecs)]}}
		if i == 20 {
			o.Transactional, o.Producer = true, &record.Producer{ID: 7, Epoch: 1}
		}
		b := record.NewBuilder(o)
		for _, key := range []int{i % 100, i%100 + 1000*(i%2)} { // so that of some batches one record stays
			r := record.Record{Timestamp: int64(1_700_000_000_000 + i), Key: fmt.Append(nil, key), Value: fmt.Appendf(nil, "value-%d %s", i, strings.Repeat(" .", 100))}
			b.Append(r)
		}
		if i == 150 {
			b.Append(record.Record{Timestamp: 1_700_000_000_150, Key: []byte("gone")})
		}
		batch, err := b.Build()
		check(t, err)
		appendBatch(t, l, batch, record.Client)
		if i == 20 {
			m := record.Marker{ProducerID: 7, ProducerEpoch: 1, Commit: true, Timestamp: int64(1_700_000_000_000 + i)}
			appendBatch(t, l, m.Batch(), record.Coordinator)
		}
	}
	before := l.Size()
	check(t, l.Flush())
	l.SetHighWatermark(l.EndOffset()) // from here on it may be compacted, as a whole
	select {
	case <-compacted:
	case <-within(t, 30*time.Second).Done():
		t.Fatal("the log is not compacted")
	}
	check(t, d.Close())
	if l.Size() > before/2 {
		t.Errorf("%d bytes are left of %d", l.Size(), before)
	}
	return segmentFiles(t, path)
}

const dumpedBatches = 300

// writeLog fills a log with several segments and returns its files, separated by commas.
func writeLog(t *testing.T, path string) string {
	t.Helper()
	d, err := partition.Open(path, partition.Options{})
	check(t, err)
	c := partition.Defaults()
	c.SegmentBytes, c.IndexIntervalBytes = 32<<10, 512
	l, err := d.Create(partition.Name{Topic: "dumped", Partition: 0}, [16]byte{1}, c)
	check(t, err)
	codecs := []record.Codec{record.Uncompressed, record.Gzip, record.Snappy, record.LZ4, record.Zstd}
	sequence := int32(0)
	for i := range dumpedBatches {
		o := record.BuilderOptions{Compression: record.Compression{Codec: codecs[i%len(codecs)]}}
		if i%10 < 5 {
			o.Transactional = true
			o.Producer = &record.Producer{ID: 7, Epoch: 1, BaseSequence: sequence}
			sequence++
		}
		b := record.NewBuilder(o)
		b.Append(record.Record{Timestamp: int64(1_700_000_000_000 + i), Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, "value-%d%s", i, strings.Repeat(" .", 200))})
		batch, err := b.Build()
		check(t, err)
		appendBatch(t, l, batch, record.Client)
		if i%10 == 5 {
			m := record.Marker{ProducerID: 7, ProducerEpoch: 1, Commit: i%20 == 5, Timestamp: int64(1_700_000_000_000 + i)}
			appendBatch(t, l, m.Batch(), record.Coordinator)
		}
	}
	check(t, d.Close())
	return segmentFiles(t, path)
}

// segmentFiles returns the files of a log that have something in them, separated by commas.
func segmentFiles(t *testing.T, path string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(path, "dumped-0", "0*"))
	check(t, err)
	var kept []string
	for _, f := range files {
		st, err := os.Stat(f)
		check(t, err)
		if st.Size() > 0 {
			kept = append(kept, f)
		}
	}
	return strings.Join(kept, ",")
}

func appendBatch(t *testing.T, l *partition.Log, b record.Batch, origin record.Origin) {
	t.Helper()
	_, invalid, err := l.AppendAsLeader(b, partition.AppendOptions{Now: 1_700_000_000_000, Origin: origin, ProduceVersion: 9})
	check(t, err)
	if invalid != nil {
		t.Fatal(invalid)
	}
}
