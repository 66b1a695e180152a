package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holt/server"
)

// stoppedMember makes a member's data.
func stoppedMember(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := server.Start(server.Config{DataDir: dir, ClientAddr: server.Off})
	if err != nil {
		t.Fatal(err)
	}
	<-s.Ready()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// damage turns a bit in the middle of the largest of the files.
func damage(t *testing.T, pattern string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var b []byte
	for _, n := range names {
		if text, err := os.ReadFile(n); err != nil {
			t.Fatal(err)
		} else if len(text) > len(b) {
			name, b = n, text
		}
	}
	if len(b) == 0 {
		t.Fatal("nothing is at " + pattern)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDataExitCodes: import, export and backup say the same of like things.
func TestDataExitCodes(t *testing.T) {
	member, empty, other := stoppedMember(t), t.TempDir(), t.TempDir()
	work := t.TempDir()
	in := func(name string) string { return filepath.Join(work, name) }
	done := func(args ...string) {
		t.Helper()
		newWorld().check(t, args, 0, "", "")
	}
	if err := os.WriteFile(filepath.Join(other, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	done("export", "--from", member, "--to-zookeeper", in("zk"))
	done("export", "--from", member, "--to-zookeeper", in("zk-damaged"))
	damage(t, in("zk-damaged/version-2/snapshot.*"))
	for _, to := range []string{"backup", "backup-damaged", "backup-gone", "backup-list"} {
		done("backup", "create", "--from", member, "--to", in(to), "--rate", "0")
	}
	damage(t, in("backup-damaged/files/*/*"))
	damage(t, in("backup-list/sets/*"))
	if err := os.RemoveAll(in("backup-gone/files")); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		code int
		args string
	}{
		{2, "import --from-zookeeper " + empty + " --to " + in("a")},
		{2, "import --from-zookeeper " + in("zk") + " --to " + member},
		{3, "import --from-zookeeper " + in("zk-damaged") + " --to " + in("b")},
		{2, "export --from " + empty + " --to-zookeeper " + in("c")},
		{2, "export --from " + member + " --to-zookeeper " + in("zk")},
		{2, "backup create --from " + empty + " --to " + in("d")},
		{2, "backup create --from " + member + " --to " + other},
		{2, "backup list " + empty},
		{3, "backup list " + in("backup-list")},
		{2, "backup verify " + empty},
		{2, "backup verify --backup none " + in("backup")},
		{3, "backup verify " + in("backup-damaged")},
		{3, "backup verify " + in("backup-gone")},
		{3, "backup verify " + in("backup-list")},
		{2, "backup restore " + empty + " --to " + in("e")},
		{2, "backup restore --backup none " + in("backup") + " --to " + in("f")},
		{2, "backup restore " + in("backup") + " --to " + member},
		{3, "backup restore " + in("backup-damaged") + " --to " + in("g")},
		{3, "backup restore " + in("backup-gone") + " --to " + in("h")},
		{0, "backup restore " + in("backup") + " --to " + in("i")},
	} {
		newWorld().check(t, strings.Fields(tc.args), tc.code, "", "")
	}
}
