package partition

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is a vfs.FS with the few operations on top that logs are made of.
type disk struct{ vfs.FS }

// category labels this package's writes in Pebble's statistics, which nobody
// looks at here.
const category = vfs.WriteCategoryUnspecified

func missing(err error) bool { return oserror.IsNotExist(err) || errors.Is(err, fs.ErrNotExist) }

// read returns a whole file.
func (d disk) read(name string) (_ []byte, err error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, st.Size())
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, fmt.Errorf("read %s: %w", name, unexpected(err))
	}
	return b, nil
}

// unexpected is err where more bytes were due.
func unexpected(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// replace makes name hold data whatever happens meanwhile: it has the old bytes
// or the new ones. The caller syncs the directory where the change itself has
// to last.
func (d disk) replace(name string, data []byte) error {
	tmp := name + suffixTemporary
	f, err := d.Create(tmp, category)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := d.Rename(tmp, name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// syncDir makes the names in a directory durable.
func (d disk) syncDir(path string) error {
	f, err := d.OpenDir(path)
	if err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	return nil
}

// remove removes a file; that there is none is no error.
func (d disk) remove(name string) error {
	if err := d.Remove(name); err != nil && !missing(err) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// rename moves a file; that there is none is no error.
func (d disk) rename(from, to string) error {
	if err := d.Rename(from, to); err != nil && !missing(err) {
		return fmt.Errorf("rename %s to %s: %w", from, to, err)
	}
	return nil
}

// size returns a file's length, 0 if there is none.
func (d disk) size(name string) (int64, error) {
	st, err := d.Stat(name)
	if missing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("stat %s: %w", name, err)
	}
	return st.Size(), nil
}

// cut shortens a file that nobody reads behind size, durably. A file system
// without truncation, as one in memory, gets a copy of what stays.
func (d disk) cut(name string, f vfs.File, size int64) error {
	if f.Fd() == vfs.InvalidFd {
		return d.copyPrefix(name, f, size)
	}
	if err := syscall.Ftruncate(int(f.Fd()), size); err != nil {
		return fmt.Errorf("truncate %s to %d: %w", name, size, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("truncate %s to %d: %w", name, size, err)
	}
	return nil
}

// copyPrefix puts a new file in the place of name that has its first bytes;
// whoever has the old one open goes on reading that.
func (d disk) copyPrefix(name string, f vfs.File, size int64) error {
	tmp := name + suffixTemporary
	to, err := d.Create(tmp, category)
	if err != nil {
		return fmt.Errorf("truncate %s: %w", name, err)
	}
	_, err = io.Copy(to, io.NewSectionReader(f, 0, size))
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err == nil {
		err = d.Rename(tmp, name)
	}
	if err != nil {
		return fmt.Errorf("truncate %s to %d: %w", name, size, err)
	}
	return nil
}

// handle is an open file that a segment and any number of readers share. It is
// closed by whoever drops it last, so that a file may be read to the end after
// it was deleted.
type handle struct {
	vfs.File
	refs atomic.Int32
	used atomic.Bool // since Dir last looked for idle ones
}

func (h *handle) release() error {
	switch n := h.refs.Add(-1); {
	case n > 0:
		return nil
	case n == 0:
		return h.File.Close()
	}
	panic("partition: file released more often than acquired")
}

// lazyFile opens a file when it is first used and closes it when it has been
// idle. The zero value is closed.
type lazyFile struct {
	mu   sync.Mutex
	h    *handle
	gone bool // the file has been removed or renamed; nobody opens it any more
}

// errGone is what a reader gets that comes too late for a file.
var errGone = errors.New("file is gone")

// acquire returns the open file; the caller releases it.
func (l *lazyFile) acquire(d disk, name string) (*handle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return nil, errGone
	}
	if l.h == nil {
		f, err := d.OpenReadWrite(name, category)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", name, err)
		}
		l.h = &handle{File: f}
		l.h.refs.Store(1)
	}
	l.h.refs.Add(1)
	l.h.used.Store(true)
	return l.h, nil
}

// close drops the file; readers keep theirs.
func (l *lazyFile) close() error { return l.drop(false) }

// retire drops the file for ever, before it is renamed or removed: opening it
// again would make a new one.
func (l *lazyFile) retire() error { return l.drop(true) }

func (l *lazyFile) drop(forEver bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = l.gone || forEver
	if l.h == nil {
		return nil
	}
	h := l.h
	l.h = nil
	return h.release()
}

// closeIdle drops the file if nobody has used it since the last call.
func (l *lazyFile) closeIdle() error {
	l.mu.Lock()
	idle := l.h != nil && l.h.refs.Load() == 1 && !l.h.used.Swap(false)
	l.mu.Unlock()
	if !idle {
		return nil
	}
	return l.close()
}
