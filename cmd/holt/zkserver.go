package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holt/cmd/holt/internal/zkserver"
	"holt/cmd/internal/clientcfg"
	"holt/server/admin"
)

// scripts are the names under which this command is one of ZooKeeper's scripts,
// and the subcommand that it is then.
var scripts = [...]struct{ name, command string }{
	{"zkServer.sh", "zkserver"},
	{"zkServer-initialize.sh", "zkserver-initialize"},
}

// commandLine is the command line for argv: one that begins with the name of a
// script, as a link to this command has, is that of the subcommand.
func commandLine(argv []string) []string {
	for _, script := range scripts {
		if filepath.Base(argv[0]) == script.name {
			return append([]string{script.command}, argv[1:]...)
		}
	}
	return argv[1:]
}

func (a *app) newZkServer() *cobra.Command {
	return &cobra.Command{
		Use:   "zkserver [--config DIR] {start|start-foreground|stop|restart|status|version|print-cmd} [zoo.cfg]",
		Short: "zkServer.sh: start a server in the background, stop it, ask for its mode",
		Long: `zkServer.sh of ZooKeeper 3.9 for Holt: the same arguments, environment, files,
texts and exit codes. holt install-scripts DIR makes a command of that name.`,
		Example: `  holt zkserver --config /etc/zookeeper start
  holt zkserver status /etc/zookeeper/zoo.cfg`,
		DisableFlagParsing: true, // the script has its own way with them
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
				return cmd.Help()
			}
			script, err := a.script("holt zkserver")
			if err != nil {
				return err
			}
			return exitWith(script.Run(args))
		},
	}
}

func (a *app) newZkServerInitialize() *cobra.Command {
	return &cobra.Command{
		Use:                "zkserver-initialize [--configfile=zoo.cfg] [--myid=N] [--force]",
		Short:              "zkServer-initialize.sh: make the directories of a new server and write its id",
		Hidden:             true, // beside zkserver; it is installed with the scripts
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			script, err := a.script("holt zkserver-initialize")
			if err != nil {
				return err
			}
			return exitWith(script.Initialize(args))
		},
	}
}

// script is a run of one of the scripts with the world of a.
func (a *app) script(name string) (*zkserver.Script, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the holt command: %w", err)
	}
	bin := filepath.Dir(self)
	for _, script := range scripts {
		if filepath.Base(a.argv0) == script.name {
			name = a.argv0
			if found, err := exec.LookPath(name); err == nil {
				bin = filepath.Dir(found)
			}
		}
	}
	version, built := admin.BuildVersion()
	version = admin.Compatible + "-holt-" + version
	if !built.IsZero() {
		version += " " + built.UTC().Format("2006-01-02 15:04 MST")
	}
	return &zkserver.Script{
		Name: name, BinDir: bin, Environ: a.environ(), Executable: self,
		Version: version,
		Serve: func(args, environ []string) int {
			inner := *a
			inner.getenv = lookupIn(environ)
			return inner.run(append([]string{"serve"}, args...))
		},
		Check: func(args, environ []string, report io.Writer) int {
			inner := *a
			inner.getenv, inner.stdout, inner.stderr = lookupIn(environ), io.Discard, report
			return inner.run(append([]string{"serve", "--check"}, args...))
		},
		Ask:    askWord,
		Stdout: a.stdout, Stderr: a.stderr,
	}, nil
}

func lookupIn(environ []string) func(string) string {
	return func(name string) string {
		for _, variable := range environ {
			if value, ok := strings.CutPrefix(variable, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

const (
	// askTimeout is how long a server may take to answer a four-letter word.
	// ZooKeeper: FourLetterWordMain
	askTimeout = 5 * time.Second
	// answerBytesMax is far more than the answers that are asked for here.
	answerBytesMax = 1 << 20
)

// askWord sends a four-letter word to addr, with TLS if flags, those of a JVM for clients, are
// not nil, as they say it.
func askWord(addr, word string, flags []string) (string, error) {
	client, err := clientcfg.Load("", clientcfg.Flags{TLS: flags != nil}, flags...)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	c, err := client.Dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(c, answerBytesMax))
	return string(answer), err
}

func (a *app) newInstallScripts() *cobra.Command {
	return &cobra.Command{
		Use:   "install-scripts DIR",
		Short: "Make zkServer.sh, zkServer-initialize.sh and zkCli.sh in a directory",
		Long: `Make links of the names of ZooKeeper's scripts in a directory: zkServer.sh and
zkServer-initialize.sh to this command, and zkCli.sh to the zkcli beside it.
What has such a name already and is no such link is left alone.`,
		Example: `  holt install-scripts /usr/local/bin`,
		Args:    exactly(1, "a directory"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.installScripts(args[0]) },
	}
}

func (a *app) installScripts(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the holt command: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	links := map[string]string{"zkCli.sh": filepath.Join(filepath.Dir(self), "zkcli")}
	for _, script := range scripts {
		links[script.name] = self
	}
	for _, name := range []string{"zkServer.sh", "zkServer-initialize.sh", "zkCli.sh"} {
		target, path := links[name], filepath.Join(dir, name)
		if _, err := os.Stat(target); err != nil {
			fmt.Fprintf(a.stderr, "%s: not made: %v\n", path, err)
			continue
		}
		if at, err := os.Readlink(path); err == nil && at == target {
			continue
		}
		if err := os.Symlink(target, path); err != nil {
			return fmt.Errorf("%w; remove it, or take another directory", err)
		}
		if _, err := fmt.Fprintf(a.stdout, "%s -> %s\n", path, target); err != nil {
			return err
		}
	}
	return nil
}

// exitWith ends with an exit code about which all has been said.
func exitWith(code int) error {
	if code == 0 {
		return nil
	}
	return &exitError{code: code}
}

// exactly is cobra's ExactArgs with the exit code of a wrong command line.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError("%s takes %s, got %d arguments", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}
