package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/cmd/holt/internal/datadir"
	"holt/quorum/storage"
)

// CreateConfig says what to back up. DataDir is required.
type CreateConfig struct {
	// DataDir is a member's, which may run; LogDir is where its log is, "" for DataDir.
	DataDir, LogDir string
	// BytesPerSecond bounds what is read and written, so that the member's own writes do not wait. 0: no bound.
	BytesPerSecond int64
	// Progress is told now and then how many bytes of how many were looked at. May be nil.
	Progress func(done, total int64)
}

// Create makes a backup. It may be called while the member runs.
func (r *Repository) Create(cfg CreateConfig) (s *Set, err error) {
	if err := r.hold(); err != nil {
		return nil, errors.Join(err, r.release())
	}
	defer func() { err = errors.Join(err, r.release()) }()
	sets, err := r.Sets()
	if err != nil {
		return nil, err
	}
	src, err := datadir.Open(cfg.DataDir, cfg.LogDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	now := time.Now().UTC()
	s = &Set{ID: now.Format("20060102T150405.000Z"), Created: now}
	if s.Host, err = os.Hostname(); err != nil {
		return nil, err
	}
	if s.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return nil, err
	}
	dir, err := src.Files()
	if err != nil {
		return nil, err
	}
	c := &copier{r: r, known: knownFiles(sets, s), limit: newLimiter(cfg.BytesPerSecond), tell: cfg.Progress}
	if err := c.all(dir, s); err != nil {
		return nil, err
	}
	if err := s.describe(src); err != nil {
		return nil, err
	}
	return s, r.writeSet(s)
}

// describe reads what the tree says of itself. The tree's files are copied by then: this may change them.
func (s *Set) describe(src *datadir.Copy) error {
	saved, err := src.Saved()
	if err != nil {
		return err
	}
	tree, err := src.Store()
	if err != nil {
		return err
	}
	state, _ := tree.State()
	s.Zxid, s.Applied, s.Sessions = saved.Zxid.String(), state.Applied, len(saved.Sessions)
	s.Nodes, s.DataBytes, s.Ephemerals = state.Nodes-1, state.DataBytes, state.Ephemerals
	s.Digest = fmt.Sprintf("0x%x", state.Digest)
	return nil
}

// fileKey knows a file again that has not changed.
type fileKey struct {
	name  string
	size  int64
	mtime int64
	inode uint64
}

// knownFiles are the files of former sets of the same data directory.
func knownFiles(sets []*Set, s *Set) map[fileKey]File {
	known := make(map[fileKey]File)
	for _, old := range sets {
		if old.Host != s.Host || old.DataDir != s.DataDir {
			continue
		}
		for _, f := range old.Files {
			known[fileKey{f.Name, f.Size, f.MTimeNanos, f.Inode}] = f
		}
	}
	return known
}

// copier brings files into a repository.
type copier struct {
	r           *Repository
	known       map[fileKey]File
	limit       *limiter
	tell        func(done, total int64)
	done, total int64
}

func (c *copier) all(dir string, s *Set) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		f := File{Name: e.Name(), Size: info.Size(), MTimeNanos: info.ModTime().UnixNano()}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			f.Inode = st.Ino
		}
		if f.Name != "LOCK" {
			s.Files = append(s.Files, f)
			c.total += f.Size
		}
	}
	for i := range s.Files {
		f := &s.Files[i]
		s.Bytes += f.Size
		old, ok := c.known[fileKey{f.Name, f.Size, f.MTimeNanos, f.Inode}]
		if ok && c.r.has(&old) {
			f.SHA256 = old.SHA256
			c.progress(f.Size)
			continue
		}
		fresh, err := c.bring(filepath.Join(dir, f.Name), f)
		if err != nil {
			return err
		}
		if fresh {
			s.NewBytes += f.Size
		}
	}
	return nil
}

func (c *copier) progress(n int64) {
	if c.done += n; c.tell != nil {
		c.tell(c.done, c.total)
	}
}

// bring copies a file and sets its checksum. fresh is false if the repository has the contents already.
func (c *copier) bring(name string, f *File) (fresh bool, err error) {
	in, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.CreateTemp(c.r.dir, tmpPrefix)
	if err != nil {
		return false, err
	}
	h := sha256.New()
	n, err := c.copy(out, in, h)
	if err == nil && n != f.Size {
		err = fmt.Errorf("%s has %d bytes, and had %d", name, n, f.Size)
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return false, errors.Join(fmt.Errorf("copy %s: %w", name, err), os.Remove(out.Name()))
	}
	f.SHA256 = hex.EncodeToString(h.Sum(nil))
	if c.r.has(f) {
		return false, os.Remove(out.Name())
	}
	to := c.r.path(f.SHA256)
	if err := storage.MkdirAll(vfs.Default, filepath.Dir(to)); err != nil {
		return false, err
	}
	if err := os.Chmod(out.Name(), 0o400); err != nil {
		return false, err
	}
	if err := os.Rename(out.Name(), to); err != nil {
		return false, err
	}
	return true, storage.SyncDir(vfs.Default, filepath.Dir(to))
}

const (
	chunkBytes = 256 << 10
	// syncBytes are written between two syncs: one sync of a large file would hold up
	// those of the member's log on the same disk.
	syncBytes = 4 << 20
)

func (c *copier) copy(out *os.File, in io.Reader, h io.Writer) (total int64, err error) {
	buf := make([]byte, chunkBytes)
	var unsynced int
	for {
		n, err := in.Read(buf)
		if n > 0 {
			c.limit.wait(n)
			if _, err := out.Write(buf[:n]); err != nil {
				return total, err
			}
			if _, err := h.Write(buf[:n]); err != nil {
				return total, err
			}
			total += int64(n)
			c.progress(int64(n))
			if unsynced += n; unsynced >= syncBytes {
				unsynced = 0
				if err := out.Sync(); err != nil {
					return total, err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// limiter spreads bytes over time.
type limiter struct {
	perSecond int64
	next      time.Time
}

func newLimiter(perSecond int64) *limiter { return &limiter{perSecond: perSecond} }

// wait blocks until n more bytes are due. What was not used does not add up.
func (l *limiter) wait(n int) {
	if l.perSecond <= 0 {
		return
	}
	now := time.Now()
	if l.next.Before(now) {
		l.next = now
	}
	time.Sleep(l.next.Sub(now))
	l.next = l.next.Add(time.Duration(float64(n) / float64(l.perSecond) * float64(time.Second)))
}
