package migrate

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/cmd/holt/internal/datadir"
	"holt/quorum/storage"
	"holt/server/apply"
	"holt/session"
	"holt/znode/store"
	"holt/znode/zkfile"
)

// ExportConfig says what to export. From and To are required.
type ExportConfig struct {
	// From is a member's data directory, FromLogs where its log is, "" for From. The
	// member may run.
	From, FromLogs string
	// To is ZooKeeper's dataDir to make. It may exist and must not hold data.
	To string
	// MyID is written to To, 0 takes over what From has.
	MyID uint64
	// Compression is that of the snapshot. Before 3.6 ZooKeeper reads none.
	Compression zkfile.Compression
	// Release is the one that will read it, as "3.4"; "" for 3.6 and later. Before 3.6 there are no
	// digests, before 3.5 no containers and no nodes with a TTL: they become ordinary ones.
	Release string
	// Progress is told now and then how many nodes of how many were written. May be nil.
	Progress func(done, total int64)
}

// Export makes a data directory that ZooKeeper starts from. A crash at any point leaves one
// that it does not take for a whole one: the snapshot gets its name last.
func Export(cfg ExportConfig) (_ *Report, err error) {
	began := time.Now()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	version2 := filepath.Join(cfg.To, "version-2")
	if d, err := zkfile.OpenDir(cfg.To, ""); err == nil && len(d.Snapshots)+len(d.Logs) > 0 {
		return nil, fmt.Errorf("%w: take another directory than %s, or remove %s", ErrInUse, cfg.To, version2)
	}
	src, err := datadir.Open(cfg.From, cfg.FromLogs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	tree, err := src.Store()
	if err != nil {
		return nil, err
	}
	saved, err := src.Saved()
	if err != nil {
		return nil, err
	}
	state, _ := tree.State()
	r := &Report{Source: cfg.From, Target: cfg.To, Zxid: hex64(saved.Zxid), Unknown: src.Unknown, Sessions: len(saved.Sessions)}
	if err := r.count(tree, state.Counts); err != nil {
		return nil, err
	}
	if err := storage.MkdirAll(vfs.Default, version2); err != nil {
		return nil, err
	}
	if err := cfg.writeIDs(saved, version2, r); err != nil {
		return nil, err
	}
	head := zkfile.SnapshotHead{Compression: cfg.Compression}
	for i := range saved.Sessions {
		f := &saved.Sessions[i]
		head.Sessions = append(head.Sessions, zkfile.Session{ID: f.ID, TimeoutMillis: f.TimeoutMillis})
		if f.Passwd != session.ZooKeeperPasswd(f.ID) {
			r.Foreign++
		}
	}
	if cfg.Release == "" {
		head.Digest = &zkfile.Digest{Zxid: saved.Zxid, Version: 2, Value: state.Digest}
	}
	if err := cfg.writeSnapshot(tree, head, filepath.Join(version2, zkfile.SnapshotName(saved.Zxid, cfg.Compression))); err != nil {
		return nil, err
	}
	r.Snapshot = filepath.Join(version2, zkfile.SnapshotName(saved.Zxid, cfg.Compression))
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// ErrInUse says that what is to become ZooKeeper's data directory is one already.
var ErrInUse = errors.New("the directory holds ZooKeeper's data already")

// ErrConfig is the cause of errors in an ExportConfig.
var ErrConfig = errors.New("the export cannot be made so")

func (cfg *ExportConfig) validate() error {
	switch cfg.Release {
	case "", "3.4", "3.5":
	case "3.6", "3.7", "3.8", "3.9":
		cfg.Release = ""
	default:
		return fmt.Errorf("%w: release %q: want 3.4 to 3.9", ErrConfig, cfg.Release)
	}
	if cfg.Release != "" && cfg.Compression != zkfile.Plain {
		return fmt.Errorf("%w: ZooKeeper %s reads no compressed snapshots", ErrConfig, cfg.Release)
	}
	return nil
}

// writeIDs writes the server's id and the epochs, which must not be behind the snapshot.
func (cfg *ExportConfig) writeIDs(saved apply.Saved, version2 string, r *Report) error {
	epoch := strconv.FormatUint(uint64(saved.Zxid.Epoch()), 10)
	for _, name := range []string{"currentEpoch", "acceptedEpoch"} {
		if err := writeFile(vfs.Default, version2, name, epoch); err != nil {
			return err
		}
	}
	r.Member = cfg.MyID
	if r.Member == 0 {
		if b, err := os.ReadFile(filepath.Join(cfg.From, "myid")); err == nil {
			r.Member, err = strconv.ParseUint(string(trimSpace(b)), 10, 64)
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Join(cfg.From, "myid"), err)
			}
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if r.Member == 0 {
		return nil
	}
	return writeFile(vfs.Default, cfg.To, "myid", strconv.FormatUint(r.Member, 10)+"\n")
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r' || b[len(b)-1] == ' ') {
		b = b[:len(b)-1]
	}
	return b
}

// writeSnapshot writes aside, syncs and renames.
func (cfg *ExportConfig) writeSnapshot(tree *store.Store, head zkfile.SnapshotHead, name string) error {
	tmp := name + ".tmp"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	state, _ := tree.State()
	_, err = zkfile.WriteTree(w, &exportSource{Store: tree, total: 2 * (state.Nodes - 1), tell: cfg.Progress, plain: cfg.Release == "3.4"}, head)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", tmp, err), os.Remove(tmp))
	}
	if err := os.Rename(tmp, name); err != nil {
		return err
	}
	return storage.SyncDir(vfs.Default, filepath.Dir(name))
}
