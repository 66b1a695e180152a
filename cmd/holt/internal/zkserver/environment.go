package zkserver

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"holt/server/zoocfg"
)

// Script is one run of zkServer.sh or zkServer-initialize.sh.
type Script struct {
	// Name is what usage lines call the script, as $0.
	Name string
	// BinDir is the directory the script was called in; ../conf is the conf dir
	// if nothing else says so.
	BinDir string
	// Environ are the variables of the process, as of os.Environ.
	Environ []string
	// Executable is the holt command that start runs.
	Executable string
	// Version is what the command version calls this server.
	Version string
	// Serve runs a server in this process until it ends, with arguments as of
	// holt serve and the variables environ; it returns the exit code.
	Serve func(args, environ []string) int
	// Check says on report what is wrong with the configuration that Serve would run with, and returns
	// the exit code that it would have, 0 for none.
	Check func(args, environ []string, report io.Writer) int
	// Ask sends one four-letter word to a server and returns the answer. With
	// flags that are not nil, the JVM's for clients, it uses TLS as they say.
	Ask func(addr, word string, flags []string) (string, error)

	Stdout, Stderr io.Writer

	env     map[string]string
	confDir string
	cfg     string // path of zoo.cfg
}

// say and warn write a line to standard output and to standard error.
func (s *Script) say(format string, args ...any)  { fmt.Fprintf(s.Stdout, format+"\n", args...) }
func (s *Script) warn(format string, args ...any) { fmt.Fprintf(s.Stderr, format+"\n", args...) }

// environment settles the conf dir and the variables, and takes --config off the
// arguments. ZooKeeper: zkEnv.sh
func (s *Script) environment(args []string) ([]string, error) {
	s.env = map[string]string{}
	s.setEnv(s.Environ)
	if len(args) > 1 && args[0] == "--config" {
		s.env["ZOOCFGDIR"] = args[1]
		args = args[2:]
	}
	if s.env["ZOOCFGDIR"] == "" {
		s.env["ZOOCFGDIR"] = filepath.Join(s.BinDir, "..", "etc", "zookeeper")
		if conf := filepath.Join(s.BinDir, "..", "conf"); exists(conf) {
			s.env["ZOOCFGDIR"] = conf
		}
	}
	s.confDir = s.env["ZOOCFGDIR"]
	for _, name := range []string{"zookeeper-env.sh", "java.env"} {
		if err := s.source(filepath.Join(s.confDir, name)); err != nil {
			return nil, err
		}
	}
	s.cfg = s.inConfDir(s.env["ZOOCFG"])
	if s.env["ZOO_LOG_DIR"] == "" {
		s.env["ZOO_LOG_DIR"] = filepath.Join(s.BinDir, "..", "logs")
	}
	return args, nil
}

// inConfDir is a configuration file by name, in the conf dir unless the name is a
// longer path.
func (s *Script) inConfDir(name string) string {
	switch {
	case name == "":
		name = "zoo.cfg"
	case strings.Contains(name, "/"):
		return name
	}
	return filepath.Join(s.confDir, name)
}

func (s *Script) setEnv(environ []string) {
	for _, variable := range environ {
		if name, value, ok := strings.Cut(variable, "="); ok {
			s.env[name] = value
		}
	}
}

func (s *Script) environ() []string {
	var environ []string
	for name, value := range s.env {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// source runs a file of shell assignments, if it is there, and takes over the
// variables it leaves behind, exported or not.
func (s *Script) source(path string) error {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	shell, err := exec.LookPath("bash")
	if err != nil {
		shell = "/bin/sh"
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	cmd := exec.Command(shell, "-c", `set -a; . "$1" 1>&2; exec env -0`, s.Name, absolute)
	cmd.Env, cmd.Stderr = s.environ(), s.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("read %s by %s: %w; mend the file, or put the variables into the environment", path, shell, err)
	}
	for variable := range bytes.SplitSeq(out, []byte{0}) {
		s.setEnv([]string{string(variable)})
	}
	return nil
}

// settings are the raw values of zoo.cfg, right or wrong, by key.
func (s *Script) settings() (map[string]string, error) {
	return zoocfg.Values(s.cfg)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
