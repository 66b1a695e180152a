package store

import (
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sealedFS is a file system on which nothing changes any more once sealed reports an error; fail makes it so.
//
// Pebble goes on after some failures that leave it unsure of what is on disk
// (a manifest whose sync failed, for one), trying again what it has already
// half undone in memory. A disk that failed once is not trusted with that: what
// it holds by then is what the next Open finds, as after a crash.
type sealedFS struct {
	vfs.FS
	sealed func() error
	fail   func(error)
}

func (fs sealedFS) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return sealedFile{f, fs.sealed}, nil
}

func (fs sealedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.sealed(); err != nil {
		return nil, err
	}
	return fs.file(fs.FS.Create(name, category))
}

func (fs sealedFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := fs.sealed(); err != nil {
		return nil, err
	}
	return fs.file(fs.FS.OpenReadWrite(name, category, opts...))
}

func (fs sealedFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.sealed(); err != nil {
		return nil, err
	}
	return fs.file(fs.FS.ReuseForWrite(oldname, newname, category))
}

// OpenDir's file is only used to sync the directory.
func (fs sealedFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return sealedDir{f, fs}, nil
}

func (fs sealedFS) Link(oldname, newname string) error {
	if err := fs.sealed(); err != nil {
		return err
	}
	return fs.FS.Link(oldname, newname)
}

func (fs sealedFS) Remove(name string) error {
	if err := fs.sealed(); err != nil {
		return err
	}
	return fs.FS.Remove(name)
}

func (fs sealedFS) RemoveAll(name string) error {
	if err := fs.sealed(); err != nil {
		return err
	}
	return fs.FS.RemoveAll(name)
}

func (fs sealedFS) Rename(oldname, newname string) error {
	if err := fs.sealed(); err != nil {
		return err
	}
	return fs.FS.Rename(oldname, newname)
}

func (fs sealedFS) MkdirAll(dir string, perm os.FileMode) error {
	if err := fs.sealed(); err != nil {
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
// well, but nothing it does from then on reaches the disk, and all who ask Err learn why.
type sealedDir struct {
	vfs.File
	fs sealedFS
}

func (d sealedDir) Sync() error {
	if d.fs.sealed() != nil {
		return nil
	}
	if err := d.File.Sync(); err != nil {
		d.fs.fail(err)
	}
	return nil
}

// sealedFile is a file of a sealedFS that may be written to.
type sealedFile struct {
	vfs.File
	sealed func() error
}

var _ io.WriterAt = sealedFile{}

func (f sealedFile) Write(p []byte) (int, error) {
	if err := f.sealed(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f sealedFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.sealed(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f sealedFile) Sync() error {
	if err := f.sealed(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f sealedFile) SyncData() error {
	if err := f.sealed(); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f sealedFile) SyncTo(length int64) (bool, error) {
	if err := f.sealed(); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}
