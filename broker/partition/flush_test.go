package partition_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/broker/partition"
	"holt/broker/record"
)

// slowFS has syncs of one log's segments wait until it is let go.
type slowFS struct {
	vfs.FS
	log     string // part of the names of its files
	began   chan struct{}
	once    sync.Once
	release chan struct{}
}

func (s *slowFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, category)
	return s.wrap(name, f), err
}

func (s *slowFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.OpenReadWrite(name, category, opts...)
	return s.wrap(name, f), err
}

func (s *slowFS) wrap(name string, f vfs.File) vfs.File {
	if f == nil || !strings.Contains(name, s.log) || !strings.HasSuffix(name, ".log") {
		return f
	}
	return slowFile{f, s}
}

type slowFile struct {
	vfs.File
	s *slowFS
}

func (f slowFile) SyncData() error {
	f.s.once.Do(func() { close(f.s.began) })
	<-f.s.release
	return f.File.SyncData()
}

// TestBusyLog: a log whose sync takes long, and that is asked for more all the time, has one of the workers; another
// log is flushed meanwhile. When its sync ends everybody who asked is told, with one more sync.
func TestBusyLog(t *testing.T) {
	mem := vfs.NewMem()
	fs := &slowFS{FS: mem, log: "busy-0", began: make(chan struct{}), release: make(chan struct{})}
	d, err := partition.Open("/logs", partition.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	busy, other := newLog(t, d, "busy"), newLog(t, d, "other")
	told := make(chan error, 1000)
	ask := func(l *partition.Log) { l.OnFlushed(appendOne(t, l), func(err error) { told <- err }) }
	ask(busy)
	<-fs.began
	const asks = 200
	for range asks {
		ask(busy)
		runtime.Gosched() // so that workers come
	}
	done := make(chan error, 1)
	other.OnFlushed(appendOne(t, other), func(err error) { done <- err })
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the other log is not flushed")
	}
	close(fs.release)
	for range asks + 1 {
		if err := <-told; err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func newLog(t *testing.T, d *partition.Dir, topic string) *partition.Log {
	t.Helper()
	l, err := d.Create(partition.Name{Topic: topic}, [16]byte{1}, partition.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// appendOne appends a record and returns where the log ends then.
func appendOne(t *testing.T, l *partition.Log) int64 {
	t.Helper()
	b := record.NewBuilder(record.BuilderOptions{})
	b.Append(record.Record{Timestamp: 1, Value: []byte("v")})
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	at, invalid, err := l.AppendAsLeader(batch, partition.AppendOptions{Now: 1, Origin: record.Client, ProduceVersion: 9})
	if err != nil || invalid != nil {
		t.Fatal(invalid, err)
	}
	return at.LastOffset + 1
}
