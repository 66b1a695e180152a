package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

func benchLog(b *testing.B) *Log {
	l, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	conf := Conf{Index: 1, State: &raftpb.ConfState{Voters: []uint64{1}}}
	if err := l.Found(Identity{Member: 1}, conf); err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkWrite is one entry and one fsync.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{200, 4000, 64 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			l := benchLog(b)
			hard := Hard{Term: 1, Commit: 1}
			index := uint64(1)
			b.ReportAllocs()
			for b.Loop() {
				index++
				e := &raftpb.Entry{Index: new(index), Term: new(uint64(1)), Data: make([]byte, size)}
				hard.Commit = index - 1
				w := Write{Entries: []*raftpb.Entry{e}, Hard: &hard}
				if index%1000 == 0 {
					w.Truncate = index - 1
				}
				if err := l.Write(w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFsync is the floor of BenchmarkWrite: the same bytes appended to a
// plain file that has its space already.
func BenchmarkFsync(b *testing.B) {
	for _, size := range []int{200, 4000, 64 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "f"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			const room = 64 << 20
			if err := syscall.Fallocate(int(f.Fd()), 0, 0, room); err != nil {
				b.Fatal(err)
			}
			data, at := make([]byte, size), int64(0)
			for b.Loop() {
				if _, err := f.WriteAt(data, at); err != nil {
					b.Fatal(err)
				}
				if err := syscall.Fdatasync(int(f.Fd())); err != nil {
					b.Fatal(err)
				}
				at = (at + int64(size)) % (room - int64(size))
			}
		})
	}
}
