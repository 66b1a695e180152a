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

// TestBrokerPage runs what docs/broker.md tells readers to type: each block marked sh, in
// order, in one directory, against holt dev -n 3. It reads the page's server.properties too.
func TestBrokerPage(t *testing.T) {
	const page = "../../docs/broker.md"
	dir := t.TempDir()
	holt := filepath.Join(dir, "bin", "holt")
	if err := os.MkdirAll(filepath.Dir(holt), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(holt, []byte("#!/bin/sh\n"+runAsHolt+"=1 exec '"+self+"' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
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
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(holt)+":"+os.Getenv("PATH"), "KAFKA_BROKERS="+strings.Join(r.Brokers, ","))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v in\n%s\n%s", err, script, out)
		}
	}
	p.stop(syscall.SIGTERM)
}
