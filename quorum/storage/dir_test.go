package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestMkdirAllSurvives: a directory is durable afterwards, whoever made it. It
// may be there already and not durable: the process before this one was killed
// between making and syncing it.
func TestMkdirAllSurvives(t *testing.T) {
	for _, made := range []string{"", "a", "a/b", "a/b/c"} {
		disk := vfs.NewCrashableMem()
		if made != "" {
			if err := disk.MkdirAll(made, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := MkdirAll(disk, "a/b/c"); err != nil {
			t.Fatalf("with %q: %v", made, err)
		}
		image := disk.CrashClone(vfs.CrashCloneCfg{})
		if _, err := image.Stat("a/b/c"); err != nil {
			t.Errorf("with %q made before: %v", made, err)
		}
	}
}
