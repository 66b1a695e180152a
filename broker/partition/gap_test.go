package partition_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/record"
)

// TestCompactedGap opens a log as Kafka leaves it when it is killed: it has compacted the first segment, of which
// the end is gone, and noted that or not yet, but its recovery point is of before. What is behind the gap stays. If
// nothing is noted and no other offset is missing the gap is what a crash has lost, and what is behind it goes. So it is
// if another is missing right before the log's start: that is what was deleted when a crash had lost it.
func TestCompactedGap(t *testing.T) {
	const nothing = 0
	for _, c := range []struct{ noted, thinned, deleted bool }{{noted: true}, {thinned: true}, {thinned: true, deleted: true}, {}} {
		noted := c.noted
		x := &compacted{run: run{T: t, r: rand.New(rand.NewPCG(7, 7))}}
		x.start()
		for range 60 {
			x.put()
		}
		if err := x.dir.Close(); err != nil {
			t.Fatal(err)
		}
		first, second, middle := int64(-1), int64(-1), []int(nil)
		for base := int64(1); base < x.m.end && second < 0; base++ {
			if _, err := x.fs.Stat(segmentFile(base, "log")); err == nil {
				second = base
			}
		}
		b := readAll(t, x.fs, segmentFile(0, "log"))
		cut := 0
		for rest := b; len(rest) > 0; {
			batch, after, err := record.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			first, cut, rest = batch.BaseOffset(), len(b)-len(rest), after
			middle = append(middle, cut)
		}
		if second < 0 || cut == 0 {
			t.Fatalf("one segment, or one batch: %d, %d", second, cut)
		}
		b = b[:cut]
		if c.thinned {
			n := len(middle) / 2
			if c.deleted {
				start := record.Batch(b[middle[n]:]).BaseOffset()
				writeAll(t, x.fs, "/data/logs/log-start-offset-checkpoint", fmt.Appendf(nil, "0\n1\nt 3 %d\n", start))
			}
			b = slices.Delete(b, middle[n-1], middle[n])
		}
		writeAll(t, x.fs, segmentFile(0, "log"), b)
		cleaned := int64(nothing)
		if noted {
			cleaned = second
		}
		writeAll(t, x.fs, "/data/logs/recovery-point-offset-checkpoint", []byte("0\n1\nt 3 0\n"))
		writeAll(t, x.fs, "/data/logs/cleaner-offset-checkpoint", fmt.Appendf(nil, "0\n1\nt 3 %d\n", cleaned))
		if err := x.fs.Remove("/data/logs/.kafka_cleanshutdown"); err != nil {
			t.Fatal(err)
		}
		x.run.open()
		want := first
		if noted || c.thinned && !c.deleted {
			want = x.m.end
		}
		if got := x.log.EndOffset(); got != want {
			t.Errorf("%+v: the log ends at %d, want %d", c, got, want)
		}
		// A truncation takes the note back.
		if noted {
			if err := x.log.TruncateTo(1); err != nil {
				t.Fatal(err)
			}
			if got := string(readAll(t, x.fs, "/data/logs/cleaner-offset-checkpoint")); got != "0\n1\nt 3 1\n" {
				t.Errorf("after a truncation: %q", got)
			}
		}
		if err := x.dir.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func segmentFile(base int64, suffix string) string {
	return fmt.Sprintf("/data/logs/t-3/%020d.%s", base, suffix)
}

func readAll(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

func writeAll(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(b)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}
