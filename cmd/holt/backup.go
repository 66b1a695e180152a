package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"holt/cmd/holt/internal/backup"
	"holt/cmd/internal/clientcfg"
	"holt/wire/client"
)

func (a *app) newBackup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Back up a member's data, running or stopped, and restore it",
		Long: `Back up a member's data, running or stopped, and restore it.

A backup is made from one member, on its machine, by whoever may enter its data directory.
Backups in one directory share the files that did not change. Restoring makes a new
ensemble, or puts one subtree into a running one.`,
		Example: `  holt backup create --from /var/lib/holt --to /backup/holt --keep 14
  holt backup list /backup/holt
  holt backup verify /backup/holt
  holt backup restore /backup/holt --to /var/lib/holt-new --myid 1
  holt backup restore /backup/holt --path /app --into /app-restored --server 127.0.0.1:2181`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newBackupCreate(), a.newBackupList(), a.newBackupVerify(), a.newBackupRestore())
	return cmd
}

func (a *app) newBackupCreate() *cobra.Command {
	var cfg backup.CreateConfig
	var to string
	var mebibytes float64
	var keep int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "create --from DATADIR --to DIR",
		Short: "Make a backup",
		Args:  atMost(0),
		RunE: func(*cobra.Command, []string) error {
			if cfg.DataDir == "" || to == "" {
				return usageError("give --from and --to")
			}
			if keep < 0 || mebibytes < 0 {
				return usageError("--keep and --rate cannot be negative")
			}
			cfg.BytesPerSecond = int64(mebibytes * (1 << 20))
			if mebibytes > 0 {
				beNice()
			}
			return a.backupCreate(cfg, to, keep, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.DataDir, "from", "", "dataDir of a member on this machine")
	f.StringVar(&cfg.LogDir, "log-dir", "", "its dataLogDir, if it has one")
	f.StringVar(&to, "to", "", "directory of backups; made if it is not there")
	f.Float64Var(&mebibytes, "rate", 32, "MiB a second to read and write at most, so that clients do not notice; 0: as fast as it goes")
	f.IntVar(&keep, "keep", 0, "remove all but so many backups afterwards; 0 keeps all")
	f.BoolVar(&asJSON, "json", false, "print the backup in JSON")
	return cmd
}

func (a *app) backupCreate(cfg backup.CreateConfig, to string, keep int, asJSON bool) error {
	r, err := backup.OpenRepository(to, true)
	if err != nil {
		return dataError(err)
	}
	bar := newProgressBar(a.stderr, "backup", bytesText)
	cfg.Progress = bar.at
	s, err := r.Create(cfg)
	bar.end()
	if err != nil {
		return dataError(err)
	}
	if keep > 0 {
		if _, err := r.Keep(keep); err != nil {
			return fmt.Errorf("backup %s is made; remove older ones: %w", s.ID, err)
		}
	}
	if asJSON {
		return a.printJSON(s)
	}
	_, err = fmt.Fprintf(a.stdout, "backup %s: zxid %s, %d nodes, %s, of which %s are new\n", s.ID, s.Zxid, s.Nodes, bytesText(s.Bytes), bytesText(s.NewBytes))
	return err
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *app) newBackupList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list DIR",
		Short: "List the backups in a directory, the oldest first",
		Args:  exactly(1, "one argument, the directory of backups"),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := backup.OpenRepository(args[0], false)
			if err != nil {
				return dataError(err)
			}
			sets, err := r.Sets()
			if err != nil {
				return dataError(err)
			}
			if asJSON {
				return a.printJSON(sets)
			}
			w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "BACKUP\tZXID\tNODES\tSESSIONS\tSIZE\tNEW\tFROM")
			for _, s := range sets {
				fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s:%s\n", s.ID, s.Zxid, s.Nodes, s.Sessions, bytesText(s.Bytes), bytesText(s.NewBytes), s.Host, s.DataDir)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them in JSON, with their files")
	return cmd
}

func (a *app) newBackupVerify() *cobra.Command {
	var id string
	var all bool
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Read a backup from end to end and compare it with its checksums",
		Args:  exactly(1, "one argument, the directory of backups"),
		RunE:  func(_ *cobra.Command, args []string) error { return a.backupVerify(args[0], id, all) },
	}
	cmd.Flags().StringVar(&id, "backup", "", "which one; default the newest")
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	return cmd
}

func (a *app) backupVerify(dir, id string, all bool) error {
	r, err := backup.OpenRepository(dir, false)
	if err != nil {
		return dataError(err)
	}
	var sets []*backup.Set
	if all {
		sets, err = r.Sets()
	} else {
		var s *backup.Set
		s, err = r.Set(id)
		sets = append(sets, s)
	}
	if err != nil {
		return dataError(err)
	}
	bad := 0
	for _, s := range sets {
		bar := newProgressBar(a.stderr, "verify", bytesText)
		err := r.Verify(s, bar.at)
		bar.end()
		if err != nil {
			bad++
			fmt.Fprintf(a.stderr, "holt: %v\n", err)
			continue
		}
		if _, err := fmt.Fprintf(a.stdout, "backup %s: fine, %d nodes\n", s.ID, s.Nodes); err != nil {
			return err
		}
	}
	if bad > 0 {
		return &exitError{exitFailed, fmt.Errorf("%d of %d backups cannot be restored", bad, len(sets))}
	}
	return nil
}

type restoreFlags struct {
	id     string
	cfg    backup.RestoreConfig
	graft  backup.GraftConfig
	server string
	auth   []string
	// client is a file of client properties, reach what the command line says besides.
	client string
	reach  clientcfg.Flags
}

func (a *app) newBackupRestore() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Make a new ensemble of a backup, or put one subtree into a running one",
		Long: `Make a new ensemble of a backup, or put one subtree into a running one.

With --to: make a member's data directory. Do so on each member of the new ensemble, with the
same backup and options, before any is started. Members of the old ensemble must not run
any more under the addresses of the new one. Sessions are dropped unless --keep-sessions is given;
zxids go on 1000 epochs above those of the backup.

With --path: create the nodes of a subtree in a running ensemble, as a client. Ephemeral
nodes are left out. Nodes that exist stay as they are, unless --overwrite is given.`,
		Example: `  holt backup restore /backup/holt --to /var/lib/holt --myid 1
  holt backup restore /backup/holt --path /app --into /app-restored --server 127.0.0.1:2181`,
		Args: exactly(1, "one argument, the directory of backups"),
		RunE: func(_ *cobra.Command, args []string) error { return a.backupRestore(args[0], &f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.id, "backup", "", "which one; default the newest")
	fl.StringVar(&f.cfg.DataDir, "to", "", "dataDir to make")
	fl.StringVar(&f.cfg.LogDir, "to-log-dir", "", "dataLogDir the member will have, if it has one")
	fl.Uint64Var(&f.cfg.MyID, "myid", 0, "the member's id, written to dataDir/myid")
	fl.BoolVar(&f.cfg.KeepSessions, "keep-sessions", false, "keep sessions and their ephemeral nodes")
	fl.StringVar(&f.cfg.Name, "name", "", "tells ensembles apart that are made of the same backup; the same on each member")
	fl.StringVar(&f.graft.Path, "path", "", "the subtree to take")
	fl.StringVar(&f.graft.Into, "into", "", "the path it gets; default the same")
	fl.StringVar(&f.server, "server", "", "host:port of the running ensemble")
	fl.BoolVar(&f.graft.Overwrite, "overwrite", false, "give nodes that exist the data and ACL of the backup")
	fl.StringArrayVar(&f.auth, "auth", nil, "scheme:credentials to present, as digest:user:password")
	fl.StringVar(&f.client, "client-configuration", "", "file of ZooKeeper's client properties, for TLS and SASL")
	fl.BoolVar(&f.reach.TLS, "tls", false, "use TLS, by the authorities of the system")
	fl.StringVar(&f.reach.CA, "ca", "", "use TLS, by the authorities in this file (PEM, JKS, PKCS12)")
	fl.StringVar(&f.reach.Cert, "cert", "", "file of this client's certificate (PEM)")
	fl.StringVar(&f.reach.Key, "key", "", "file of its key (PEM), if not that one")
	fl.StringVar(&f.reach.JAAS, "jaas", "", "log in by SASL, by the section Client of this JAAS file")
	return cmd
}

func (a *app) backupRestore(dir string, f *restoreFlags) error {
	if (f.cfg.DataDir == "") == (f.graft.Path == "") {
		return usageError("give --to for a new ensemble, or --path and --server for a subtree")
	}
	if f.graft.Path != "" && f.server == "" {
		return usageError("into which ensemble? give --server")
	}
	r, err := backup.OpenRepository(dir, false)
	if err != nil {
		return dataError(err)
	}
	s, err := r.Set(f.id)
	if err != nil {
		return dataError(err)
	}
	if f.graft.Path != "" {
		return a.backupGraft(r, s, f)
	}
	bar := newProgressBar(a.stderr, "restore", bytesText)
	f.cfg.Progress = bar.at
	epoch, err := r.Restore(s, f.cfg)
	bar.end()
	if err != nil {
		return dataError(err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s holds backup %s: %d nodes, digest %s, first epoch %d\n", f.cfg.DataDir, s.ID, s.Nodes, s.Digest, epoch)
	return err
}

func (a *app) backupGraft(r *backup.Repository, s *backup.Set, f *restoreFlags) error {
	if f.graft.Into == "" {
		f.graft.Into = f.graft.Path
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	c, err := f.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Abort()
	bar := newProgressBar(a.stderr, "restore", countText)
	f.graft.Progress = bar.at
	g, err := r.Graft(context.Background(), s, c, f.graft)
	bar.end()
	if err != nil {
		return dataError(fmt.Errorf("%w (%d nodes were created before)", err, g.Created))
	}
	end, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := c.CloseSession(end); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s of backup %s is at %s: %d nodes created, %d overwritten, %d left as they were, %d ephemeral left out\n",
		f.graft.Path, s.ID, f.graft.Into, g.Created, g.Overwritten, g.Existed, g.Ephemeral)
	return err
}

// dial connects to the ensemble that a subtree goes into, and presents who is asking.
func (f *restoreFlags) dial(ctx context.Context) (_ *client.Conn, err error) {
	reach, err := clientcfg.Load(f.client, f.reach)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	dial := (&net.Dialer{}).DialContext
	if reach.Secure() {
		dial = func(ctx context.Context, _, addr string) (net.Conn, error) { return reach.Dial(ctx, addr) }
	}
	var c *client.Conn
	nc, err := dial(ctx, "tcp", f.server)
	if err == nil {
		c, err = client.New(ctx, nc, client.Options{})
	}
	if err != nil {
		return nil, &exitError{7, fmt.Errorf("connect to %s: %w", f.server, err)}
	}
	defer func() {
		if err != nil {
			c.Abort()
		}
	}()
	if reach.LogsIn() {
		if err := reach.Login(ctx, f.server, c); err != nil {
			return nil, &exitError{6, err}
		}
	}
	for _, auth := range f.auth {
		scheme, credentials, ok := strings.Cut(auth, ":")
		if !ok {
			return nil, usageError("--auth %q: want scheme:credentials", scheme)
		}
		if err := c.Auth(ctx, scheme, []byte(credentials)); err != nil {
			return nil, &exitError{6, fmt.Errorf("authenticate by %s: %w", scheme, err)}
		}
	}
	return c, nil
}
