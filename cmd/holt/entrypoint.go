package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// imageUser is the uid and gid of the server in the official container image.
const imageUser = 1000

func (a *app) newEntrypoint() *cobra.Command {
	return &cobra.Command{
		Use:   "entrypoint [command [arguments]]",
		Short: "What a container runs: zoo.cfg and myid from ZOO_* variables, then the command",
		Long: `What a container runs first. As the official ZooKeeper image does, it writes
$ZOO_CONF_DIR/zoo.cfg from the variables ZOO_* unless there is one, and
$ZOO_DATA_DIR/myid from ZOO_MY_ID unless there is one, and then runs the command,
by default zkServer.sh start-foreground. Run as root it gives the directories to
uid 1000 and goes on as that user.`,
		Example:            `  ZOO_MY_ID=2 ZOO_SERVERS="server.1=a:2888:3888;2181 server.2=b:2888:3888;2181" holt entrypoint`,
		DisableFlagParsing: true, // flags belong to the command
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
				return cmd.Help()
			}
			return a.entrypoint(args)
		},
	}
}

// imageDefaults are the variables as the official image sets them.
var imageDefaults = [...][2]string{
	{"ZOO_CONF_DIR", "/conf"}, {"ZOO_DATA_DIR", "/data"}, {"ZOO_DATA_LOG_DIR", "/datalog"}, {"ZOO_LOG_DIR", "/logs"},
	{"ZOO_TICK_TIME", "2000"}, {"ZOO_INIT_LIMIT", "5"}, {"ZOO_SYNC_LIMIT", "2"},
	{"ZOO_AUTOPURGE_PURGEINTERVAL", "0"}, {"ZOO_AUTOPURGE_SNAPRETAINCOUNT", "3"},
	{"ZOO_MAX_CLIENT_CNXNS", "60"}, {"ZOO_STANDALONE_ENABLED", "true"}, {"ZOO_ADMINSERVER_ENABLED", "true"},
	{"ZOO_SERVERS", "server.1=localhost:2888:3888;2181"}, {"ZOO_MY_ID", "1"},
}

// imageEnv looks a variable up, with the image's defaults.
func (a *app) imageEnv(name string) string {
	if value := a.getenv(name); value != "" {
		return value
	}
	for _, d := range imageDefaults {
		if d[0] == name {
			return d[1]
		}
	}
	return ""
}

// imageConfig is the zoo.cfg that the official image writes.
func (a *app) imageConfig() string {
	var b strings.Builder
	for _, line := range [][2]string{
		{"dataDir", "ZOO_DATA_DIR"}, {"dataLogDir", "ZOO_DATA_LOG_DIR"},
		{"tickTime", "ZOO_TICK_TIME"}, {"initLimit", "ZOO_INIT_LIMIT"}, {"syncLimit", "ZOO_SYNC_LIMIT"},
		{"autopurge.snapRetainCount", "ZOO_AUTOPURGE_SNAPRETAINCOUNT"}, {"autopurge.purgeInterval", "ZOO_AUTOPURGE_PURGEINTERVAL"},
		{"maxClientCnxns", "ZOO_MAX_CLIENT_CNXNS"}, {"standaloneEnabled", "ZOO_STANDALONE_ENABLED"},
		{"admin.enableServer", "ZOO_ADMINSERVER_ENABLED"},
	} {
		fmt.Fprintf(&b, "%s=%s\n", line[0], a.imageEnv(line[1]))
	}
	for _, server := range strings.Fields(a.imageEnv("ZOO_SERVERS")) {
		fmt.Fprintln(&b, server)
	}
	if words := a.getenv("ZOO_4LW_COMMANDS_WHITELIST"); words != "" {
		fmt.Fprintf(&b, "4lw.commands.whitelist=%s\n", words)
	}
	for _, line := range strings.Fields(a.getenv("ZOO_CFG_EXTRA")) {
		fmt.Fprintln(&b, line)
	}
	return b.String()
}

func (a *app) entrypoint(args []string) error {
	if len(args) == 0 {
		args = []string{"zkServer.sh", "start-foreground"}
	}
	data, conf := a.imageEnv("ZOO_DATA_DIR"), a.imageEnv("ZOO_CONF_DIR")
	if filepath.Base(args[0]) == "zkServer.sh" {
		if err := a.giveUpRoot([]string{data, a.imageEnv("ZOO_DATA_LOG_DIR"), a.imageEnv("ZOO_LOG_DIR")}); err != nil {
			return &exitError{exitFailed, err}
		}
	}
	if err := writeOnce(filepath.Join(conf, "zoo.cfg"), a.imageConfig()); err != nil {
		return &exitError{exitFailed, err}
	}
	if err := writeOnce(filepath.Join(data, "myid"), a.imageEnv("ZOO_MY_ID")+"\n"); err != nil {
		return &exitError{exitFailed, err}
	}
	inner := *a
	inner.argv0 = args[0]
	inner.getenv = func(name string) string {
		switch value := a.getenv(name); {
		case name == "ZOOCFGDIR" && value == "":
			return conf
		case name == "ZOO_LOG_DIR":
			return a.imageEnv(name)
		default:
			return value
		}
	}
	inner.environ = func() []string {
		return append(a.environ(), "ZOOCFGDIR="+inner.getenv("ZOOCFGDIR"), "ZOO_LOG_DIR="+inner.getenv("ZOO_LOG_DIR"))
	}
	line := commandLine(args)
	if isScript(args[0]) || filepath.Base(args[0]) == "holt" {
		return exitWith(inner.run(line))
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return fmt.Errorf("%w; name a command of holt, zkServer.sh or another in the image", err)
	}
	return syscall.Exec(path, args, inner.environ())
}

func isScript(name string) bool {
	for _, script := range scripts {
		if filepath.Base(name) == script.name {
			return true
		}
	}
	return false
}

// writeOnce writes a file unless there is one.
func writeOnce(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; mount a directory there that uid %d may write, or the file", err, os.Getuid())
	}
	if _, err := f.WriteString(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// giveUpRoot, called as root, gives the directories to the image's user and goes on
// as that user.
func giveUpRoot(dirs []string) error {
	if os.Getuid() != 0 {
		return nil
	}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, imageUser, imageUser)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("give %s to uid %d: %w", dir, imageUser, err)
		}
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("give up root's groups: %w", err)
	}
	if err := syscall.Setgid(imageUser); err != nil {
		return fmt.Errorf("give up root's group: %w", err)
	}
	if err := syscall.Setuid(imageUser); err != nil {
		return fmt.Errorf("give up root: %w", err)
	}
	return nil
}
