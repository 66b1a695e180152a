package storage

import (
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sealedFS is the file system as Pebble sees it. Where the sync of a directory
// fails Pebble panics, also in the background, where nobody can catch it and the
// process ends without a word. So it is told that all is well, and the log ends
// in order; from then on no file is removed or renamed, since what would replace
// it may not survive. What Pebble still writes does no harm: Write has reported
// nothing of it as durable.
type sealedFS struct {
	vfs.FS
	l *Log
}

// OpenDir implements vfs.FS. The file is only used to sync the directory.
func (fs sealedFS) OpenDir(name string) (vfs.File, error) {
	d, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return sealedDir{d, fs.l}, nil
}

func (fs sealedFS) Remove(name string) error {
	if err := fs.l.Err(); err != nil {
		return err
	}
	return fs.FS.Remove(name)
}

func (fs sealedFS) RemoveAll(name string) error {
	if err := fs.l.Err(); err != nil {
		return err
	}
	return fs.FS.RemoveAll(name)
}

func (fs sealedFS) Rename(oldname, newname string) error {
	if err := fs.l.Err(); err != nil {
		return err
	}
	return fs.FS.Rename(oldname, newname)
}

func (fs sealedFS) MkdirAll(dir string, perm os.FileMode) error {
	if err := fs.l.Err(); err != nil {
		return err
	}
	return fs.FS.MkdirAll(dir, perm)
}

func (fs sealedFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.l.Err(); err != nil {
		return nil, err
	}
	return fs.FS.ReuseForWrite(oldname, newname, category)
}

func (fs sealedFS) Unwrap() vfs.FS { return fs.FS }

type sealedDir struct {
	vfs.File
	l *Log
}

func (d sealedDir) Sync() error {
	if d.l.Err() == nil {
		if err := d.File.Sync(); err != nil {
			d.l.fatal(err)
		}
	}
	return nil
}
