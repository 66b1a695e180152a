package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server"
	"holt/server/apply"
	"holt/znode/store"
)

// Copy is the tree of a member at rest.
type Copy struct {
	// Dir holds the tree's files, which nobody changes.
	Dir string
	// Running says that a member was asked.
	Running bool
	// Unknown counts the log's entries that may or may not be committed, and were left out.
	Unknown uint64

	release func() error
	store   *store.Store
}

// copyPrefix begins the names of directories below the data directory that hold copies.
const copyPrefix = "at-rest-"

// Open makes a copy of the tree in dataDir; logDir is where the member's log is, "" for dataDir.
func Open(dataDir, logDir string) (*Copy, error) {
	if logDir == "" {
		logDir = dataDir
	}
	c, err := checkpoint(dataDir)
	if c != nil || err != nil {
		return c, err
	}
	return openStopped(dataDir, logDir)
}

func openStopped(dataDir, logDir string) (_ *Copy, err error) {
	tree, err := server.TreeDir(vfs.Default, dataDir)
	if err != nil {
		return nil, err
	}
	lock, err := vfs.Default.Lock(filepath.Join(tree, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("%s is in use by a member that does not answer at %s: %w", dataDir, filepath.Join(dataDir, server.ControlSocket), err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := removeStale(dataDir); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(dataDir, copyPrefix)
	if err != nil {
		return nil, fmt.Errorf("make room for a copy: %w", err)
	}
	c := &Copy{Dir: filepath.Join(dir, "tree"), release: func() error { return os.RemoveAll(dir) }}
	err = copyDatabase(tree, c.Dir)
	if err == nil {
		err = c.catchUp(filepath.Join(logDir, "raft", "log"), filepath.Join(dir, "log"))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy %s: %w", dataDir, err), c.Close())
	}
	return c, nil
}

// removeStale removes what a crash left of earlier copies. Nobody else makes any: the tree is locked.
func removeStale(dataDir string) error {
	entries, err := os.ReadDir(dataDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), copyPrefix) {
			if err := os.RemoveAll(filepath.Join(dataDir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyDatabase makes to a database of its own with what is in from. Tables never
// change, so they are linked; all else, a log may be written to again.
func copyDatabase(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	names, err := vfs.Default.List(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		src, dst := filepath.Join(from, name), filepath.Join(to, name)
		switch {
		case name == "LOCK":
			continue
		case strings.HasSuffix(name, ".sst"):
			err = vfs.LinkOrCopy(vfs.Default, src, dst)
		default:
			err = vfs.Copy(vfs.Default, src, dst)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Store opens the tree. It is closed with the copy.
func (c *Copy) Store() (*store.Store, error) {
	if c.store == nil {
		s, err := store.Open(c.Dir, store.Options{CacheBytes: 4 << 20, MemTableBytes: 4 << 20, Quiet: true})
		if err != nil {
			return nil, err
		}
		c.store = s
	}
	return c.store, nil
}

// Files returns the directory of the tree's files, whole and closed. What Store returned is not good any more.
func (c *Copy) Files() (string, error) {
	if c.store == nil {
		return c.Dir, nil
	}
	err := c.store.Close()
	c.store = nil
	return c.Dir, err
}

// Saved is what there is besides the tree.
func (c *Copy) Saved() (apply.Saved, error) {
	s, err := c.Store()
	if err != nil {
		return apply.Saved{}, err
	}
	return apply.ReadSaved(s)
}

// Close removes the copy.
func (c *Copy) Close() error {
	var err error
	if c.store != nil {
		err = c.store.Close()
		c.store = nil
	}
	if c.release != nil {
		err = errors.Join(err, c.release())
		c.release = nil
	}
	return err
}
