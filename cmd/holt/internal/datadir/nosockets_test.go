package datadir

import (
	"io/fs"
	"slices"
)

// noSockets is a file system without the sockets in it, which cannot be copied.
type noSockets struct{ fs.FS }

func (n noSockets) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(n.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Type()&fs.ModeSocket != 0 }), err
}
