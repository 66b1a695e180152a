package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestSystemdIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		stop := make(chan os.Signal, 1)
		w.app.stop = stop
		w.app.watchdog = func() (time.Duration, error) { return 30 * time.Second, nil }
		w.onStart = func(m *fakeMember) error {
			m.ready = make(chan struct{})
			go func() {
				time.Sleep(15 * time.Second)
				close(m.ready)
				time.Sleep(10 * time.Second)
				stop <- syscall.SIGTERM
			}()
			return nil
		}
		w.check(t, []string{"serve", w.file(t, sample)}, 0, "", "stopped")
		want := []string{
			"READY=1\nSTATUS=waiting for a quorum, clients at 127.0.0.1:2181", "WATCHDOG=1",
			"STATUS=serving clients at 127.0.0.1:2181", "WATCHDOG=1", "STOPPING=1",
		}
		if got := strings.Join(w.told, "|"); got != strings.Join(want, "|") {
			t.Errorf("told %q, want %q", w.told, want)
		}
	})
}

func TestSystemdDoesNotListen(t *testing.T) {
	w := newWorld()
	w.stop <- syscall.SIGTERM
	w.app.notify = func(string) error { return errors.New("connection refused") }
	w.check(t, []string{"serve", w.file(t, sample)}, 0, "", "systemd cannot be told")
	if n := strings.Count(w.stderr.String(), "cannot be told"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// TestNotifySocket is a process that tells the socket systemd gives it.
func TestNotifySocket(t *testing.T) {
	dir := t.TempDir()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "notify"))
	cfg := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(cfg, []byte("dataDir="+dir+"/data\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, "serve", cfg)
	expect := func(prefix string) {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := socket.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), prefix) {
			t.Fatalf("told %q, %v; want %q", b[:n], err, prefix)
		}
	}
	expect("READY=1\n")
	expect("STATUS=serving")
	p.stop(syscall.SIGTERM)
	expect("STOPPING=1")
}

// TestUnit has systemd read the unit, and this command the line that starts it.
func TestUnit(t *testing.T) {
	text := read(t, "packaging/holt.service")
	_, start, ok := strings.Cut(text, "\nExecStart=")
	start, _, _ = strings.Cut(start, "\n")
	words := strings.Fields(start)
	if !ok || len(words) < 2 || words[0] != "/usr/bin/holt" {
		t.Fatalf("ExecStart is %q", start)
	}
	cmd, _, err := newWorld().app.newRoot().Find(words[1:])
	if err != nil || cmd.Name() != "serve" {
		t.Errorf("%q is the command %v, %v", start, cmd.Name(), err)
	}

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd is not here; to have it read the unit: apt-get install systemd")
	}
	unit := filepath.Join(t.TempDir(), "holt.service")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(unit, bytes.ReplaceAll([]byte(text), []byte("/usr/bin/holt"), []byte(self)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("holt.service")) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
