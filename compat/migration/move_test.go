package migration

import (
	"bufio"
	"fmt"
	"io"
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
)

const systemPython = "/usr/bin/python3"

// kazoo is a client that lives through the moves.
type kazoo struct {
	t     testing.TB
	in    io.Writer
	lines chan string
	lost  bool
}

func startKazoo(t testing.TB, hosts ...string) *kazoo {
	t.Helper()
	target.Require(t, target.Tool{Check: []string{systemPython, "-c", "import kazoo"}, Package: "python3-kazoo"})
	cmd := exec.Command(systemPython, "testdata/session.py", strings.Join(hosts, ","))
	in := must[io.WriteCloser](t)(cmd.StdinPipe())
	out := must[io.ReadCloser](t)(cmd.StdoutPipe())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	k := &kazoo{t: t, in: in, lines: make(chan string, 1000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(k.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			k.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-read
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("kazoo printed %s", stderr.String())
		}
	})
	t.Log(k.want("session"))
	return k
}

// want returns the next line that is not about the state of the connection.
func (k *kazoo) want(prefix string) string {
	k.t.Helper()
	timeout := time.After(90 * time.Second)
	for {
		select {
		case line, ok := <-k.lines:
			if strings.HasPrefix(line, "state ") {
				k.t.Log("kazoo: ", line)
				k.lost = k.lost || line == "state LOST"
				continue
			}
			if !ok || !strings.HasPrefix(line, prefix) {
				k.t.Fatalf("kazoo said %q, want %s", line, prefix)
			}
			return line
		case <-timeout:
			k.t.Fatalf("kazoo says nothing, want %s", prefix)
		}
	}
}

// check has the client see that its session and its nodes are still there, and write.
func (k *kazoo) check() {
	k.t.Helper()
	if _, err := io.WriteString(k.in, "check\n"); err != nil {
		k.t.Fatal(err)
	}
	k.want("ok")
	if k.lost {
		k.t.Error("kazoo lost its session")
	}
}

// holt runs a holt command line.
func holt(t testing.TB, args ...string) string {
	t.Helper()
	bin := must[string](t)(ensemble.BuildHolt(t.Context()))
	out, err := exec.Command(bin, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("holt %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	t.Logf("holt %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// startHolt starts a member on a data directory at a port.
func startHolt(t testing.TB, dataDir string, port int, settings ...string) *server {
	t.Helper()
	bin := must[string](t)(ensemble.BuildHolt(t.Context()))
	args := []string{"serve", writeConfig(t, dataDir, port, append(settings, "extendedTypesEnabled=true"))}
	return startProcess(t, exec.Command(bin, args...), dataDir, port)
}

// TestMove moves a standalone ZooKeeper's data to Holt and back, with a kazoo client and two
// others that keep their sessions, and everything that clients can read.
func TestMove(t *testing.T) {
	target.Kind(t)
	v := versions[len(versions)-1]
	there, here := freePort(t), freePort(t)
	dirs := []string{t.TempDir(), filepath.Join(t.TempDir(), "holt"), filepath.Join(t.TempDir(), "back")}

	s := v.start(t, dirs[0], there, []string{"snapCount=50"}, nil)
	c := dial(t, s.addr, client.Options{})
	other := dial(t, s.addr, client.Options{})
	workload(t, v, c, other)
	for path, data := range map[string]string{"/watched": "", "/counter": "0"} {
		must[string](t)(c.Create(t.Context(), path, []byte(data), wire.OpenACL(), wire.ModePersistent))
	}
	k := startKazoo(t, s.addr, fmt.Sprintf("127.0.0.1:%d", here))
	k.check()
	before, last := tree(t, c), c.LastZxid()
	s.kill()

	holt(t, "import", "--from-zookeeper", dirs[0], "--to", dirs[1])
	s = startHolt(t, dirs[1], here, "holt.sessionPasswords=zookeeper")
	c = dial(t, s.addr, client.Options{Session: c.Session(), LastZxid: last})
	compareTrees(t, tree(t, c), before)
	other = dial(t, s.addr, client.Options{Session: other.Session(), LastZxid: last})
	ownNodes(t, other, "/eph-other")
	k.check()
	if z := c.LastZxid(); z <= last {
		t.Errorf("zxid %s after the move, %s before", z, last)
	}
	// A session that Holt made goes along, too.
	fresh := dial(t, s.addr, client.Options{})
	must[string](t)(fresh.Create(t.Context(), "/fresh", nil, wire.OpenACL(), wire.ModeEphemeral))
	must[string](t)(fresh.Create(t.Context(), "/made-here-", []byte("x"), wire.OpenACL(), wire.ModePersistentSequential))
	before, last = tree(t, c), fresh.LastZxid()
	s.stop()

	holt(t, "export", "--from", dirs[1], "--to-zookeeper", dirs[2])
	s = v.start(t, dirs[2], there, nil, nil)
	c = dial(t, s.addr, client.Options{Session: c.Session(), LastZxid: last})
	compareTrees(t, tree(t, c), before)
	fresh = dial(t, s.addr, client.Options{Session: fresh.Session(), LastZxid: last})
	ownNodes(t, fresh, "/fresh")
	k.check()
}

// ownNodes checks which ephemeral nodes a session has.
func ownNodes(t testing.TB, c *client.Conn, prefix string) {
	t.Helper()
	paths := must[[]string](t)(c.GetEphemerals(t.Context(), prefix))
	if len(paths) != 1 {
		t.Errorf("session %s has %q, want one node at %s", c.SessionID(), paths, prefix)
	}
}

// TestExportOld exports for releases that do not know everything.
func TestExportOld(t *testing.T) {
	target.Kind(t)
	dir := filepath.Join(t.TempDir(), "data")
	holt(t, "import", "--from-zookeeper", filepath.Join(goldenDir, "3.9.4"), "--to", dir)
	want := string(must[[]byte](t)(os.ReadFile(filepath.Join(goldenDir, "3.9.4", "tree.txt"))))
	for _, v := range versions[:2] {
		t.Run(v.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			holt(t, "export", "--from", dir, "--to-zookeeper", out, "--release", v.name[:3])
			s := v.start(t, out, freePort(t), nil, nil)
			compareTrees(t, tree(t, dial(t, s.addr, client.Options{})), want)
		})
	}
}

// TestExportRunning exports from a member that runs, under writes.
func TestExportRunning(t *testing.T) {
	target.Kind(t)
	v := versions[len(versions)-1]
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	s := startHolt(t, dir, freePort(t))
	c := dial(t, s.addr, client.Options{})
	workload(t, v, c, dial(t, s.addr, client.Options{}))
	before := tree(t, c)
	holt(t, "export", "--from", dir, "--to-zookeeper", out, "--compression", "gz")
	must[string](t)(c.Create(t.Context(), "/later", nil, wire.OpenACL(), wire.ModePersistent))
	s.stop()
	z := v.start(t, out, freePort(t), nil, nil)
	compareTrees(t, tree(t, dial(t, z.addr, client.Options{})), before)
}
