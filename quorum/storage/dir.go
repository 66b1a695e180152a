package storage

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MkdirAll makes a directory and its parents so that they survive a crash:
// each new one's entry in its parent is synced. Without that a whole log, however
// well synced itself, may be gone.
func MkdirAll(vol vfs.FS, dir string) error {
	var missing []string
	for d := dir; ; d = vol.PathDir(d) {
		_, err := vol.Stat(d)
		if err == nil || d == vol.PathDir(d) {
			break
		}
		if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("stat %s: %w", d, err)
		}
		missing = append(missing, d)
	}
	if err := vol.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create directory %s: %w", dir, err)
	}
	for _, d := range missing {
		if err := SyncDir(vol, vol.PathDir(d)); err != nil {
			return err
		}
	}
	return nil
}

// SyncDir makes the entries of a directory durable.
func SyncDir(vol vfs.FS, dir string) error {
	d, err := vol.OpenDir(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}
