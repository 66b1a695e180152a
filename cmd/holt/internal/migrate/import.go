package migrate

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/quorum/storage"
	"holt/server"
	"holt/server/apply"
	"holt/session"
	"holt/wire"
	"holt/znode"
	"holt/znode/store"
	"holt/znode/zkfile"
)

// ImportConfig says what to import. From and To are required.
type ImportConfig struct {
	// From is ZooKeeper's dataDir, or its version-2. FromLogs is its dataLogDir, "" for the same.
	From, FromLogs string
	// To is the data directory to make, ToLogs where the member's log will be, "" for To.
	To, ToLogs string
	// MyID overrides the id in From, 0 keeps it.
	MyID uint64
	// DropSessions leaves out all sessions and their nodes.
	DropSessions bool
	// DryRun reads all and keeps nothing.
	DryRun bool
	Load   zkfile.LoadOptions
	// FS is that of To. Default: the operating system's.
	FS vfs.FS
}

// importStore keeps more in memory than a member does: nothing is read twice but parents.
var importStore = store.Options{CacheBytes: 64 << 20, MemTableBytes: 64 << 20}

// Import makes a data directory. The report is complete if there is no error.
func Import(cfg ImportConfig) (*Report, error) {
	began := time.Now()
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	dir, err := zkfile.OpenDir(cfg.From, cfg.FromLogs)
	if err != nil {
		return nil, err
	}
	r := &Report{Source: cfg.From, Target: cfg.To, DryRun: cfg.DryRun}
	build := func(treeDir string) error {
		if err := buildTree(&cfg, dir, treeDir, r); err != nil {
			return err
		}
		r.Member = dir.MyID
		if cfg.MyID != 0 {
			r.Member = cfg.MyID
		}
		if cfg.DryRun || r.Member == 0 {
			return nil
		}
		return writeFile(cfg.FS, cfg.FS.PathDir(treeDir), "myid", strconv.FormatUint(r.Member, 10)+"\n")
	}
	if cfg.DryRun {
		err = inPassing(build)
	} else {
		err = server.Found(cfg.FS, cfg.To, cfg.ToLogs, build)
	}
	if err != nil {
		return nil, err
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// inPassing builds in a directory that goes afterwards.
func inPassing(build func(string) error) error {
	tmp, err := os.MkdirTemp("", "holt-import-")
	if err != nil {
		return err
	}
	return errors.Join(build(filepath.Join(tmp, "tree")), os.RemoveAll(tmp))
}

// buildTree makes the tree of the files in treeDir, complete and closed.
func buildTree(cfg *ImportConfig, dir *zkfile.Dir, treeDir string, r *Report) (err error) {
	var s *store.Store
	defer func() {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	fresh := func() (*znode.Tree, error) {
		if s != nil {
			if err := s.Close(); err != nil {
				return nil, err
			}
			s = nil
		}
		if err := cfg.FS.RemoveAll(treeDir); err != nil {
			return nil, err
		}
		o := importStore
		o.FS = cfg.FS
		var err error
		if s, err = store.Open(treeDir, o); err != nil {
			return nil, err
		}
		return znode.NewTree(s)
	}
	tree, loaded, err := zkfile.Load(fresh, dir, cfg.Load)
	if err != nil {
		return err
	}
	saved := apply.Saved{Zxid: loaded.Zxid, TimeMillis: loaded.TimeMillis}
	if e := dir.CurrentEpoch; e > int64(saved.Zxid.Epoch()) {
		// Of an epoch in which nothing was written, clients may have seen its beginning.
		saved.Zxid = wire.MakeZxid(uint32(e), 0)
	}
	if cfg.DropSessions {
		err = dropSessions(tree, loaded)
		saved.Zxid = max(saved.Zxid, loaded.Zxid)
	} else {
		saved.Sessions = sessionsOf(loaded)
	}
	saved.Origin = originOf(saved, tree.Counts())
	if err == nil {
		err = tree.Prepare(0, apply.FoundingRecords(saved))
	}
	if err != nil {
		return err
	}
	tree.Commit()
	r.NextEpoch = saved.Zxid.Epoch() + 1
	return r.fill(loaded, tree, s)
}

// sessionsOf gives the sessions the passwords that ZooKeeper gave them. None is
// any member's until its client comes back.
func sessionsOf(l *zkfile.Loaded) []session.Facts {
	facts := make([]session.Facts, 0, len(l.Sessions))
	for id, timeout := range l.Sessions {
		facts = append(facts, session.Facts{ID: id, Passwd: session.ZooKeeperPasswd(id), TimeoutMillis: timeout, Attached: 1})
	}
	return facts
}

// originOf is the same for imports that made the same tree, with the same sessions.
func originOf(s apply.Saved, counts znode.Counts) (origin [apply.OriginSize]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "import %s %d %+v", s.Zxid, len(s.Sessions), counts) // never fails
	copy(origin[:], h.Sum(nil))
	return origin
}

// dropSessions ends all sessions, in a transaction of its own.
func dropSessions(tree *znode.Tree, l *zkfile.Loaded) error {
	l.Zxid++
	for id := range l.Sessions {
		tree.Begin(l.Zxid, l.TimeMillis)
		tree.CloseSession(id)
		if err := tree.Prepare(0, nil); err != nil {
			return err
		}
		tree.Commit()
	}
	clear(l.Sessions)
	return nil
}

// writeFile makes a small file that survives a crash.
func writeFile(fs vfs.FS, dir, name, text string) error {
	path := fs.PathJoin(dir, name)
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return storage.SyncDir(fs, dir)
}
