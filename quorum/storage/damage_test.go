package storage

import (
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestDamage flips one bit of a log on disk, anywhere, and opens it. It must
// be refused or be whole.
func TestDamage(t *testing.T) {
	t.Run("tables", func(t *testing.T) { testDamage(t, true) })
	t.Run("write-ahead log", func(t *testing.T) { testDamage(t, false) })
}

func testDamage(t *testing.T, reopen bool) {
	steps := life()
	want := states(steps)
	disk := vfs.NewCrashableMem()
	var acked atomic.Int64
	if err := live(disk, steps, reopen, &acked); err != nil {
		t.Fatal(err)
	}
	names, err := disk.List("log")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, name := range names {
		data := readFile(t, disk, name)
		outcomes := map[string]int{}
		for at := 0; at < len(data); at += 1 + len(data)/200 {
			image := disk.CrashClone(vfs.CrashCloneCfg{})
			damaged := slices.Clone(data)
			damaged[at] ^= 1 << (at % 8)
			writeFile(t, image, name, damaged)
			outcomes[outcome(t, image, want, name, at)]++
		}
		if len(data) > 0 {
			t.Logf("%s (%d bytes): %v", name, len(data), outcomes)
		}
	}
}

func outcome(t *testing.T, image vfs.FS, want []string, name string, at int) string {
	t.Helper()
	l, err := Open("log", small(image))
	if err != nil {
		return "refused"
	}
	defer l.Close()
	got, err := describe(l)
	if err != nil {
		return "refused when read"
	}
	if got == want[len(want)-1] {
		return "whole"
	}
	t.Errorf("%s damaged at %d: opened as\n%s", name, at, got)
	return "wrong"
}

func readFile(t *testing.T, vol vfs.FS, name string) []byte {
	t.Helper()
	f, err := vol.Open(vol.PathJoin("log", name))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, vol vfs.FS, name string, data []byte) {
	t.Helper()
	f, err := vol.Create(vol.PathJoin("log", name), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
