package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"holt/server"
	"holt/server/membership"
	"holt/server/zoocfg"
)

// configError is a configuration that was refused: the message is about a file
// and not about the command line.
type configError struct{ err error }

func (e *configError) Error() string { return "the configuration was refused:\n" + e.err.Error() }
func (e *configError) Unwrap() error { return e.err }

type serveFlags struct {
	settingFlags
	log   logFlags
	check bool
}

func (a *app) newServe() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [zoo.cfg]",
		Short: "Run a server, or a member of an ensemble, configured as ZooKeeper is",
		Long: `Run a server, or a member of an ensemble, configured as ZooKeeper is.

Without a file, $ZOOCFGDIR/$ZOOCFG is read, by default ./zoo.cfg. Settings come
from the file, then from -Dname=value in $SERVER_JVMFLAGS and $JVMFLAGS, then
from -D here; the last one counts. SIGTERM and SIGINT end the server in order.`,
		Example: `  holt serve /etc/zookeeper/conf/zoo.cfg
  holt serve -Djute.maxbuffer=4194304 zoo.cfg
  holt serve zoo.cfg --check`,
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.serve(args, &f) },
	}
	f.log.add(cmd, "info")
	f.settingFlags.add(cmd)
	cmd.Flags().BoolVar(&f.check, "check", false, "the same as holt config check")
	return cmd
}

func (a *app) serve(args []string, f *serveFlags) error {
	log, err := f.log.logger(a.stderr)
	if err != nil {
		return err
	}
	if f.check {
		return a.configCheck(args, &configFlags{settingFlags: f.settingFlags, output: "text"})
	}
	res, err := a.readWithStores(a.configPath(args), &f.settingFlags)
	if err != nil {
		return err
	}
	for _, n := range res.Notes {
		log.Info("setting", zap.Stringer("note", n))
	}
	cfg := res.Config
	cfg.Logger = log
	cfg.Control = true
	if cfg.ReconfigEnabled && !cfg.Standalone() {
		if err := followMembers(&cfg, a.configPath(args), log); err != nil {
			return err
		}
	}
	return a.runMember(cfg, log)
}

// followMembers keeps the configuration in step with the ensemble. A member whose files cannot be
// written goes on, as ZooKeeper's do: its log knows the members.
func followMembers(cfg *server.Config, path string, log *zap.Logger) error {
	files, err := zoocfg.NewFiles(path)
	if err != nil {
		return err
	}
	if err := files.Backup(); err != nil {
		log.Warn("configuration", zap.Error(err))
	}
	id := cfg.MemberID
	cfg.OnMembers = func(e *membership.Ensemble) {
		if err := files.Update(e, id); err != nil {
			log.Error("the configuration names other members than the ensemble has", zap.Error(err))
		}
	}
	return nil
}

// configPath is the file to read. ZooKeeper: zkEnv.sh
func (a *app) configPath(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	dir, name := a.getenv("ZOOCFGDIR"), a.getenv("ZOOCFG")
	if name == "" {
		name = "zoo.cfg"
	}
	return filepath.Join(dir, name)
}

// environmentSources are the -D settings of the variables in which scripts hand
// them to the Java server. Whatever else is there is for Java, and nothing in
// there is quoted: zkServer.sh splits at blanks alone. Its order is kept too, so
// that a setting in JVMFLAGS wins.
func (a *app) environmentSources() []zoocfg.Source {
	var sources []zoocfg.Source
	for _, variable := range []string{"SERVER_JVMFLAGS", "JVMFLAGS"} {
		source := zoocfg.Source{Name: variable, Shared: true}
		for _, word := range strings.Fields(a.getenv(variable)) {
			if define, ok := strings.CutPrefix(word, "-D"); ok {
				source.Defines = append(source.Defines, strings.Trim(define, `"'`))
			}
		}
		sources = append(sources, source)
	}
	return sources
}

// runMember runs a server until it is told to stop or fails.
func (a *app) runMember(cfg server.Config, log *zap.Logger) error {
	began := time.Now()
	m, err := a.start(cfg)
	if err != nil {
		return a.startError(&cfg, err)
	}
	systemd := a.newSupervisor(log)
	defer systemd.close()
	failure := a.wait(m, cfg.MemberID, log, began, systemd)
	systemd.tell(daemon.SdNotifyStopping)
	if err := m.Close(); err != nil && failure == nil {
		failure = &exitError{exitFailed, fmt.Errorf("stop: %w", err)}
	}
	if failure == nil {
		log.Info("stopped")
	}
	return failure
}

// wait blocks until a signal arrives or the member fails.
func (a *app) wait(m member, id uint64, log *zap.Logger, began time.Time, systemd *supervisor) error {
	addr := server.Off
	if at := m.ClientAddr(); at != nil {
		addr = at.String()
	}
	log.Info("started", zap.Uint64("member", id), zap.String("clients", addr))
	// That the ports are open is what systemd waits for: the members of an ensemble
	// are started one after the other, and the first has no quorum until the next.
	systemd.tell(daemon.SdNotifyReady + "\nSTATUS=waiting for a quorum, clients at " + addr)
	ready := m.Ready()
	for {
		select {
		case <-systemd.due():
			systemd.tell(daemon.SdNotifyWatchdog)
		case <-ready:
			systemd.tell("STATUS=serving clients at " + addr)
			log.Info("ready", zap.Uint64("member", id), zap.String("clients", addr), zap.Duration("took", time.Since(began)))
			ready = nil
		case sig := <-a.stop:
			log.Info("stopping", zap.Stringer("signal", sig))
			return nil
		case err := <-m.Failed():
			return &exitError{exitFailed, fmt.Errorf("member %d stops: %w", id, err)}
		}
	}
}

// startError gives a failed start its exit code and, where it is known, a
// remedy.
func (a *app) startError(cfg *server.Config, err error) error {
	if addr, ok := addressInUse(err); ok {
		return fmt.Errorf("port %s is in use, perhaps by ZooKeeper or another Holt: stop that one (to find it: ss -ltnp), or take another port", addr)
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return err
	}
	return &exitError{exitFailed, fmt.Errorf("%w (data in %s)", err, cfg.DataDir)}
}
