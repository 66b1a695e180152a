package storage

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MkdirAll makes a directory and its parents so that they survive a crash: the
// entry of each in its parent is synced. Without that a whole log, however well
// synced itself, may be gone.
//
// That goes for directories that exist already, too: a process that was killed
// may have made them and not come to syncing them. Only parents that were there before
// and that this process may not read are taken on trust.
func MkdirAll(vol vfs.FS, dir string) error {
	existed := map[string]bool{}
	var chain []string
	for d := dir; d != vol.PathDir(d); d = vol.PathDir(d) {
		chain = append(chain, d)
		_, err := vol.Stat(d)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("stat %s: %w", d, err)
		}
		existed[d] = err == nil
	}
	if err := vol.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create directory %s: %w", dir, err)
	}
	for _, d := range chain {
		if err := SyncDir(vol, vol.PathDir(d)); err != nil && !(existed[d] && errors.Is(err, fs.ErrPermission)) {
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
