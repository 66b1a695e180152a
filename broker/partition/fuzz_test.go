package partition

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/record"
)

// FuzzSnapshot: any bytes are a snapshot or an error, and what was read is written the same.
func FuzzSnapshot(f *testing.F) {
	ps := producers{}
	p := ps.get(7)
	p.epoch, p.coordinatorEpoch, p.txnFirst, p.timestamp = 2, 1, 5, 1000
	p.add(written{firstSequence: 0, lastSequence: 3, lastOffset: 3, delta: 3, timestamp: 900})
	p.add(written{firstSequence: 4, lastSequence: 4, lastOffset: 5, timestamp: 1000})
	ps.get(8)
	f.Add(encodeSnapshot(&ps))
	f.Add(encodeSnapshot(&producers{}))
	f.Add([]byte{0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeSnapshot(b, 100)
		if err != nil {
			return
		}
		again, err := decodeSnapshot(encodeSnapshot(got), 100)
		if err != nil || !bytes.Equal(encodeSnapshot(again), encodeSnapshot(got)) {
			t.Errorf("%v", err)
		}
	})
}

// FuzzCheckpoint: the same for the text files.
func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte("0\n2\nt 0 5\nt 1 7\n"))
	f.Add([]byte("0\n2\n0 0\n3 17\n"))
	f.Add([]byte("#\nversion=0\nbroker.id=1\ncluster.id=abc\nholt.session=0x5@1:2\n"))
	f.Add([]byte("0\n-1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := decodeOffsets(b); err == nil {
			if again, err := decodeOffsets(o.encode()); err != nil || len(again) != len(o) {
				t.Errorf("offsets: %v", err)
			}
		}
		if e, err := decodeEpochs(b); err == nil {
			if again, err := decodeEpochs(e.encode()); err != nil || len(again) != len(e) {
				t.Errorf("epochs: %v", err)
			}
		}
		if m, err := decodeMeta(b); err == nil {
			if again, err := decodeMeta(m.encode()); err != nil || !bytes.Equal(again.encode(), m.encode()) {
				t.Errorf("meta: %v", err)
			}
		}
	})
}

// FuzzSegment: whatever is in a segment and its indexes when the power has failed, the log opens with what is
// whole, or says that it is damaged, and can be read from every offset.
func FuzzSegment(f *testing.F) {
	var log []byte
	for i := range int64(3) {
		b := record.NewBuilder(record.BuilderOptions{BaseOffset: i, Producer: &record.Producer{ID: 1, BaseSequence: int32(i)}, Transactional: i > 0})
		b.Append(record.Record{Timestamp: i, Value: []byte("value")})
		batch, err := b.Build()
		if err != nil {
			f.Fatal(err)
		}
		log = append(log, batch...)
	}
	log = append(log, func() []byte {
		m := record.Marker{ProducerID: 1}.Batch()
		m.SetBaseOffset(3)
		return m
	}()...)
	f.Add(log, []byte{0, 0, 0, 1, 0, 0, 0, 70}, []byte{}, []byte{})
	f.Add(log[:len(log)-5], []byte{0, 0, 0, 1}, make([]byte, 12), make([]byte, 34))
	f.Add([]byte{}, []byte{}, []byte{}, []byte{1})
	f.Fuzz(func(t *testing.T, log, index, times, txns []byte) {
		fs := vfs.NewMem()
		dir := "/d/t-0"
		if err := fs.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for suffix, b := range map[string][]byte{suffixLog: log, suffixIndex: index, suffixTimeIndex: times, suffixTxnIndex: txns} {
			file, err := fs.Create(fs.PathJoin(dir, offsetName(0, suffix)), category)
			if err != nil {
				t.Fatal(err)
			}
			_, err = file.Write(b)
			if err := errors.Join(err, file.Close()); err != nil {
				t.Fatal(err)
			}
		}
		d, err := Open("/d", Options{FS: fs})
		var damage *DamageError
		if errors.As(err, &damage) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		l := d.Log(Name{Topic: "t"})
		for from, steps := l.StartOffset(), 0; from < l.EndOffset() && steps < 100; steps++ {
			s, err := l.Read(from, 1<<20, l.EndOffset(), true)
			if err != nil {
				t.Fatalf("read from %d of %d: %v", from, l.EndOffset(), err)
			}
			b, err := s.AppendTo(nil)
			if err == nil && len(b) == 0 {
				t.Fatalf("nothing at %d of %d", from, l.EndOffset())
			}
			if err := errors.Join(err, s.Release()); err != nil {
				t.Fatal(err)
			}
			from = max(s.Upper(), from+1)
		}
		if _, err := l.AbortedIn(0, l.EndOffset()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.OffsetForTime(1); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
