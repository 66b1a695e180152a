package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"

	"holt/server/apply"
	"holt/znode/store"
)

// The tree lives in a numbered directory below the data directory. Another
// member's snapshot becomes the tree by being built under the next number and
// then named by the file "tree.current", which is replaced as a whole: a crash
// leaves the one or the other.
//
//	dataDir/tree.current   "7"
//	dataDir/tree-7/        the tree
//	dataDir/tree-8/        half a snapshot, or a whole one not named yet: removed
//
// So does a snapshot that is restored, see restorestate.go.
const treeCurrentFile = "tree.current"

// treeState is the store, which a snapshot replaces while the log's goroutines
// ask it how far it is durable.
type treeState struct {
	fs     vfs.FS
	dir    string
	opts   store.Options
	failed func(error) // told of the first failure of a store

	mu      sync.RWMutex // guards store against its replacement
	store   *store.Store
	number  int
	unwatch func() // ends the goroutine that waits for the store's failure
}

func (t *treeState) path(number int) string {
	return t.fs.PathJoin(t.dir, "tree-"+strconv.Itoa(number))
}

// open opens the tree named by tree.current, or a new one, and removes what a
// crash left of others.
func (t *treeState) open() error {
	if err := refuseHalfFounded(t.fs, t.dir); err != nil {
		return err
	}
	number, err := t.readCurrent()
	if err != nil {
		return err
	}
	if number == 0 {
		if err := t.writeCurrent(1); err != nil {
			return err
		}
		number = 1
	}
	if err := errors.Join(ignoreAbsent(t.fs.Remove(t.fs.PathJoin(t.dir, restoreUpload))), t.fs.RemoveAll(t.fs.PathJoin(t.dir, restoreCheck))); err != nil {
		return err
	}
	names, err := t.fs.List(t.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if n, ok := treeNumber(name); ok && n != number {
			if err := t.fs.RemoveAll(t.path(n)); err != nil {
				return err
			}
		}
	}
	opened, err := store.Open(t.path(number), t.opts)
	if err != nil {
		return err
	}
	t.adopt(opened, number)
	return nil
}

// adopt makes s the store and has its failure reported.
func (t *treeState) adopt(s *store.Store, number int) {
	t.store, t.number = s, number
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-s.Failed():
			t.failed(s.Err())
		case <-stop:
		}
	}()
	t.unwatch = func() { close(stop); <-ended }
}

// closeStore closes the store, for good also if that fails; it may be replaced afterwards.
func (t *treeState) closeStore() error {
	t.unwatch()
	s := t.store
	t.store = nil
	return s.Close()
}

func treeNumber(name string) (int, bool) {
	digits, ok := strings.CutPrefix(path.Base(name), "tree-")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

// readCurrent returns the number in tree.current, 0 if there is no such file.
func (t *treeState) readCurrent() (n int, err error) {
	name := t.fs.PathJoin(t.dir, treeCurrentFile)
	f, err := t.fs.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(f)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	n, err = strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s holds %q, not the number of a tree: it is damaged", name, b)
	}
	return n, nil
}

// lastWritten is when the tree on disk last changed, zero if that is not known.
func (t *treeState) lastWritten() time.Time {
	info, err := t.fs.Stat(t.path(t.number))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (t *treeState) writeCurrent(n int) error {
	return replaceFile(t.fs, t.dir, treeCurrentFile, []byte(strconv.Itoa(n)+"\n"))
}

// replaceFile puts b into a file as a whole: written aside, synced, renamed, the
// directory synced.
func replaceFile(fs vfs.FS, dir, base string, b []byte) error {
	name := fs.PathJoin(dir, base)
	tmp := name + ".tmp"
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", tmp, err)
	}
	if err := fs.Rename(tmp, name); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// durable returns the last index that a crash leaves in the tree.
func (t *treeState) durable() (uint64, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.store.Durable()
}

func (t *treeState) flush() error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.store.Flush()
}

// replace makes the checkpoint in from the tree. The caller holds off all
// readers of the store.
func (t *treeState) replace(from string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.number + 1
	if err := t.fs.RemoveAll(t.path(next)); err != nil {
		return err
	}
	if err := t.copyTree(from, t.path(next)); err != nil {
		return err
	}
	return t.switchTo(next)
}

// switchTo makes the tree of a number, which is durable, the store, in one step. mu is held.
func (t *treeState) switchTo(next int) error {
	if err := t.writeCurrent(next); err != nil {
		return err
	}
	if err := t.closeStore(); err != nil {
		return err
	}
	opened, err := store.Open(t.path(next), t.opts)
	if err != nil {
		return err
	}
	old := t.path(t.number)
	t.adopt(opened, next)
	return t.fs.RemoveAll(old)
}

// copyTree links the files of one directory into a new one, or copies them where
// links are not to be had, and makes them durable.
func (t *treeState) copyTree(from, to string) error {
	if err := t.fs.MkdirAll(to, 0o755); err != nil {
		return err
	}
	names, err := t.fs.List(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		src := t.fs.PathJoin(from, name)
		dst := t.fs.PathJoin(to, name)
		if err := vfs.LinkOrCopy(t.fs, src, dst); err != nil {
			return err
		}
		if err := syncFile(t.fs, dst); err != nil {
			return err
		}
	}
	if err := syncDir(t.fs, to); err != nil {
		return err
	}
	return syncDir(t.fs, t.dir)
}

func syncFile(fs vfs.FS, name string) error {
	f, err := fs.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (t *treeState) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.store == nil {
		return nil
	}
	return t.closeStore()
}

// Durable implements quorum.StateMachine.
func (m stateMachine) Durable() uint64 {
	n, err := m.s.state.durable()
	if err != nil {
		m.s.failed(err)
		return 0 // the log keeps everything
	}
	return n
}

// Flush implements quorum.StateMachine.
func (m stateMachine) Flush() error {
	zxid := m.s.machine.LastZxid() // at least this one
	err := m.s.state.flush()
	if err == nil {
		m.s.durable.found(zxid, m.s.now())
	}
	return err
}

// Checkpoint implements quorum.StateMachine.
func (m stateMachine) Checkpoint(dir string) (index, term uint64, err error) {
	if err := m.s.state.store.Checkpoint(dir); err != nil {
		return 0, 0, err
	}
	return m.s.machine.Applied(), m.s.machine.Term(), nil
}

// Restore implements quorum.StateMachine. Clients see another state afterwards,
// newer than the one before: watches may have missed changes, so their
// connections are closed and re-arm them elsewhere or here.
func (m stateMachine) Restore(dir string) error {
	s := m.s
	s.log.Info("state replaced by a snapshot of another member", zap.Uint64("index", s.machine.Applied()))
	s.dropRebuild()
	err := s.machine.Replace(func() (apply.Store, error) {
		s.lists.clear()
		err := s.state.replace(dir)
		// Now, since whoever reads the new state and has a watch from before would not be told of it
		// when it sets that watch again.
		s.dropClients(everyone)
		return s.state.store, err
	})
	if err != nil {
		return fmt.Errorf("take over snapshot: %w", err)
	}
	if err := s.membersChanged(); err != nil {
		return fmt.Errorf("take over snapshot: %w", err)
	}
	s.agreement.reset()
	s.pipeline.skipTo(s.machine.Taken())
	return nil
}
