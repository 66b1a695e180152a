package zkserver

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// startWatch is how long start watches whether the server ends at once.
	startWatch = time.Second
	// stopWait is how long stop waits for the end of the server.
	stopWait = 30 * time.Second
	// pollEvery is the time between two looks at a process.
	pollEvery = 20 * time.Millisecond
)

// Run runs zkServer.sh with its arguments and returns the exit code.
func (s *Script) Run(args []string) int {
	args, err := s.environment(args)
	if err != nil {
		s.warn("%v", err)
		return 1
	}
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	if len(args) > 1 && args[1] != "" {
		s.cfg = s.inConfDir(args[1])
	}
	s.warn("Using config: %s", s.cfg)
	settings, err := s.settings()
	if err != nil {
		s.warn("%v", err)
	}
	switch command {
	case "version":
		s.say("Apache ZooKeeper, version %s", s.Version)
		return 0
	case "status":
		return s.status(settings)
	}
	if code := s.directories(settings); code != 0 {
		return code
	}
	switch command {
	case "start":
		return s.start(err == nil)
	case "start-foreground":
		return s.Serve(s.serveArgs()[1:], s.environ())
	case "stop":
		return s.stop()
	case "restart":
		return s.restart()
	case "print-cmd":
		s.printCommand()
		return 0
	}
	s.warn("Usage: %s [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}", s.Name)
	return 0
}

// directories makes what start and stop need, and settles where the pid file is.
func (s *Script) directories(settings map[string]string) int {
	data, log := settings["dataDir"], settings["dataLogDir"]
	if s.env["ZOO_DATADIR_AUTOCREATE_DISABLE"] != "" {
		if !exists(data) {
			s.say("ZooKeeper data directory is missing at %s fix the path or run initialize", data)
			return 1
		}
		if log != "" && !exists(log) {
			s.say("ZooKeeper txnlog directory is missing at %s fix the path or run initialize", log)
			return 1
		}
	}
	if s.env["ZOOPIDFILE"] == "" && data != "" {
		s.env["ZOOPIDFILE"] = filepath.Join(data, "zookeeper_server.pid")
	}
	for _, dir := range []string{filepath.Dir(s.env["ZOOPIDFILE"]), s.env["ZOO_LOG_DIR"]} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			s.warn("%v", err) // what needs it fails next, with the text that scripts know
		}
	}
	return 0
}

// serveArgs is the command line of the server without the executable.
func (s *Script) serveArgs() []string {
	args := []string{"serve"}
	if s.env["ZOO_DATADIR_AUTOCREATE_DISABLE"] != "" {
		args = append(args, "-Dzookeeper.datadir.autocreate=false")
	}
	return append(args, s.cfg)
}

// outPath is the file that the server's output goes to.
func (s *Script) outPath() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return filepath.Join(s.env["ZOO_LOG_DIR"], fmt.Sprintf("zookeeper-%s-server-%s.out", s.env["USER"], host))
}

func (s *Script) printCommand() {
	words := []string{s.Executable}
	words = append(words, s.serveArgs()...)
	for i, word := range words {
		words[i] = `"` + word + `"`
	}
	s.say(`%s >> "%s" 2>&1 < /dev/null`, strings.Join(words, " "), s.outPath())
}

// start starts the server as a process of its own and watches it for a moment.
func (s *Script) start(readable bool) int {
	fmt.Fprint(s.Stdout, "Starting zookeeper ... ")
	pidFile := s.env["ZOOPIDFILE"]
	if pid, err := readPID(pidFile); err == nil && alive(pid) {
		s.say("already running as process %d.", pid)
		return 1
	}
	if !readable {
		s.say("FAILED TO START")
		return 1
	}
	server, before, err := s.launch()
	if err != nil {
		s.say("SERVER DID NOT START")
		s.warn("%v", err)
		return 1
	}
	if err := os.WriteFile(pidFile, []byte(fmt.Sprint(server.Process.Pid)), 0o644); err != nil {
		s.say("FAILED TO WRITE PID")
		s.warn("%v", err)
		s.abandon(server)
		return 1
	}
	if ended(server.Process.Pid, startWatch) {
		s.say("FAILED TO START")
		s.tellOutput(before)
		return 1
	}
	s.say("STARTED")
	// Not waited for: it outlives this process, and is init's from then on.
	if err := server.Process.Release(); err != nil {
		s.warn("%v", err)
		return 1
	}
	return 0
}

// abandon ends a server that was started and whose pid nobody would find.
func (s *Script) abandon(server *exec.Cmd) {
	if err := signalProcess(server.Process.Pid); err != nil {
		s.warn("%v", err)
	}
	if !ended(server.Process.Pid, stopWait) {
		s.warn("process %d has not ended after %v", server.Process.Pid, stopWait)
	}
}

// restart stops the server and starts it again, unless the new one could not start: an operator who
// has made a mistake keeps the server that runs.
func (s *Script) restart() int {
	var report bytes.Buffer
	if code := s.Check(s.serveArgs()[1:], s.environ(), &report); code != 0 {
		fmt.Fprint(s.Stdout, "Restarting zookeeper ... ")
		s.say("FAILED TO RESTART")
		s.warn("%s", bytes.TrimRight(report.Bytes(), "\n"))
		if pid, err := readPID(s.env["ZOOPIDFILE"]); err == nil && alive(pid) {
			s.warn("process %d was not stopped and goes on as before: mend the configuration and restart again", pid)
		}
		return 1
	}
	if code := s.stop(); code != 0 {
		return code
	}
	return s.start(true)
}

// outLinesMax is how much of the output of a server that did not start is shown.
const outLinesMax = 12

// tellOutput shows the end of what a server said that did not start. before is how much was there when it began.
func (s *Script) tellOutput(before int64) {
	text, err := readFrom(s.outPath(), before) // the server has ended, and wrote no more than a start says
	if err != nil {
		s.warn("%v", err)
		return
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if n := len(lines) - outLinesMax; n > 0 {
		lines = lines[n:]
		s.warn("the last lines of %s:", s.outPath())
	}
	for _, line := range lines {
		s.warn("%s", line)
	}
}

func readFrom(path string, offset int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // nothing was written
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// launch starts holt serve in a session of its own, so that it gets no signals of
// this terminal. before is how much was in the file of its output already: that stays, since
// it may say why the last one ended, and whoever rotates the file may cut it off.
func (s *Script) launch() (server *exec.Cmd, before int64, err error) {
	out, err := os.OpenFile(s.outPath(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, 0, err
	}
	defer out.Close() // the child has its own
	info, err := out.Stat()
	if err != nil {
		return nil, 0, err
	}
	cmd := exec.Command(s.Executable, s.serveArgs()...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environ(), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	return cmd, info.Size(), nil
}

func (s *Script) stop() int {
	fmt.Fprint(s.Stdout, "Stopping zookeeper ... ")
	pidFile := s.env["ZOOPIDFILE"]
	if !exists(pidFile) {
		s.say("no zookeeper to stop (could not find file %s)", pidFile)
		return 0
	}
	pid, err := readPID(pidFile)
	if err == nil {
		err = signalProcess(pid)
	}
	if err != nil {
		s.warn("%v", err)
	}
	if err := os.Remove(pidFile); err != nil {
		s.warn("%v", err)
	}
	if pid > 0 && !gone(pid, stopWait) {
		s.say("process %d has not ended after %v", pid, stopWait)
		return 1
	}
	s.say("STOPPED")
	return 0
}
