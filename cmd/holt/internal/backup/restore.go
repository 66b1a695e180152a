package backup

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum/storage"
	"holt/server"
	"holt/server/apply"
	"holt/session"
	"holt/wire"
	"holt/znode"
	"holt/znode/store"
)

// epochStep is how far the zxids of a restored ensemble begin above those of the backup: the old one
// may have gone on after the backup, and a client that has seen its zxids must not
// find itself ahead of the servers. It stands for this many changes of the leader.
const epochStep = 1000

// RestoreConfig says where to. DataDir is required.
type RestoreConfig struct {
	// DataDir is made, for a member whose log will be in LogDir, "" for DataDir.
	DataDir, LogDir string
	// MyID is written to DataDir, 0 for none.
	MyID uint64
	// KeepSessions keeps sessions and their ephemeral nodes, instead of ending them.
	KeepSessions bool
	// Name tells ensembles apart that are made of the same backup, "" for one; the same on each member.
	Name string
	// Progress is told now and then how many bytes of how many were copied. May be nil.
	Progress func(done, total int64)
}

// Restore makes a member's data directory of a backup. All members of the new ensemble need one
// of the same backup, made with the same KeepSessions. It returns the epoch that the
// ensemble begins with.
func (r *Repository) Restore(s *Set, cfg RestoreConfig) (epoch uint32, err error) {
	err = server.Found(vfs.Default, cfg.DataDir, cfg.LogDir, func(treeDir string) error {
		if err := r.extract(s, treeDir, cfg.Progress); err != nil {
			return err
		}
		zxid, err := refound(treeDir, s.ID, cfg.Name, cfg.KeepSessions)
		if err != nil {
			return fmt.Errorf("backup %s: %w", s.ID, err)
		}
		epoch = zxid.Epoch() + 1
		if cfg.MyID == 0 {
			return nil
		}
		return writeWhole(cfg.DataDir, "myid", []byte(strconv.FormatUint(cfg.MyID, 10)+"\n"))
	})
	return epoch, err
}

// extract copies the files of a backup, checking them on the way.
func (r *Repository) extract(s *Set, dir string, progress func(done, total int64)) error {
	if err := storage.MkdirAll(vfs.Default, dir); err != nil {
		return err
	}
	var done int64
	for i := range s.Files {
		f := &s.Files[i]
		out, err := os.OpenFile(filepath.Join(dir, f.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		err = checkFile(r.path(f.SHA256), f, out, func(n int) {
			if done += int64(n); progress != nil {
				progress(done, s.Bytes)
			}
		})
		if err == nil {
			err = out.Sync()
		}
		if err = errors.Join(err, out.Close()); err != nil {
			return fmt.Errorf("backup %s, file %s: %w", s.ID, f.Name, err)
		}
	}
	return storage.SyncDir(vfs.Default, dir)
}

// refound turns the tree in dir into one that an ensemble begins with.
func refound(dir, id, name string, keepSessions bool) (zxid wire.Zxid, err error) {
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	saved, err := apply.ReadSaved(s)
	if err != nil {
		return 0, err
	}
	tree, err := znode.NewTree(s)
	if err != nil {
		return 0, err
	}
	disown, err := apply.DisownRecords(s)
	if err != nil {
		return 0, err
	}
	saved.Zxid = wire.MakeZxid(saved.Zxid.Epoch()+epochStep, 0)
	saved.Origin = originOf(id, keepSessions, name)
	if !keepSessions {
		// In one order on each member.
		slices.SortFunc(saved.Sessions, func(a, b session.Facts) int { return cmp.Compare(a.ID, b.ID) })
		for i := range saved.Sessions {
			session := saved.Sessions[i].ID
			saved.Zxid++
			tree.Begin(saved.Zxid, saved.TimeMillis)
			tree.CloseSession(session)
			if err := commit(tree, []znode.Record{{Key: apply.SessionKey(session)}}); err != nil {
				return 0, err
			}
		}
		saved.Sessions = nil
	}
	for i := range saved.Sessions {
		saved.Sessions[i].Owner = 0 // until its client comes back
	}
	return saved.Zxid, commit(tree, append(disown, apply.FoundingRecords(saved)...))
}

// originOf is the same for all members that are made of a backup in the same way.
func originOf(id string, keepSessions bool, name string) (origin [apply.OriginSize]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "restore %s %t %q", id, keepSessions, name) // never fails
	copy(origin[:], h.Sum(nil))
	return origin
}

func commit(tree *znode.Tree, records []znode.Record) error {
	if err := tree.Prepare(0, records); err != nil {
		return err
	}
	tree.Commit()
	return nil
}
