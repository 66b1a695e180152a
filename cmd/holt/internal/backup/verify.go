package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/znode"
	"holt/znode/store"
)

// Verify reads all of a backup: the contents of each file against its checksum, then the
// tree that they make, node by node, against count and digest.
func (r *Repository) Verify(s *Set, progress func(done, total int64)) error {
	var done int64
	for i := range s.Files {
		f := &s.Files[i]
		err := checkFile(r.path(f.SHA256), f, io.Discard, func(n int) {
			if done += int64(n); progress != nil {
				progress(done, s.Bytes)
			}
		})
		if err != nil {
			return fmt.Errorf("backup %s, file %s: %w", s.ID, f.Name, err)
		}
	}
	return r.withTree(s, func(tree *store.Store) error {
		var nodes int64
		var digest uint64
		err := tree.Walk(func(n *znode.Node) error {
			nodes++
			digest += n.Digest()
			return nil
		})
		if err == nil && (nodes != s.Nodes || fmt.Sprintf("0x%x", digest) != s.Digest) {
			err = fmt.Errorf("backup %s is %w: it has %d nodes with digest 0x%x, and should have %d with %s", s.ID, ErrDamaged, nodes, digest, s.Nodes, s.Digest)
		}
		return err
	})
}

// checkFile copies the contents of f to w and compares size and checksum.
func checkFile(name string, f *File, w io.Writer, tell func(int)) (err error) {
	in, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the backup is %w: %w", ErrDamaged, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, w, counter(tell)), in)
	if err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); n != f.Size || sum != f.SHA256 {
		return fmt.Errorf("%s is %w: %d bytes with SHA-256 %s, want %d with %s", name, ErrDamaged, n, sum, f.Size, f.SHA256)
	}
	return nil
}

type counter func(int)

func (c counter) Write(p []byte) (int, error) {
	c(len(p))
	return len(p), nil
}

// withTree opens the tree of a backup, of links to its contents.
func (r *Repository) withTree(s *Set, use func(*store.Store) error) (err error) {
	// Links need the repository's file system; where nothing can be written there, copies will do.
	dir, err := os.MkdirTemp(r.dir, tmpPrefix)
	if err != nil {
		if dir, err = os.MkdirTemp("", "holt-backup-"); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for i := range s.Files {
		f := &s.Files[i]
		to := filepath.Join(dir, f.Name)
		if filepath.Ext(f.Name) == ".sst" {
			err = vfs.LinkOrCopy(vfs.Default, r.path(f.SHA256), to)
		} else {
			err = vfs.Copy(vfs.Default, r.path(f.SHA256), to)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("the backup is %w: %w", ErrDamaged, err)
		}
		if err != nil {
			return fmt.Errorf("backup %s, file %s: %w", s.ID, f.Name, err)
		}
	}
	tree, err := store.Open(dir, store.Options{CacheBytes: 4 << 20, MemTableBytes: 4 << 20, Quiet: true})
	if err != nil {
		return fmt.Errorf("backup %s: %w", s.ID, err)
	}
	return errors.Join(use(tree), tree.Close())
}
