package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/spf13/cobra"

	"holt/cmd/holt/internal/backup"
	"holt/cmd/holt/internal/migrate"
	"holt/server"
	"holt/znode/zkfile"
)

func (a *app) newImport() *cobra.Command {
	var cfg migrate.ImportConfig
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import --from-zookeeper DIR --to DATADIR",
		Short: "Make a member's data directory from one of Apache ZooKeeper",
		Long: `Make a member's data directory from the snapshot and logs of Apache ZooKeeper 3.4 to 3.9.

The ensemble must be stopped. All comes along: zxids, stats, ACLs, TTLs, quotas, and sessions
with their passwords and ephemeral nodes, so that clients go on with their sessions.
Every member of the new ensemble has to begin with the same files: take those of the
server with the highest zxid (--dry-run tells it), and import them on each.

Nothing in the source is changed. If it is interrupted, run it again.`,
		Example: `  holt import --from-zookeeper /var/lib/zookeeper --to /var/lib/holt --dry-run
  holt import --from-zookeeper /var/lib/zookeeper --log-dir /var/log/zookeeper --to /var/lib/holt --myid 2`,
		Args: atMost(0),
		RunE: func(*cobra.Command, []string) error { return a.runImport(cfg, asJSON) },
	}
	f := cmd.Flags()
	f.StringVar(&cfg.From, "from-zookeeper", "", "dataDir of the stopped ZooKeeper, or its version-2")
	f.StringVar(&cfg.FromLogs, "log-dir", "", "its dataLogDir, if it has one")
	f.StringVar(&cfg.To, "to", "", "dataDir to make")
	f.StringVar(&cfg.ToLogs, "to-log-dir", "", "dataLogDir the member will have, if it has one")
	f.Uint64Var(&cfg.MyID, "myid", 0, "this member's id, instead of the one in the source")
	f.BoolVar(&cfg.DryRun, "dry-run", false, "read all, report, keep nothing")
	f.BoolVar(&cfg.DropSessions, "drop-sessions", false, "leave out sessions and their ephemeral nodes")
	f.BoolVar(&cfg.Load.Salvage, "salvage", false, "take what comes before damage in a log, instead of refusing it")
	f.BoolVar(&cfg.Load.TrustEmptySnapshot, "trust-empty-snapshot", false, "there never was a snapshot: begin with an empty tree")
	f.BoolVar(&cfg.Load.Emulate353TTL, "emulate-353-ttl", false, "the nodes with a TTL were made by 3.5.3")
	f.BoolVar(&asJSON, "json", false, "report in JSON")
	return cmd
}

func (a *app) runImport(cfg migrate.ImportConfig, asJSON bool) error {
	if cfg.From == "" {
		return usageError("which data? give --from-zookeeper")
	}
	if cfg.To == "" && !cfg.DryRun {
		return usageError("where to? give --to, or --dry-run")
	}
	bar := newProgressBar(a.stderr, "import", bytesText)
	cfg.Load.Progress = bar.at
	r, err := migrate.Import(cfg)
	bar.end()
	if err != nil {
		return dataError(err)
	}
	if r.Differs() {
		fmt.Fprintf(a.stderr, "holt: the tree's digest %s: ZooKeeper would only log this too; compare before you go on\n", r.Checked)
	}
	for _, gap := range r.Gaps {
		fmt.Fprintf(a.stderr, "holt: %s: ZooKeeper would not notice; find the file that is missing, or take those of another server\n", gap)
	}
	if r.WithoutLogs {
		fmt.Fprintf(a.stderr, "holt: %s\n", migrate.NoLogs)
	}
	return a.report(r, asJSON)
}

func (a *app) report(r *migrate.Report, asJSON bool) error {
	if asJSON {
		return r.JSON(a.stdout)
	}
	return r.Text(a.stdout)
}

// dataError gives what can go wrong with data directories, ZooKeeper's and backups its exit code: what was named is not of
// the kind it has to be, or what is there cannot be read.
func dataError(err error) error {
	for _, wrong := range []error{server.ErrInUse, server.ErrNoData, zkfile.ErrNothing, migrate.ErrConfig, migrate.ErrInUse, backup.ErrNoSet, backup.ErrNoRepository} {
		if errors.Is(err, wrong) {
			return &exitError{exitUsage, err}
		}
	}
	if errors.As(err, new(*zkfile.DamageError)) || errors.Is(err, migrate.ErrDamaged) || errors.Is(err, backup.ErrDamaged) || pebble.IsCorruptionError(err) || diskFailed(err) {
		return &exitError{exitFailed, err}
	}
	return err
}

// diskFailed reports whether err is about a disk that takes or gives nothing more.
func diskFailed(err error) bool {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

func (a *app) newExport() *cobra.Command {
	var cfg migrate.ExportConfig
	var asJSON bool
	var compression string
	cmd := &cobra.Command{
		Use:   "export --from DATADIR --to-zookeeper DIR",
		Short: "Make a data directory for Apache ZooKeeper from a member's",
		Long: `Make a data directory that Apache ZooKeeper starts from.

The member may run: then what it holds at that moment is written. For a move back, stop
the ensemble first, so that nothing is written afterwards. Sessions go along, with their
ephemeral nodes; ZooKeeper takes the passwords of those that came from it, and of all
if the members run with holt.sessionPasswords=zookeeper.`,
		Example: `  holt export --from /var/lib/holt --to-zookeeper /var/lib/zookeeper`,
		Args:    atMost(0),
		RunE: func(*cobra.Command, []string) error {
			cfg.Compression = zkfile.Compression(compression)
			return a.runExport(cfg, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.From, "from", "", "dataDir of the member")
	f.StringVar(&cfg.FromLogs, "log-dir", "", "its dataLogDir, if it has one")
	f.StringVar(&cfg.To, "to-zookeeper", "", "dataDir to make")
	f.Uint64Var(&cfg.MyID, "myid", 0, "the server's id, instead of the member's")
	f.StringVar(&compression, "compression", "", "of the snapshot: gz or snappy (ZooKeeper 3.6 and later)")
	f.StringVar(&cfg.Release, "release", "", "of the ZooKeeper that will read it, if before 3.6: 3.4 or 3.5")
	f.BoolVar(&asJSON, "json", false, "report in JSON")
	return cmd
}

func (a *app) runExport(cfg migrate.ExportConfig, asJSON bool) error {
	if cfg.From == "" || cfg.To == "" {
		return usageError("give --from and --to-zookeeper")
	}
	bar := newProgressBar(a.stderr, "export", countText)
	cfg.Progress = bar.at
	r, err := migrate.Export(cfg)
	bar.end()
	if err != nil {
		return dataError(err)
	}
	return a.report(r, asJSON)
}
