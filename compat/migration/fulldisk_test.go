package migration

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// smallDisk mounts one that holds size, as "8m", until the test ends.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small disk")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "none", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small disk here: %v, %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v, %s", err, out)
		}
	})
	return dir
}

// TestFullDisk imports, exports, backs up and restores onto disks that are too small: each ends
// with exit code 3, says why, and leaves nothing that could be taken for whole.
func TestFullDisk(t *testing.T) {
	target.Kind(t)
	bin := must[string](t)(ensemble.BuildHolt(t.Context()))
	from := writeSnapshot(t, 200_000) // 20 MB that do not compress
	full := func(args ...string) {
		t.Helper()
		out, err := exec.Command(bin, args...).CombinedOutput()
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), "no space left on device") {
			t.Errorf("holt %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	data, backups := filepath.Join(t.TempDir(), "data"), filepath.Join(smallDisk(t, "40m"), "backups")

	small := filepath.Join(smallDisk(t, "8m"), "data")
	full("import", "--from-zookeeper", from, "--to", small)
	holt(t, "import", "--from-zookeeper", from, "--to", data)
	out := filepath.Join(smallDisk(t, "8m"), "out")
	full("export", "--from", data, "--to-zookeeper", out)
	for _, dir := range []string{small, filepath.Join(out, "version-2")} {
		for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
			if name := e.Name(); !strings.HasSuffix(name, "Epoch") {
				t.Errorf("%s is left in %s", name, dir)
			}
		}
	}
	holt(t, "backup", "create", "--from", data, "--to", backups, "--rate", "0")
	small = filepath.Join(smallDisk(t, "8m"), "data")
	full("backup", "restore", backups, "--to", small)
	if left := must[[]os.DirEntry](t)(os.ReadDir(small)); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	// Other data, for which there is no room beside the first backup, which stays whole.
	other := filepath.Join(t.TempDir(), "other")
	holt(t, "import", "--from-zookeeper", writeSnapshot(t, 250_000), "--to", other)
	full("backup", "create", "--from", other, "--to", backups, "--rate", "0")
	holt(t, "backup", "verify", "--all", backups)
}
