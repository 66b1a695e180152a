package zoocfg

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holt/server/membership"
)

func ensembleOf(t *testing.T, lines string, version uint64) *membership.Ensemble {
	t.Helper()
	e, err := membership.Parse(membership.Text(lines, version))
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

func TestFilesFollowTheEnsemble(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "zoo.cfg")
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), dir, "DIR")
	}
	first := "# ours\ndataDir=" + dir + "\nclientPort=2181\nserver.1=h1:2888:\\\n  3888\npeerType=participant\nserver.2=h2:2888:3888\nreconfigEnabled=true\ntickTime=2000"
	if err := os.WriteFile(path, []byte(first), 0o640); err != nil {
		t.Fatal(err)
	}
	f, err := NewFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Backup(); err != nil {
		t.Fatal(err)
	}
	// The client port stays where it is until the server line says it.
	lines := "server.1=h1:2888:3888:participant\nserver.2=h2:2888:3888:participant"
	if err := f.Update(ensembleOf(t, lines, 0x100000000), 1); err != nil {
		t.Fatal(err)
	}
	if got, want := read("zoo.cfg"), "# ours\ndataDir=DIR\nclientPort=2181\nreconfigEnabled=true\ntickTime=2000\ndynamicConfigFile=DIR/zoo.cfg.dynamic.100000000\n"; got != want {
		t.Errorf("zoo.cfg is %q, want %q", got, want)
	}
	if got := read("zoo.cfg.dynamic.100000000"); got != lines {
		t.Errorf("dynamic file is %q", got)
	}
	if got := read("zoo.cfg.bak"); got != strings.ReplaceAll(first, dir, "DIR") {
		t.Errorf("backup is %q", got)
	}
	lines = "server.10=h10:2888:3888:participant;0.0.0.0:2181\nserver.1=h1:2888:3888:participant;0.0.0.0:2181\nserver.2=h2:2888:3888:observer;0.0.0.0:2181"
	for range 2 { // the second time it changes nothing
		if err := f.Update(ensembleOf(t, lines, 0x100000007), 1); err != nil {
			t.Fatal(err)
		}
		if err := f.Backup(); err != nil { // with a dynamic file there is none to make
			t.Fatal(err)
		}
	}
	if got, want := read("zoo.cfg"), "# ours\ndataDir=DIR\nreconfigEnabled=true\ntickTime=2000\ndynamicConfigFile=DIR/zoo.cfg.dynamic.100000007\n"; got != want {
		t.Errorf("zoo.cfg is %q, want %q", got, want)
	}
	if got := read("zoo.cfg.dynamic.100000007"); got != lines {
		t.Errorf("dynamic file is %q", got)
	}
	if got := read("zoo.cfg.bak"); got != strings.ReplaceAll(first, dir, "DIR") {
		t.Errorf("backup is %q", got)
	}
	if info, err := os.Stat(path + ".dynamic.100000007"); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("permissions: %v %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.tmp")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v %v", left, err)
	}
	// What was written can be read.
	res, err := Read(path, Options{MyID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(len(res.Config.Members), " ", res.Config.ClientAddr); got != "3 0.0.0.0:2181" {
		t.Errorf("read again: %s", got)
	}
}
