//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"

	"holt/server"
)

// person sits at a terminal in which the program runs.
type person struct {
	t      *testing.T
	keys   *os.File
	mu     sync.Mutex
	screen strings.Builder // since the last see
	grown  chan struct{}   // something was added to screen
}

// openPTY returns both ends of a new pseudo terminal.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

func newPerson(t *testing.T, master *os.File) *person {
	p := &person{t: t, keys: master, grown: make(chan struct{}, 1)}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			p.mu.Lock()
			p.screen.Write(b[:n])
			p.mu.Unlock()
			select {
			case p.grown <- struct{}{}:
			default:
			}
			if err != nil {
				return // the terminal is gone
			}
		}
	}()
	return p
}

func (p *person) types(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.keys, keys); err != nil {
		p.t.Fatal(err)
	}
}

// sees waits until text is on the screen, and forgets what was there up to it.
func (p *person) sees(text string) string {
	p.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		p.mu.Lock()
		screen := p.screen.String()
		if i := strings.Index(screen, text); i >= 0 {
			p.screen.Reset()
			p.screen.WriteString(screen[i+len(text):])
			p.mu.Unlock()
			return screen[:i]
		}
		p.mu.Unlock()
		select {
		case <-p.grown:
		case <-deadline:
			p.t.Fatalf("%q does not appear; the screen is %q", text, screen)
		}
	}
}

// startServer starts a server on a port and returns its address.
func startServer(t testing.TB) string {
	t.Helper()
	s, err := server.Start(server.Config{DataDir: "data", FS: vfs.NewMem(), ClientAddr: "127.0.0.1:0", TickMillis: 500})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	return s.ClientAddr().String()
}

// TestTerminal is a session of somebody at a keyboard.
func TestTerminal(t *testing.T) {
	address := startServer(t)
	history := filepath.Join(t.TempDir(), "state", "history")
	env := map[string]string{"ZKCLI_HISTORY": history, "TERM": "xterm"}
	master, slave := openPTY(t)
	defer slave.Close()
	defer master.Close()
	a := newApp(slave, slave, slave, func(name string) string { return env[name] })
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.run(context.Background(), []string{"-server", address})
	}()
	p := newPerson(t, master)

	prompt := func(n int) string {
		return fmt.Sprintf("[zk: %s(\x1b[32mCONNECTED\x1b[0m) %d] ", address, n)
	}
	const up, ctrlA, ctrlC, ctrlD, ctrlR = "\x1b[A", "\x01", "\x03", "\x04", "\x12"
	p.sees("JLine support is enabled")
	p.sees(prompt(0))

	p.types("cre\t") // a command
	p.sees("create ")
	p.types("/alpha one\r")
	p.sees("Created /alpha")
	p.sees(prompt(1))
	p.types("create /alphabet two\r")
	p.sees(prompt(2))

	p.types("get /al\t") // a path, as far as it is clear
	p.sees("get /alpha")
	p.types("\t") // and what may follow
	p.sees("alpha     alphabet")
	p.sees("get /alpha")
	p.types("b\t\r")
	p.sees("two\r\n")
	p.sees(prompt(3))

	p.types("get -w /alpha\r")
	p.sees("one\r\n")
	p.sees(prompt(4))
	p.types("unfinished")
	p.sees("unfinished")
	other := newApp(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" })
	other.run(context.Background(), []string{"-server", address, "set", "/alpha", "changed"})
	p.sees("WatchedEvent state:SyncConnected type:NodeDataChanged path:/alpha")
	p.sees(prompt(4) + "unfinished") // the line is there again, below the event
	p.types(ctrlC)                   // and is dropped

	p.types(up + "\r")
	p.sees("get -w /alpha")
	p.sees("changed\r\n")
	p.sees(prompt(5))
	p.types("alphabet" + ctrlR) // the last line with that
	p.sees("get /alphabet")
	p.types(ctrlR + ctrlR + "\r") // the one before it, and then there is none
	p.sees("Node already exists: /alphabet")
	p.sees(prompt(6))

	p.types("addauth digest me:secret\r")
	p.sees(prompt(7))
	p.types(" whoami\r")
	p.sees("digest: me")
	p.sees(prompt(8))
	p.types("bogus" + ctrlA + "x\r")
	p.sees("Command not found xbogus")
	p.sees(prompt(9))
	p.types(ctrlD)
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("Ctrl-D does not end the program")
	}
	if a.exitCode != 127 {
		t.Errorf("exit code %d, want that of the last command", a.exitCode)
	}
	text, err := os.ReadFile(history)
	if err != nil {
		t.Fatal(err)
	}
	const want = "create /alpha one\ncreate /alphabet two\nget /alphabet\nget -w /alpha\ncreate /alphabet two\nxbogus\n"
	if string(text) != want {
		t.Errorf("history\n%s\nwant\n%s", text, want)
	}
	if info, err := os.Stat(history); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("history file: %v, %v", info.Mode(), err)
	}
}
