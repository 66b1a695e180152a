package diskfault

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// disk is a mounted file system that will fail.
type disk struct {
	dir      string           // where it is mounted
	readOnly bool             // it is, once it has failed
	texts    []string         // what the operating system may say when it fails
	mend     func(*testing.T) // makes it whole; nobody may have files open on it
}

// command runs a program that must succeed, and returns its output.
func command(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// needRoot skips the test where it may not mount.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small disk")
	}
}

// mount mounts source at a new directory below the test's own, until the test ends.
func mount(t *testing.T, name string, argv ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, append(append([]string{"mount"}, argv...), dir)...)
	t.Cleanup(func() {
		// Nothing but a failed test leaves files open.
		if out, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v\n%s", err, out)
		}
	})
	return dir
}

func newTmpfs(t *testing.T, mebibytes int) (dir string, enlarge func(*testing.T)) {
	t.Helper()
	dir = mount(t, "tmpfs", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", mebibytes), "tmpfs")
	return dir, func(t *testing.T) {
		command(t, "mount", "-o", fmt.Sprintf("remount,size=%dm", mebibytes*10), dir)
	}
}

// fullDisk is a file system of so many mebibytes.
func fullDisk(t *testing.T, mebibytes int) *disk {
	t.Helper()
	dir, enlarge := newTmpfs(t, mebibytes)
	return &disk{dir: dir, texts: []string{"no space left on device"}, mend: enlarge}
}

// failingDisk is a file system that looks large but whose device fails after so many mebibytes.
func failingDisk(t *testing.T, mebibytes int) *disk {
	t.Helper()
	for _, tool := range []string{"mkfs.ext4", "losetup", "e2fsck"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("find %s: %v: install it with 'apt-get install e2fsprogs util-linux'", tool, err)
		}
	}
	backing, enlarge := newTmpfs(t, mebibytes)
	image := filepath.Join(backing, "image")
	command(t, "truncate", "-s", fmt.Sprintf("%dm", mebibytes*8), image)
	// Blocks of a page. With smaller ones, which are the default of so small a disk, a write that fails behind the
	// last block that was synced may take that block with it, if they share a page: it reads as zeros after the
	// repair. A server by itself cannot have that back, and refuses to start.
	command(t, "mkfs.ext4", "-q", "-b", "4096", image)
	device := command(t, "losetup", "--find", "--show", image)
	t.Cleanup(func() { command(t, "losetup", "-d", device) })
	dir := mount(t, "disk", device)
	return &disk{dir: dir, readOnly: true, texts: []string{"input/output error", "no space left on device", "read-only file system"}, mend: func(t *testing.T) {
		command(t, "umount", dir)
		enlarge(t)
		// 1 means that errors were corrected.
		out, err := exec.Command("e2fsck", "-fy", device).CombinedOutput()
		if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() > 1) {
			t.Fatalf("e2fsck: %v\n%s", err, out)
		}
		command(t, "mount", device, dir)
	}}
}
