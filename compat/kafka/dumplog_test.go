package kafka

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	cmd := k.Tool(within(t, time.Minute), "kafka-dump-log", "--deep-iteration", "--print-data-log", "--files", files)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kafka-dump-log: %v\n%s", err, out)
	}
	text := string(out)
	for _, bad := range []string{"Exception", "Could not", "could not", "mismatch", "Mismatch", "Non-consecutive", "isvalid: false"} {
		if strings.Contains(text, bad) {
			t.Errorf("kafka-dump-log says %q:\n%s", bad, text)
		}
	}
	expect(t, text, "payload: value-0", fmt.Sprintf("payload: value-%d", dumpedBatches-1),
		"compresscodec: none", "compresscodec: gzip", "compresscodec: snappy", "compresscodec: lz4", "compresscodec: zstd",
		"endTxnMarker: COMMIT", "endTxnMarker: ABORT", "producerId: 7", "baseOffset: 0 ")
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
