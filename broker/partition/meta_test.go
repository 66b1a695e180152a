package partition

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSession: the session of the process that had a directory is there for the next one, but not in a
// copy of the directory; keys of others stay.
func TestSession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, fileMeta)
	if err := os.WriteFile(file, []byte("version=0\nbroker.id=3\ndirectory.id=x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	session := func(path string) int64 {
		t.Helper()
		d, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		id, err := d.Session()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SetSession(id - 5); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		return id
	}
	if a, b, c := session(path), session(path), session(path); a != 0 || b != -5 || c != -10 {
		t.Errorf("%d, %d, %d", a, b, c)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"broker.id=3\n", "directory.id=x\n", "holt.session=-0xf@"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	other := filepath.Join(t.TempDir(), "b")
	if err := os.CopyFS(other, os.DirFS(path)); err != nil {
		t.Fatal(err)
	}
	if id := session(other); id != 0 {
		t.Errorf("a copy's session is %#x", id)
	}
}
