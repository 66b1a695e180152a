package migration

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
	"holt/znode"
	"holt/znode/zkfile"
)

// writeSnapshot makes a data directory of n nodes below /top.
func writeSnapshot(t testing.TB, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	f := must[*os.File](t)(os.Create(filepath.Join(dir, zkfile.SnapshotName(wire.MakeZxid(2, 5), zkfile.Plain))))
	w := must[*zkfile.SnapshotWriter](t)(zkfile.NewSnapshotWriter(f, zkfile.SnapshotHead{}))
	data := make([]byte, 100)
	random := rand.NewChaCha8([32]byte{1}) // what compresses well would make it too easy for backups
	for i := range n {
		path := fmt.Sprintf("/top/n%d", i)
		if i < 2 {
			path = []string{"/", "/top"}[i]
		}
		node := &znode.Node{ACL: znode.OpenACL(), Czxid: wire.Zxid(i), Mzxid: wire.Zxid(i), Pzxid: wire.Zxid(i)}
		if _, err := random.Read(data); err != nil {
			t.Fatal(err)
		}
		node.SetContents(path, data)
		if err := w.Add(node); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestImportKilled kills imports with SIGKILL, later and later, until one ends first. No
// member starts on what they leave, and the next import makes a whole directory of it.
func TestImportKilled(t *testing.T) {
	target.Kind(t)
	const nodes = 200_000
	from := writeSnapshot(t, nodes)
	bin := must[string](t)(ensemble.BuildHolt(t.Context()))
	to := filepath.Join(t.TempDir(), "data")
	killed, halves := 0, 0
	for wait := 5 * time.Millisecond; ; wait += 40 * time.Millisecond {
		cmd := exec.Command(bin, "import", "--from-zookeeper", from, "--to", to)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("import after %d that were killed: %v", killed, err)
			}
		case <-time.After(wait): // the moment of the kill is arbitrary
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if <-ended != nil {
				killed++
				halves += refusesHalf(t, bin, to)
				continue
			}
		}
		break
	}
	if killed < 3 || halves < 3 {
		t.Errorf("%d imports were killed, %d of them left a half: too few", killed, halves)
	}
	t.Logf("%d imports were killed, %d of them left a half", killed, halves)
	s := startHolt(t, to, freePort(t))
	c := dial(t, s.addr, client.Options{})
	if _, stat, err := c.GetChildren2(t.Context(), "/top", false); err != nil || stat.NumChildren != nodes-2 {
		t.Errorf("%d children, %v, want %d", stat.NumChildren, err, nodes-2)
	}
}

// refusesHalf checks that no member starts on half an import. It returns 0 if there is
// nothing yet, or everything.
func refusesHalf(t *testing.T, bin, dir string) int {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "founding")); errors.Is(err, os.ErrNotExist) {
		return 0
	}
	out, err := exec.Command(bin, "serve", writeConfig(t, dir, freePort(t), nil)).CombinedOutput()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), "half of an import") {
		t.Fatalf("a member on half an import: %v\n%s", err, out)
	}
	return 1
}

// TestBackupKilled kills backups with SIGKILL. What was there stays whole, the member keeps no
// checkpoint, and the next backup is made.
func TestBackupKilled(t *testing.T) {
	target.Kind(t)
	bin := must[string](t)(ensemble.BuildHolt(t.Context()))
	dir, to := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backups")
	holt(t, "import", "--from-zookeeper", writeSnapshot(t, 200_000), "--to", dir)
	s := startHolt(t, dir, freePort(t))
	c := dial(t, s.addr, client.Options{})
	for i := range 6 {
		must[wire.Stat](t)(c.SetData(t.Context(), "/top", fmt.Appendf(nil, "%d", i), -1))
		cmd := exec.Command(bin, "backup", "create", "--from", dir, "--to", to, "--rate", "4")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 150 * time.Millisecond) // the moment of the kill is arbitrary
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed, or done
	}
	holt(t, "backup", "create", "--from", dir, "--to", to, "--rate", "0")
	holt(t, "backup", "verify", "--all", to)
	entries := must[[]os.DirEntry](t)(os.ReadDir(to))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "tmp-") {
			t.Errorf("%s is left", e.Name())
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // another process removes them
		left := must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(dir, "checkpoints")))
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("checkpoints are left: %v", left)
		}
	}
	// A restore that is killed leaves what no member starts on, and goes through the next time.
	restored := filepath.Join(t.TempDir(), "restored")
	for wait := 5 * time.Millisecond; ; wait += 10 * time.Millisecond {
		cmd := exec.Command(bin, "backup", "restore", to, "--to", restored)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(wait) // the moment of the kill is arbitrary
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		if cmd.Wait() == nil {
			break
		}
		refusesHalf(t, bin, restored)
	}
	r := startHolt(t, restored, freePort(t))
	if data, _, err := dial(t, r.addr, client.Options{}).GetData(t.Context(), "/top", false); err != nil || string(data) != "5" {
		t.Errorf("restored %q, %v", data, err)
	}
}
