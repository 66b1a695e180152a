package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holt/server/secure/securetest"
)

func TestCommandLineOfScripts(t *testing.T) {
	for _, tc := range []struct{ argv, want string }{
		{"holt serve zoo.cfg", "serve zoo.cfg"},
		{"/usr/bin/zkServer.sh start", "zkserver start"},
		{"./zkServer.sh --config /etc status", "zkserver --config /etc status"},
		{"zkServer-initialize.sh --myid=1", "zkserver-initialize --myid=1"},
		{"zkServer.sh", "zkserver"},
	} {
		if got := strings.Join(commandLine(strings.Fields(tc.argv)), " "); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.argv, got, tc.want)
		}
	}
}

// TestZkServer runs an installed zkServer.sh with real servers behind it.
func TestZkServer(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	t.Setenv(runAsHolt, "1")
	if out, err := exec.Command(os.Args[0], "install-scripts", bin).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(dir, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	cfg := fmt.Sprintf("dataDir=%s/data\nclientPort=%d\nclientPortAddress=127.0.0.1\n", dir, port)
	if err := os.WriteFile(filepath.Join(dir, "conf", "zoo.cfg"), []byte(cfg), 0o644); err != nil {
		t.Fatal(err)
	}
	script := func(args string) string {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, "zkServer.sh"), strings.Fields(args)...)
		out, err := cmd.Output()
		if err != nil {
			return fmt.Sprintf("%s%v\n", out, err)
		}
		return string(out)
	}
	expect := func(args, want string) {
		t.Helper()
		if got := script(args); got != want {
			out, _ := filepath.Glob(filepath.Join(dir, "logs", "*.out"))
			log, _ := os.ReadFile(strings.Join(out, ""))
			t.Fatalf("%s: got %q, want %q\n%s", args, got, want, log)
		}
	}
	where := fmt.Sprintf("Client port found: %d. Client address: 127.0.0.1. Client SSL: false.\n", port)
	expect("status", where+"Error contacting service. It is probably not running.\nexit status 1\n")
	expect("start", "Starting zookeeper ... STARTED\n")
	t.Cleanup(func() { script("stop") }) // if the test ends early
	expect("status", where+"Mode: standalone\n")
	expect("restart", "Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n")
	expect("status", where+"Mode: standalone\n")
	bad := filepath.Join(dir, "conf", "bad.cfg")
	if err := os.WriteFile(bad, []byte(cfg+"tickTime=none\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	expect("restart bad.cfg", "Restarting zookeeper ... FAILED TO RESTART\nexit status 1\n")
	expect("status", where+"Mode: standalone\n")
	expect("stop", "Stopping zookeeper ... STOPPED\n")
	expect("start bad.cfg", "Starting zookeeper ... FAILED TO START\nexit status 1\n")
	expect("status", where+"Error contacting service. It is probably not running.\nexit status 1\n")

	p := startProcess(t, "zkserver", "--config", filepath.Join(dir, "conf"), "start-foreground")
	p.waitLine("\tready\t")
	expect("status", where+"Mode: standalone\n")
	p.stop(syscall.SIGTERM)
}

func TestInstallScripts(t *testing.T) {
	w, dir := newWorld(), filepath.Join(t.TempDir(), "bin")
	w.check(t, []string{"install-scripts", dir}, 0, filepath.Join(dir, "zkServer.sh")+" -> ", "zkCli.sh: not made: ")
	w = newWorld()
	w.check(t, []string{"install-scripts", dir}, 0, "", "") // again: nothing to do
	if w.stdout.Len() > 0 {
		t.Errorf("made again: %s", w.stdout.String())
	}
	if err := os.Remove(filepath.Join(dir, "zkServer.sh")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "zkServer.sh"), []byte("the original"), 0o755); err != nil {
		t.Fatal(err)
	}
	newWorld().check(t, []string{"install-scripts", dir}, 1, "", "file exists; remove it, or take another directory")
	newWorld().check(t, []string{"install-scripts"}, 2, "", "takes a directory, got 0 arguments")
}

// TestZkServerStatusTLS asks a server that has a TLS port and no other.
func TestZkServerStatusTLS(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	ca := securetest.New(t, "CA")
	keys, trust := ca.KeyStore(t, securetest.Template("server")), ca.TrustStore(t)
	cfg := filepath.Join(dir, "zoo.cfg")
	text := fmt.Sprintf("dataDir=%s/data\nsecureClientPort=%d\nsecureClientPortAddress=127.0.0.1\nadmin.enableServer=false\nssl.keyStore.location=%s\nssl.trustStore.location=%s\n", dir, port, keys, trust)
	if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, "serve", cfg)
	p.waitLine("\tready\t")
	status := func(flags string) (int, string) {
		w := newWorld()
		w.env["CLIENT_JVMFLAGS"] = flags
		code := w.app.run([]string{"zkserver", "status", cfg})
		return code, w.stdout.String()
	}
	flags := "-Dzookeeper.client.secure=true -Dzookeeper.ssl.trustStore.location=" + trust + " -Dzookeeper.ssl.keyStore.location=" + keys
	if code, out := status(flags); code != 0 || !strings.HasSuffix(out, "Client SSL: true.\nMode: standalone\n") {
		t.Errorf("with certificates: exit code %d\n%s", code, out)
	}
	for _, flags := range []string{"", "-Dzookeeper.ssl.trustStore.location=" + trust} {
		if code, out := status(flags); code != 1 || !strings.HasSuffix(out, "Error contacting service. It is probably not running.\n") {
			t.Errorf("with flags %q: exit code %d\n%s", flags, code, out)
		}
	}
	p.stop(syscall.SIGTERM)
}
