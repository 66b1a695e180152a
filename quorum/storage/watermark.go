package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// watermark is a small file beside the database that holds the number of the
// last write known to be durable. It is overwritten in place after each fsync and
// before anybody hears of it, and not synced itself while the log is open: after a
// power failure it may be old, never too new.
//
// It is there because Pebble takes damage within the last 32 KiB of its
// write-ahead log for the end of a log that a crash cut short. With the number in each
// batch, a log that ends before its watermark is known to have lost something.
type watermark struct{ f vfs.File }

const (
	watermarkName  = "watermark"
	watermarkBytes = 8 + 4
)

// openWatermark opens the file, or makes it if the log is new.
func openWatermark(vol vfs.FS, dir string, new bool) (w watermark, seq uint64, err error) {
	name := vol.PathJoin(dir, watermarkName)
	if _, err := vol.Stat(name); errors.Is(err, fs.ErrNotExist) {
		if !new {
			return w, 0, fmt.Errorf("%s is missing: the log may have lost its end", name)
		}
		return createWatermark(vol, dir, name)
	}
	f, err := vol.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return w, 0, fmt.Errorf("open %s: %w", name, err)
	}
	b := make([]byte, watermarkBytes+1)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return w, 0, errors.Join(fmt.Errorf("read %s: %w", name, err), f.Close())
	}
	body, err := unsealed(name, b[:n])
	if err == nil && len(body) != 8 {
		err = fmt.Errorf("%s: %w", name, errShort)
	}
	if err != nil {
		return w, 0, errors.Join(err, f.Close())
	}
	return watermark{f}, binary.BigEndian.Uint64(body), nil
}

// createWatermark makes the file durable before it appears under its name.
func createWatermark(vol vfs.FS, dir, name string) (w watermark, seq uint64, err error) {
	tmp := name + ".tmp"
	f, err := vol.Create(tmp, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(sealed(make([]byte, 8)))
		if err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = vol.Rename(tmp, name)
	}
	if err == nil {
		err = SyncDir(vol, dir)
	}
	if err != nil {
		return w, 0, fmt.Errorf("create %s: %w", name, err)
	}
	f, err = vol.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return w, 0, fmt.Errorf("open %s: %w", name, err)
	}
	return watermark{f}, 0, nil
}

// set overwrites the number. It lies within one sector, so that it is the old
// or the new one after a crash.
func (w watermark) set(seq uint64) error {
	var b [watermarkBytes]byte
	body := binary.BigEndian.AppendUint64(b[:0], seq)
	if _, err := w.f.WriteAt(sealed(body), 0); err != nil {
		return fmt.Errorf("write watermark: %w", err)
	}
	return nil
}

// close syncs the file: after an orderly end it is exact, whatever happens to
// the machine.
func (w watermark) close() error { return errors.Join(w.f.Sync(), w.f.Close()) }
