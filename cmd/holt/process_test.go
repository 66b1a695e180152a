package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// process is a holt command in a process of its own: this test binary, which
// TestMain turns into holt.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *bufio.Reader
}

const patience = 30 * time.Second

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	p := &process{t: t, cmd: exec.CommandContext(ctx, os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), runAsHolt+"=1")
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	diag, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout, p.stderr = bufio.NewReader(out), bufio.NewReader(diag)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// waitLine reads the log until a line contains text.
func (p *process) waitLine(text string) {
	p.t.Helper()
	var all strings.Builder
	for {
		line, err := p.stderr.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			p.t.Fatalf("no %q in the log: %v\n%s", text, err, all.String())
		}
	}
}

// end waits for the process and returns its exit code and the rest of its log.
func (p *process) end() (code int, log string) {
	p.t.Helper()
	rest, err := io.ReadAll(p.stderr)
	if err != nil {
		p.t.Error(err)
	}
	if _, err := io.Copy(io.Discard, p.stdout); err != nil {
		p.t.Error(err)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode(), string(rest)
}

// stop sends a signal after which the process must end with code 0.
func (p *process) stop(sig os.Signal) (log string) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	code, log := p.end()
	if code != 0 {
		p.t.Errorf("exit code %d after %v\n%s", code, sig, log)
	}
	return log
}

// kill ends the process as a power failure would.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.end()
}

// connect makes a go-zookeeper client that has a session.
func connect(t *testing.T, addrs ...string) *zk.Conn {
	t.Helper()
	c, events, err := zk.Connect(addrs, 10*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	timeout := time.After(patience)
	for {
		select {
		case e := <-events:
			if e.State == zk.StateHasSession {
				return c
			}
		case <-timeout:
			t.Fatalf("no session at %v", addrs)
		}
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

func create(t *testing.T, c *zk.Conn, path, data string) {
	t.Helper()
	if _, err := c.Create(path, []byte(data), 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatalf("create %s: %v", path, err)
	}
}

func expect(t *testing.T, c *zk.Conn, path, want string) {
	t.Helper()
	if got, _, err := c.Get(path); err != nil || string(got) != want {
		t.Errorf("get %s: %q, %v; want %q", path, got, err, want)
	}
}

func fourLetterWord(t *testing.T, addr, word string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(word)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// readyLine is what dev -o json says.
type readyLine struct {
	Clients   []string
	Brokers   []string
	Data      string
	Temporary bool
}

func (p *process) ready() (r readyLine) {
	p.t.Helper()
	line, err := p.stdout.ReadBytes('\n')
	if err != nil {
		_, log := p.end()
		p.t.Fatalf("%v\n%s", err, log)
	}
	if err := json.Unmarshal(line, &r); err != nil {
		p.t.Fatalf("%v in %s", err, line)
	}
	return r
}

func TestDevProcess(t *testing.T) {
	p := startProcess(t, "dev", "--port", "0", "--kafka-port", "0", "-o", "json")
	r := p.ready()
	if len(r.Clients) != 1 || len(r.Brokers) != 0 || !r.Temporary {
		t.Fatalf("ready: %+v", r)
	}
	c := connect(t, r.Clients[0])
	create(t, c, "/hello", "world")
	expect(t, c, "/hello", "world")
	if got := fourLetterWord(t, r.Clients[0], "stat"); !strings.Contains(got, "\nMode: standalone\nNode count: 6\n") {
		t.Errorf("stat: %s", got)
	}
	c.Close()
	p.stop(syscall.SIGINT)
	if _, err := os.Stat(r.Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary directory is still there: %v", err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestServeProcess(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	cfg := filepath.Join(dir, "zoo.cfg")
	text := fmt.Sprintf("tickTime=500\ndataDir=%s\ndataLogDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n",
		filepath.Join(dir, "data"), filepath.Join(dir, "log"), port)
	if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ends := []func(*process){
		func(p *process) { p.stop(syscall.SIGTERM) },
		func(p *process) { p.kill() },
		func(p *process) { p.stop(syscall.SIGINT) },
	}
	for round, end := range ends {
		p := startProcess(t, "serve", cfg)
		p.waitLine("\tready\t")
		c := connect(t, addr)
		create(t, c, fmt.Sprintf("/round-%d", round), fmt.Sprint(round))
		for earlier := range round {
			expect(t, c, fmt.Sprintf("/round-%d", earlier), fmt.Sprint(earlier))
		}
		c.Close()
		if round == 0 {
			second := startProcess(t, "serve", cfg)
			if code, log := second.end(); code != 1 || !strings.Contains(log, fmt.Sprintf("port %s is in use", addr)) {
				t.Errorf("a second server on the port: exit code %d\n%s", code, log)
			}
		}
		end(p)
	}
}

func TestServeExitCodes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("file", "not a directory")
	for _, tc := range []struct {
		cfg, log string
		code     int
	}{
		{"dataDir=" + dir + "\nclientPort=x\n", `:2: clientPort=x: not a whole number`, 2},
		{fmt.Sprintf("dataDir=%s\nclientPort=%d\n", file, freePort(t)), "not a directory", 3},
		{fmt.Sprintf("dataDir=%s/none\nclientPort=%d\ndatadir.autocreate=false\n", dir, freePort(t)), "no such file or directory; mount or make it", 3},
	} {
		p := startProcess(t, "serve", write("zoo.cfg", tc.cfg))
		if code, log := p.end(); code != tc.code || !strings.Contains(log, tc.log) {
			t.Errorf("%q: exit code %d, want %d and %q\n%s", tc.cfg, code, tc.code, tc.log, log)
		}
	}
}

// TestDevEnsembleProcess: three members form an ensemble, find their data again, and have nothing to warn
// of although they start one after the other.
func TestDevEnsembleProcess(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 {
		p := startProcess(t, "dev", "-n", "3", "--port", "0", "--data", dir, "-o", "json")
		r := p.ready()
		if len(r.Clients) != 3 {
			t.Fatalf("ready: %+v", r)
		}
		modes := map[string]int{}
		for i, addr := range r.Clients {
			_, mode, _ := strings.Cut(fourLetterWord(t, addr, "srvr"), "Mode: ")
			mode, _, _ = strings.Cut(mode, "\n")
			modes[mode]++
			c := connect(t, addr)
			if _, err := c.Sync("/"); err != nil {
				t.Errorf("sync at member %d: %v", i+1, err)
			}
			create(t, c, fmt.Sprintf("/round-%d-%d", round, i), "x")
			expect(t, c, "/round-0-0", "x")
			c.Close()
		}
		if modes["leader"] != 1 || modes["follower"] != 2 {
			t.Errorf("modes %v", modes)
		}
		if log := p.stop(syscall.SIGTERM); strings.Contains(log, "refused") {
			t.Errorf("members warn of each other:\n%s", log)
		}
	}
}
