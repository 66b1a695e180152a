package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// store is where buildah keeps images.
type store struct {
	t    *testing.T
	args []string
}

// buildah is the command with arguments that make it use this store.
func (s *store) buildah(args ...string) *exec.Cmd {
	cmd := exec.Command("buildah", append(slices.Clone(s.args), args...)...)
	cmd.Env = append(os.Environ(), "STORAGE_DRIVER=vfs", "BUILDAH_ISOLATION=chroot")
	return cmd
}

func (s *store) must(args ...string) string {
	s.t.Helper()
	var stderr bytes.Buffer
	cmd := s.buildah(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("buildah %v: %v\n%s%s", args, err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// build makes the image as a user does and returns a container of it.
func build(t *testing.T) (s *store, container string) {
	t.Helper()
	if target.Kind(t) != ensemble.Holt {
		t.Skip("the image is Holt's")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to build and enter an image")
	}
	target.Require(t, target.Tool{Check: []string{"buildah", "--version"}, Package: "buildah"})
	dir := t.TempDir()
	s = &store{t: t, args: []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "runroot")}}
	make := exec.Command("make", "-C", "../..", "image", "BUILDER=buildah", "BUILDARGS="+strings.Join(s.args, " ")+" --format docker")
	make.Env = append(os.Environ(), "STORAGE_DRIVER=vfs", "BUILDAH_ISOLATION=chroot")
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("make image: %v\n%s", err, out)
	}
	container = s.must("from", "--pull-never", "localhost/holt")
	t.Cleanup(func() { s.must("rm", container) })
	return s, container
}

func TestImage(t *testing.T) {
	s, container := build(t)
	t.Run("settings", func(t *testing.T) { checkSettings(t, s) })
	t.Run("files", func(t *testing.T) { checkFiles(t, s, container) })
	t.Run("run", func(t *testing.T) { checkRun(t, s, container) })
}

func checkSettings(t *testing.T, s *store) {
	var image struct {
		Docker struct {
			Config struct {
				User            string
				ExposedPorts    map[string]struct{}
				Volumes         map[string]struct{}
				Entrypoint, Cmd []string
				Healthcheck     struct{ Test []string }
			} `json:"config"`
		}
	}
	if err := json.Unmarshal([]byte(s.must("inspect", "--type", "image", "localhost/holt")), &image); err != nil {
		t.Fatal(err)
	}
	c := image.Docker.Config
	got := fmt.Sprint(c.User, c.Entrypoint, c.Cmd, c.Healthcheck.Test, len(c.ExposedPorts), len(c.Volumes))
	want := "1000:1000[/usr/bin/holt entrypoint] [zkServer.sh start-foreground] [CMD /usr/bin/zkServer.sh status] 3 4"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func checkFiles(t *testing.T, s *store, container string) {
	root := s.must("mount", container)
	defer s.must("umount", container)
	for _, dir := range []string{"conf", "data", "datalog", "logs"} {
		info, err := os.Stat(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 1000 {
			t.Errorf("/%s belongs to uid %d", dir, uid)
		}
	}
	var size int64
	for _, name := range []string{"holt", "zkcli"} {
		info, err := os.Stat(filepath.Join(root, "usr", "bin", name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	t.Logf("%.1f MB", float64(size)/1e6)
}

// checkRun starts a server by the image's command and uses the tools inside.
func checkRun(t *testing.T, s *store, container string) {
	ports, err := ensemble.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	inside := func(args ...string) []string {
		return append([]string{"run", "--isolation", "chroot", "--network", "host", container}, args...)
	}
	server := s.buildah(append([]string{"run", "--isolation", "chroot", "--network", "host",
		"--env", fmt.Sprintf("ZOO_SERVERS=server.1=localhost:2888:3888;127.0.0.1:%d", ports[0]),
		"--env", "ZOO_ADMINSERVER_ENABLED=false", "--env", "ZOO_TICK_TIME=1234", container},
		"/usr/bin/holt", "entrypoint", "zkServer.sh", "start-foreground")...)
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	healthy := func() bool { return s.buildah(inside("/usr/bin/zkServer.sh", "status")...).Run() == nil }
	for deadline := time.Now().Add(30 * time.Second); !healthy(); {
		select {
		case err := <-ended:
			t.Fatalf("the server ended: %v\n%s", err, &log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("zkServer.sh status does not become healthy")
		}
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	if out := s.must(inside("zkCli.sh", "-server", addr, "create", "/made-inside", "x")...); !strings.Contains(out, "WatchedEvent") {
		t.Errorf("zkCli.sh: %s", out)
	}
	if out := s.must(inside("holt", "config", "show", "--origin", "--given")...); !strings.Contains(out, "1234") || !strings.Contains(out, "/conf/zoo.cfg:3") {
		t.Errorf("holt config show: %s", out)
	}
	// A signal to buildah would kill what it runs.
	if err := syscall.Kill(descendant(t, server.Process.Pid, "/usr/bin/holt\x00entrypoint"), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || !strings.Contains(log.String(), "stopped") {
		t.Errorf("after SIGTERM: %v\n%s", err, &log)
	}
}

// descendant is the pid of a process below another, by the beginning of its
// command line.
func descendant(t *testing.T, pid int, commandLine string) int {
	t.Helper()
	for pids := []int{pid}; len(pids) > 0; pids = pids[1:] {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pids[0]))
		if err == nil && bytes.HasPrefix(cmdline, []byte(commandLine)) {
			return pids[0]
		}
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pids[0]))
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			children, err := os.ReadFile(task)
			if err != nil {
				continue // a thread that has ended
			}
			for _, field := range strings.Fields(string(children)) {
				var child int
				if _, err := fmt.Sscan(field, &child); err != nil {
					t.Fatal(err)
				}
				pids = append(pids, child)
			}
		}
	}
	t.Fatalf("no process %q below %d", commandLine, pid)
	return 0
}
