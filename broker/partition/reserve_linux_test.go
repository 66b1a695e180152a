package partition_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"holt/broker/partition"
	"holt/broker/record"
)

// TestReserve looks at the blocks of a log's files: a small one has what it holds and no more, a larger one has up to
// twice as much while it is written to, and gives it back when it is full, when it is closed, and after a crash.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	d, err := partition.Open(dir, partition.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := partition.Defaults()
	c.SegmentBytes = 8 << 20
	l, err := d.Create(name, [16]byte{1}, c)
	if err != nil {
		t.Fatal(err)
	}
	b := record.NewBuilder(record.BuilderOptions{})
	for b.Size() < 250<<10 {
		b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: make([]byte, 1000)})
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	put := func(bytes int) {
		t.Helper()
		for n := 0; n < bytes; n += len(batch) {
			batch.SetBaseOffset(0)
			_, invalid, err := l.AppendAsLeader(batch, partition.AppendOptions{Now: time.Now().UnixMilli(), Origin: record.Client, ProduceVersion: 9})
			if invalid != nil || err != nil {
				t.Fatal(invalid, err)
			}
		}
	}
	const metadata = 128 << 10 // a file system may count a few blocks of its own
	check := func(what string, i int, reserved bool) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, "*", "*.log"))
		if err != nil || len(files) <= i {
			t.Fatal(what, files, err)
		}
		st, err := os.Stat(files[i])
		if err != nil {
			t.Fatal(err)
		}
		size, blocks := st.Size(), blocksOf(t, files[i])
		most := size + metadata
		if reserved {
			most = min(2*size, int64(c.SegmentBytes)) + metadata
		}
		if blocks > most || reserved != (blocks > size+metadata) {
			t.Errorf("%s: %s has %d bytes in %d of blocks", what, files[i], size, blocks)
		}
	}

	// A small log has no more blocks than any file of its size: XFS gives some of its own accord.
	put(700 << 10)
	logged, plain := blocksOf(t, filepath.Join(dir, name.String(), fmt.Sprintf("%020d.log", 0))), probe(t, dir, len(batch), 3)
	if logged > blocksOf(t, plain.Name())+metadata {
		t.Errorf("small: %d bytes in blocks, another file has %d", logged, blocksOf(t, plain.Name()))
	}
	put(4 << 20)
	if err := syscall.Fallocate(int(plain.Fd()), keepSize, 0, 4<<20); err != nil {
		t.Skipf("the file system of %s does not preallocate: %v; set TMPDIR to a place on ext4, XFS, Btrfs or tmpfs", dir, err)
	}
	check("larger", 0, true)
	put(6 << 20)
	check("full", 0, false)
	check("after it", 1, true)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	check("closed", 1, false)

	// A crash leaves what was reserved.
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(files[1], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat()
	if err == nil {
		err = syscall.Fallocate(int(f.Fd()), keepSize, st.Size(), st.Size())
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check("crashed", 1, true)
	if err := os.Remove(filepath.Join(dir, ".kafka_cleanshutdown")); err != nil {
		t.Fatal(err)
	}
	if d, err = partition.Open(dir, partition.Options{}); err != nil {
		t.Fatal(err)
	}
	check("recovered", 1, false)
	l = d.Log(name)
	put(1 << 20)
	check("written to again", 1, true)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// keepSize is FALLOC_FL_KEEP_SIZE.
const keepSize = 1

func blocksOf(t *testing.T, file string) int64 {
	t.Helper()
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t).Blocks * 512
}

// probe makes a file in dir by writes of so many bytes each; it is open until the test ends.
func probe(t *testing.T, dir string, bytes, writes int) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	for range writes {
		if _, err := f.Write(make([]byte, bytes)); err != nil {
			t.Fatal(err)
		}
	}
	return f
}
