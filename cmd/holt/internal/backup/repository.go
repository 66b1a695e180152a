package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum/storage"
)

const (
	formatFile    = "holt-backup"
	formatVersion = "1"
	filesDir      = "files"
	setsDir       = "sets"
	lockFile      = "lock"
	tmpPrefix     = "tmp-"
)

// Repository is a directory of backups.
type Repository struct {
	dir  string
	lock io.Closer // while held
}

// Set is one backup. Its JSON is its file.
type Set struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Host    string    `json:"host"`
	DataDir string    `json:"dataDir"`

	Zxid       string `json:"zxid"`
	Applied    uint64 `json:"applied"` // index of the last entry
	Nodes      int64  `json:"nodes"`
	DataBytes  int64  `json:"dataBytes"`
	Ephemerals int64  `json:"ephemerals"`
	Sessions   int    `json:"sessions"`
	Digest     string `json:"digest"`

	Files []File `json:"files"`
	// Bytes is the size of the files, NewBytes of those that this set brought.
	Bytes    int64 `json:"bytes"`
	NewBytes int64 `json:"newBytes"`
	// Checksum is the SHA-256 of this JSON while it is "".
	Checksum string `json:"checksum"`
}

// File is one of the tree's files.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// MTimeNanos and Inode are those of the member's file.
	MTimeNanos int64  `json:"mtimeNanos"`
	Inode      uint64 `json:"inode"`
}

// ErrNoSet says that there is no such backup.
var ErrNoSet = errors.New("there is no such backup")

// ErrNoRepository says that a directory is none of backups.
var ErrNoRepository = errors.New("no directory of backups")

// ErrDamaged says that a file of a backup is not what it was, or is gone.
var ErrDamaged = errors.New("damaged")

// OpenRepository opens the repository in dir; create makes one of a directory that is not there or empty.
func OpenRepository(dir string, create bool) (*Repository, error) {
	r := &Repository{dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, formatFile))
	switch {
	case err == nil:
		if v := strings.TrimSpace(string(b)); v != formatVersion {
			return nil, fmt.Errorf("%s has format %q, this program knows %s", dir, v, formatVersion)
		}
		return r, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case !create:
		return nil, fmt.Errorf("%s is %w: there is no %s in it", dir, ErrNoRepository, formatFile)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is %w and holds other files: give a directory of its own", dir, ErrNoRepository)
	}
	for _, sub := range []string{filesDir, setsDir} {
		if err := storage.MkdirAll(vfs.Default, filepath.Join(dir, sub)); err != nil {
			return nil, err
		}
	}
	return r, writeWhole(dir, formatFile, []byte(formatVersion+"\n"))
}

// hold keeps others from changing the repository, and removes what a crash left.
func (r *Repository) hold() error {
	lock, err := vfs.Default.Lock(filepath.Join(r.dir, lockFile))
	if err != nil {
		return fmt.Errorf("%s is in use by another backup: %w", r.dir, err)
	}
	r.lock = lock
	entries, err := os.ReadDir(r.dir)
	for _, e := range entries {
		if err == nil && strings.HasPrefix(e.Name(), tmpPrefix) {
			err = os.RemoveAll(filepath.Join(r.dir, e.Name()))
		}
	}
	return err
}

func (r *Repository) release() error {
	if r.lock == nil {
		return nil
	}
	err := r.lock.Close()
	r.lock = nil
	return err
}

// Sets are all backups, the oldest first.
func (r *Repository) Sets() ([]*Set, error) {
	entries, err := os.ReadDir(filepath.Join(r.dir, setsDir))
	if err != nil {
		return nil, err
	}
	var sets []*Set
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			s, err := r.readSet(id)
			if err != nil {
				return nil, err
			}
			sets = append(sets, s)
		}
	}
	slices.SortFunc(sets, func(a, b *Set) int { return a.Created.Compare(b.Created) })
	return sets, nil
}

// Set returns the backup called id, the newest if that is "".
func (r *Repository) Set(id string) (*Set, error) {
	if id != "" {
		return r.readSet(id)
	}
	sets, err := r.Sets()
	if err != nil {
		return nil, err
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("%s: %w", r.dir, ErrNoSet)
	}
	return sets[len(sets)-1], nil
}

func (r *Repository) readSet(id string) (*Set, error) {
	if id != filepath.Base(id) {
		return nil, fmt.Errorf("%s: %w: %q", r.dir, ErrNoSet, id)
	}
	name := filepath.Join(r.dir, setsDir, id+".json")
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: %q", r.dir, ErrNoSet, id)
	}
	if err != nil {
		return nil, err
	}
	s := new(Set)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("%s is %w: %w", name, ErrDamaged, err)
	}
	sum, err := s.sum()
	if err != nil {
		return nil, err
	}
	if sum != s.Checksum {
		return nil, fmt.Errorf("%s is %w: its checksum is another", name, ErrDamaged)
	}
	return s, nil
}

func (s *Set) sum() (string, error) {
	c := *s
	c.Checksum = ""
	b, err := json.Marshal(&c)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

func (r *Repository) writeSet(s *Set) error {
	var err error
	if s.Checksum, err = s.sum(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(r.dir, setsDir), s.ID+".json", append(b, '\n'))
}

// path is where the contents with a checksum are.
func (r *Repository) path(sum string) string {
	return filepath.Join(r.dir, filesDir, sum[:min(2, len(sum))], sum)
}

// has reports whether the contents of f are there, in their full length.
func (r *Repository) has(f *File) bool {
	info, err := os.Stat(r.path(f.SHA256))
	return err == nil && info.Size() == f.Size
}

// Keep removes all but the newest n backups, and the contents that no other has.
func (r *Repository) Keep(n int) (removed int, err error) {
	if err := r.hold(); err != nil {
		return 0, errors.Join(err, r.release())
	}
	defer func() { err = errors.Join(err, r.release()) }()
	sets, err := r.Sets()
	if err != nil || len(sets) <= n {
		return 0, err
	}
	used := make(map[string]bool)
	for _, s := range sets[len(sets)-n:] {
		for i := range s.Files {
			used[s.Files[i].SHA256] = true
		}
	}
	// The sets first: contents that nobody knows are waste, a set without contents is none.
	for _, s := range sets[:len(sets)-n] {
		if err := os.Remove(filepath.Join(r.dir, setsDir, s.ID+".json")); err != nil {
			return removed, err
		}
		removed++
	}
	if err := storage.SyncDir(vfs.Default, filepath.Join(r.dir, setsDir)); err != nil {
		return removed, err
	}
	return removed, filepath.WalkDir(filepath.Join(r.dir, filesDir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || used[d.Name()] {
			return err
		}
		return os.Remove(path)
	})
}

// writeWhole puts b into a file as a whole, durably.
func writeWhole(dir, name string, b []byte) error {
	tmp := filepath.Join(dir, name+".tmp")
	f, err := os.Create(tmp)
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
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return err
	}
	return storage.SyncDir(vfs.Default, dir)
}
