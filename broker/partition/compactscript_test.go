package partition_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/partition"
	"holt/broker/record"
)

// compactScript is a log that is compacted, driven by a file of testdata/compact. Each batch begins a segment, so that
// all but the last can be compacted; a pass makes one segment of all that it may touch, unless told otherwise.
// Times are milliseconds; delete.retention.ms is 1000.
//
//	put a=1 b=-                 one batch of records; - is a tombstone
//	txn 7 a=1                   a batch of producer 7's transaction
//	commit 7, abort 7           its marker
//	compact at=5000 [apart]     a pass; apart: segments stay as they are
//	reopen                      the directory is closed and opened
//	aborted                     what a reader of everything is told of aborted transactions
//
// compact and reopen answer with the batches that are there: offsets, producer, time from which on tombstones or a
// marker may go, records with their offsets.
type compactScript struct {
	run
	sequences map[int64]int32
}

func TestCompactScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/compact", func(t *testing.T, path string) {
		s := &compactScript{run: run{T: t, fs: vfs.NewCrashableMem()}, sequences: map[int64]int32{}}
		if err := errors.Join(s.fs.MkdirAll("/data", 0o755), syncDir(s.fs, "/")); err != nil {
			t.Fatal(err)
		}
		s.cfg = partition.Defaults()
		s.cfg.CleanupPolicy, s.cfg.SegmentBytes, s.cfg.DeleteRetentionMillis = partition.Compact, 1<<20, 1000
		s.open()
		var err error
		if s.log, err = s.dir.Create(name, [16]byte{1}, s.cfg); err != nil {
			t.Fatal(err)
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.step(d) })
		if err := s.dir.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func (s *compactScript) step(d *datadriven.TestData) string {
	s.Helper()
	var producer int64
	if d.Cmd == "txn" || d.Cmd == "commit" || d.Cmd == "abort" {
		fmt.Sscan(d.CmdArgs[0].Key, &producer)
		d.CmdArgs = d.CmdArgs[1:]
	}
	switch d.Cmd {
	case "put":
		s.put(d, record.BuilderOptions{})
	case "txn":
		s.put(d, record.BuilderOptions{Transactional: true, Producer: &record.Producer{ID: producer, Epoch: 1, BaseSequence: s.sequences[producer]}})
		s.sequences[producer] += int32(len(d.CmdArgs))
	case "commit", "abort":
		m := record.Marker{ProducerID: producer, ProducerEpoch: 1, Commit: d.Cmd == "commit", Timestamp: 1}
		s.appendAlone(m.Batch())
	case "compact":
		s.compact(d)
		return s.batches()
	case "reopen":
		if err := s.dir.Close(); err != nil {
			s.Fatal(err)
		}
		s.open()
		return s.batches()
	case "aborted":
		return s.aborted()
	default:
		d.Fatalf(s.T, "no command %s", d.Cmd)
	}
	return ""
}

func (s *compactScript) put(d *datadriven.TestData, o record.BuilderOptions) {
	s.Helper()
	b := record.NewBuilder(o)
	for _, a := range d.CmdArgs {
		r := record.Record{Timestamp: 1, Key: []byte(a.Key), Value: []byte(a.Vals[0])}
		if a.Vals[0] == "-" {
			r.Value = nil
		}
		b.Append(r)
	}
	batch, err := b.Build()
	if err != nil {
		s.Fatal(err)
	}
	s.appendAlone(batch)
}

// appendAlone appends a batch to a segment of its own.
func (s *compactScript) appendAlone(b record.Batch) {
	s.Helper()
	small := s.cfg
	small.SegmentBytes = len(b)
	s.log.SetConfig(small)
	origin := record.Client
	if b.IsControl() {
		origin = record.Coordinator
	}
	_, invalid, err := s.log.AppendAsLeader(b, partition.AppendOptions{Now: 1, Origin: origin, ProduceVersion: 9})
	if invalid != nil || err != nil {
		s.Fatal(invalid, err)
	}
	s.log.SetConfig(s.cfg)
}

func (s *compactScript) compact(d *datadriven.TestData) {
	s.Helper()
	s.log.SetHighWatermark(s.log.EndOffset())
	if err := s.log.Flush(); err != nil {
		s.Fatal(err)
	}
	if d.HasArg("apart") {
		small := s.cfg
		small.SegmentBytes = 1
		s.log.SetConfig(small)
		defer s.log.SetConfig(s.cfg)
	}
	var at int64
	d.ScanArgs(s.T, "at", &at)
	if err := s.log.Compact(at); err != nil {
		s.Fatal(err)
	}
}

// batches describes all that can be read.
func (s *compactScript) batches() string {
	s.Helper()
	var text strings.Builder
	end := s.log.EndOffset()
	for from := s.log.StartOffset(); from < end; {
		slice, err := s.log.Read(from, 1<<20, end, true)
		if err != nil || slice.Upper() <= from {
			s.Fatalf("read from %d: upper %d, %v", from, slice.Upper(), err)
		}
		from = slice.Upper()
		b, err := slice.AppendTo(nil)
		if err := errors.Join(err, slice.Release()); err != nil {
			s.Fatal(err)
		}
		for batch, err := range record.All(b) {
			if err == nil {
				err = batch.Check()
			}
			if err != nil {
				s.Fatal(err)
			}
			text.WriteString(s.describe(batch))
		}
	}
	return text.String()
}

func (s *compactScript) describe(b record.Batch) string {
	s.Helper()
	text := fmt.Sprintf("%d-%d", b.BaseOffset(), b.LastOffset())
	if b.HasProducer() {
		text += fmt.Sprintf(" producer %d", b.ProducerID())
	}
	if horizon, ok := b.DeleteHorizon(); ok {
		text += fmt.Sprintf(" till %d", horizon)
	}
	if b.IsControl() {
		m, err := b.Marker()
		if err != nil {
			s.Fatal(err)
		}
		if m == nil {
			return text + ", marker gone\n"
		}
		return fmt.Sprintf("%s, commit %v\n", text, m.Commit)
	}
	for r, err := range b.Records(nil) {
		if err != nil {
			s.Fatal(err)
		}
		value := string(r.Value)
		if r.Value == nil {
			value = "-"
		}
		text += fmt.Sprintf(", %d: %s=%s", r.Offset, r.Key, value)
	}
	return text + "\n"
}

func (s *compactScript) aborted() string {
	s.Helper()
	all, err := s.log.AbortedIn(s.log.StartOffset(), s.log.EndOffset())
	if err != nil {
		s.Fatal(err)
	}
	var text strings.Builder
	for _, a := range all {
		fmt.Fprintf(&text, "producer %d from %d\n", a.ProducerID, a.FirstOffset)
	}
	return text.String()
}
