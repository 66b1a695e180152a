package main

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holt/compat/target"
)

func getPage(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, resp.Status, err)
	}
	return string(b)
}

// blocks are the code blocks of a page that are marked with a language.
func blocks(t *testing.T, page, language string) []string {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i, part := range strings.Split(string(b), "\n```") {
		if text, ok := strings.CutPrefix(part, language+"\n"); ok && i > 0 {
			all = append(all, text+"\n")
		}
	}
	return all
}

// binWithHolt makes a directory bin in dir with a command holt that is this program.
func binWithHolt(t *testing.T, dir string) (bin string) {
	t.Helper()
	bin = filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "holt"), []byte("#!/bin/sh\n"+runAsHolt+"=1 exec '"+self+"' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return bin
}

// TestReadme runs the first steps of README.md, the blocks marked sh, against holt dev.
func TestReadme(t *testing.T) {
	target.Require(t, target.Tool{Check: []string{"kcat", "-V"}, Package: "kcat"})
	dir := t.TempDir()
	bin := binWithHolt(t, dir)
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "zkcli"), "../zkcli").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := startProcess(t, "dev", "--port", "0", "-o", "json")
	r := p.ready()
	scripts := blocks(t, "../../README.md", "sh")
	if len(scripts) < 2 {
		t.Fatalf("%d blocks of commands", len(scripts))
	}
	here := strings.NewReplacer("127.0.0.1:2181", r.Clients[0], "127.0.0.1:9092", r.Brokers[0])
	var said strings.Builder
	for _, script := range scripts {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", here.Replace(script))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "KAFKA_BROKERS="+r.Brokers[0])
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v in\n%s\n%s", err, script, out)
		}
		said.Write(out)
	}
	for _, want := range []string{"Created /hello", "\nworld\ncZxid = 0x", "├── hello", "\nhello\n", "greetings"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, said.String())
		}
	}
	p.stop(syscall.SIGTERM)
}

// TestBrokerPage runs what docs/broker.md tells readers to type: each block marked sh, in
// order, in one directory, against holt dev -n 3. It reads the page's server.properties too.
func TestBrokerPage(t *testing.T) {
	const page = "../../docs/broker.md"
	dir := t.TempDir()
	bin := binWithHolt(t, dir)
	files := blocks(t, page, "properties")
	if len(files) != 1 {
		t.Fatalf("%d blocks of properties, want 1", len(files))
	}
	if err := os.WriteFile(filepath.Join(dir, "server.properties"), []byte(files[0]), 0o644); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, "dev", "-n", "3", "--port", "0", "-o", "json")
	r := p.ready()
	scripts := blocks(t, page, "sh")
	if len(scripts) < 3 {
		t.Fatalf("%d blocks of commands", len(scripts))
	}
	for _, script := range scripts {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KAFKA_BROKERS="+strings.Join(r.Brokers, ","))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v in\n%s\n%s", err, script, out)
		}
	}
	p.stop(syscall.SIGTERM)
}
