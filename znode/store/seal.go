package store

import (
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// seal keeps a disk that has failed once from being changed any more.
//
// Pebble tries again after most failures. Where it cannot tell what the disk
// holds, as after a write to its manifest that failed, it expects the process to end on the
// spot, and goes on with what it has half done in memory if it does not. A disk
// that has failed is not trusted with any of that: what it holds by then is
// what the next Open finds, as after a crash.
//
//	an operation fails      ─▶ err() is set, and nothing changes on disk from then on
//	one on the manifest     ─▶ besides, the goroutine waits for ever: Pebble never
//	                           learns of it. It holds Pebble's lock on manifests,
//	                           so whoever else would change the version waits, too. Reading goes on.
type seal struct {
	failure atomic.Pointer[error]
	failed  chan struct{} // closed with failure
	parking sync.Once
	parked  chan struct{} // closed when a goroutine waits for ever
}

func newSeal() *seal {
	return &seal{failed: make(chan struct{}), parked: make(chan struct{})}
}

func (s *seal) err() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *seal) fail(err error) {
	if s.failure.CompareAndSwap(nil, &err) {
		close(s.failed)
	}
}

// run calls f in a goroutine of its own, as f may never return.
func (s *seal) run(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-s.parked:
		return s.err()
	}
}

func (s *seal) park() {
	s.parking.Do(func() { close(s.parked) })
	select {}
}

// check reports how an operation went that changes the file or directory name.
func (s *seal) check(name string, err error) error {
	if err == nil {
		return nil
	}
	if base := path.Base(name); strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.") {
		s.fail(err)
		s.park()
	}
	return err
}

// open says whether the file or directory name may be changed.
func (s *seal) open(name string) error { return s.check(name, s.err()) }

// sealedFS is a file system under a seal.
type sealedFS struct {
	vfs.FS
	seal *seal
}

func (fs sealedFS) file(name string, f vfs.File, err error) (vfs.File, error) {
	if err = fs.seal.check(name, err); err != nil {
		return nil, err
	}
	return sealedFile{f, name, fs.seal}, nil
}

func (fs sealedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.seal.open(name); err != nil {
		return nil, err
	}
	f, err := fs.FS.Create(name, category)
	return fs.file(name, f, err)
}

func (fs sealedFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := fs.seal.open(name); err != nil {
		return nil, err
	}
	f, err := fs.FS.OpenReadWrite(name, category, opts...)
	return fs.file(name, f, err)
}

func (fs sealedFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.seal.open(newname); err != nil {
		return nil, err
	}
	f, err := fs.FS.ReuseForWrite(oldname, newname, category)
	return fs.file(newname, f, err)
}

// OpenDir's file is only used to sync the directory.
func (fs sealedFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return sealedDir{f, fs.seal}, nil
}

func (fs sealedFS) Link(oldname, newname string) error {
	if err := fs.seal.open(newname); err != nil {
		return err
	}
	return fs.seal.check(newname, fs.FS.Link(oldname, newname))
}

// Remove of a manifest or marker that is no longer current is not what they are watched for.
func (fs sealedFS) Remove(name string) error {
	if err := fs.seal.err(); err != nil {
		return err
	}
	return fs.FS.Remove(name)
}

func (fs sealedFS) RemoveAll(name string) error {
	if err := fs.seal.err(); err != nil {
		return err
	}
	return fs.FS.RemoveAll(name)
}

func (fs sealedFS) Rename(oldname, newname string) error {
	if err := fs.seal.open(newname); err != nil {
		return err
	}
	return fs.seal.check(newname, fs.FS.Rename(oldname, newname))
}

func (fs sealedFS) MkdirAll(dir string, perm os.FileMode) error {
	if err := fs.seal.err(); err != nil {
		return err
	}
	return fs.FS.MkdirAll(dir, perm)
}

// GetDiskUsage is only for Pebble's statistics; that it cannot be had is no failure.
func (fs sealedFS) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	u, err := fs.FS.GetDiskUsage(path)
	if err != nil {
		return u, vfs.ErrUnsupported
	}
	return u, nil
}

func (fs sealedFS) Unwrap() vfs.FS { return fs.FS }

// sealedDir is a directory that may be synced. Where that fails Pebble panics,
// also in the background, where nobody can catch it. So it is told that all is
// well; nothing it does from then on reaches the disk, and all who ask learn why.
type sealedDir struct {
	vfs.File
	seal *seal
}

func (d sealedDir) Sync() error {
	if d.seal.err() == nil {
		if err := d.File.Sync(); err != nil {
			d.seal.fail(err)
		}
	}
	return nil
}

// sealedFile is a file that may be written to.
type sealedFile struct {
	vfs.File
	name string
	seal *seal
}

var _ io.WriterAt = sealedFile{}

func (f sealedFile) Write(p []byte) (int, error) {
	if err := f.seal.open(f.name); err != nil {
		return 0, err
	}
	n, err := f.File.Write(p)
	return n, f.seal.check(f.name, err)
}

func (f sealedFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.seal.open(f.name); err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(p, off)
	return n, f.seal.check(f.name, err)
}

func (f sealedFile) Sync() error {
	if err := f.seal.open(f.name); err != nil {
		return err
	}
	return f.seal.check(f.name, f.File.Sync())
}

func (f sealedFile) SyncData() error {
	if err := f.seal.open(f.name); err != nil {
		return err
	}
	return f.seal.check(f.name, f.File.SyncData())
}

func (f sealedFile) SyncTo(length int64) (bool, error) {
	if err := f.seal.open(f.name); err != nil {
		return false, err
	}
	full, err := f.File.SyncTo(length)
	return full, f.seal.check(f.name, err)
}
