package server

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server/admin"
	"holt/server/apply"
	"holt/wire"
	"holt/znode/store"
	"holt/znode/zkfile"
)

// This file writes snapshots as Apache ZooKeeper's files have them, of a running member,
// for the AdminServer. One is made at a time:
//
//	dataDir/snapshot-tree/             a checkpoint, hard links, while it is being written
//	dataDir/version-2/snapshot.<zxid>  one that was asked to stay; snapshotsKept of them
const (
	snapshotTree    = "snapshot-tree"
	snapshotFiles   = "version-2"
	snapshotsKept   = 3
	snapshotReserve = 1 << 30 // bytes that writing a file leaves free: the log needs them
)

var (
	errSnapshotBusy = errors.New("another snapshot is being taken")
	errDiskSpace    = errors.New("not enough space on the disk for a snapshot: take it by streaming")
)

// treeSnapshot is the tree as it was when it was taken.
type treeSnapshot struct {
	s     *Server
	store *store.Store
	saved apply.Saved
	head  zkfile.SnapshotHead
}

// takeSnapshot makes a checkpoint and opens it.
func (s *Server) takeSnapshot() (admin.Snapshot, error) {
	s.mu.Lock()
	switch {
	case s.closing:
		s.mu.Unlock()
		return nil, errNotServing
	case s.snapshotting:
		s.mu.Unlock()
		return nil, errSnapshotBusy
	}
	s.snapshotting = true
	s.wg.Add(1) // Close waits for the end
	s.mu.Unlock()
	t := &treeSnapshot{s: s}
	if err := t.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("take snapshot: %w", err), t.Close())
	}
	return t, nil
}

func (t *treeSnapshot) open() (err error) {
	fs, dir := t.s.cfg.FS, t.dir()
	if err := fs.RemoveAll(dir); err != nil {
		return err
	}
	if err := t.s.Checkpoint(dir); err != nil {
		return err
	}
	if t.store, err = store.Open(dir, store.Options{FS: fs, CacheBytes: 4 << 20, MemTableBytes: 4 << 20, Quiet: t.s.state.opts.Quiet}); err != nil {
		return err
	}
	if t.saved, err = apply.ReadSaved(t.store); err != nil {
		return err
	}
	for _, f := range t.saved.Sessions {
		t.head.Sessions = append(t.head.Sessions, zkfile.Session{ID: f.ID, TimeoutMillis: f.TimeoutMillis})
	}
	state, _ := t.store.State()
	t.head.Digest = &zkfile.Digest{Zxid: t.saved.Zxid, Version: 2, Value: state.Digest}
	t.head.LastZxid = t.saved.Zxid
	return nil
}

func (t *treeSnapshot) dir() string { return t.s.cfg.FS.PathJoin(t.s.cfg.DataDir, snapshotTree) }

// Zxid implements admin.Snapshot.
func (t *treeSnapshot) Zxid() wire.Zxid { return t.saved.Zxid }

// WriteTo implements admin.Snapshot. It ends early when the member does.
func (t *treeSnapshot) WriteTo(w io.Writer) (int64, error) {
	counted := &stoppableWriter{w: w, stop: t.s.stop}
	buffered := bufio.NewWriterSize(counted, 256<<10)
	_, err := zkfile.WriteTree(buffered, t.store, t.head)
	if err == nil {
		err = buffered.Flush()
	}
	return counted.n, err
}

// stoppableWriter counts bytes, and fails once stop is closed.
type stoppableWriter struct {
	w    io.Writer
	stop <-chan struct{}
	n    int64
}

func (w *stoppableWriter) Write(b []byte) (int, error) {
	select {
	case <-w.stop:
		return 0, errPipelineClosed
	default:
	}
	n, err := w.w.Write(b)
	w.n += int64(n)
	return n, err
}

// Save implements admin.Snapshot: written aside, synced and renamed.
func (t *treeSnapshot) Save(size int64) error {
	fs := t.s.cfg.FS
	dir := fs.PathJoin(t.s.cfg.DataDir, snapshotFiles)
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if usage, err := fs.GetDiskUsage(dir); err == nil && usage.AvailBytes < uint64(size)+snapshotReserve {
		return errDiskSpace
	}
	name := fs.PathJoin(dir, zkfile.SnapshotName(t.saved.Zxid, ""))
	if err := t.writeFile(name + ".tmp"); err != nil {
		return errors.Join(fmt.Errorf("write snapshot: %w", err), ignoreAbsent(fs.Remove(name+".tmp")))
	}
	if err := fs.Rename(name+".tmp", name); err != nil {
		return err
	}
	if err := syncDir(fs, dir); err != nil {
		return err
	}
	return removeOldSnapshots(fs, dir)
}

func (t *treeSnapshot) writeFile(name string) error {
	f, err := t.s.cfg.FS.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = t.WriteTo(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// removeOldSnapshots leaves the newest.
func removeOldSnapshots(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasPrefix(name, "snapshot.") || strings.HasSuffix(name, ".tmp")
	})
	slices.SortFunc(names, func(a, b string) int { // by hex number: the longer is the greater
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
	for _, name := range names[:max(0, len(names)-snapshotsKept)] {
		if err := fs.Remove(fs.PathJoin(dir, name)); err != nil {
			return fmt.Errorf("remove old snapshot: %w", err)
		}
	}
	return nil
}

// Close implements admin.Snapshot.
func (t *treeSnapshot) Close() error {
	var err error
	if t.store != nil {
		err = t.store.Close()
	}
	err = errors.Join(err, t.s.cfg.FS.RemoveAll(t.dir()))
	t.s.mu.Lock()
	t.s.snapshotting = false
	t.s.mu.Unlock()
	t.s.wg.Done()
	return err
}
