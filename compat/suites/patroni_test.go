package suites

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// TestPatroni has Patroni keep two PostgreSQL servers, one of them primary, by what it writes
// into the ensemble. The ensemble's leader dies: the primary must stay what it is. The primary
// dies: the other one must take over with all the data, and the first come back as its standby.
// Then both die at once, the other way round.
func TestPatroni(t *testing.T) {
	target.Kind(t)
	target.Require(t, target.Tool{Check: []string{"/usr/bin/patroni", "--version"}, Package: "patroni python3-kazoo postgresql postgresql-client"})
	target.Require(t, target.Tool{Check: []string{"/usr/bin/python3", "-c", "import kazoo"}, Package: "python3-kazoo"})
	e := target.Start(t, ensemble.Config{Members: 3, Settings: []string{"tickTime=500"}})
	dir := postgresDir(t)
	one, two := newNode(t, e, dir, "one"), newNode(t, e, dir, "two")

	one.start()
	one.await("primary")
	one.sql("CREATE TABLE t (n int)")
	one.insert(100)
	two.start()
	two.await("replica")
	two.awaitRows(100)

	leader := killLeader(t, e)
	one.insert(100)
	two.awaitRows(200)
	time.Sleep(10 * time.Second) // longer than the ttl: had the session been lost, the primary would step down
	one.await("primary")
	if timeline := one.sql("SELECT timeline_id FROM pg_control_checkpoint()"); timeline != "1" {
		t.Errorf("timeline %s after the ensemble lost its leader: the primary changed", timeline)
	}
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}

	one.kill()
	two.await("primary")
	two.awaitRows(200)
	two.insert(100)
	one.start()
	one.await("replica")
	one.awaitRows(300)

	two.kill()
	killLeader(t, e)
	one.await("primary")
	one.awaitRows(300)
	one.insert(1)
}

// postgresDir returns a directory that PostgreSQL's user owns, removed with the test.
func postgresDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "patroni-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if c := postgresUser(t); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// postgresUser returns whom to run PostgreSQL as: nil for ourselves, unless we are root, as
// whom it refuses to run.
func postgresUser(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// killLeader kills the member that leads, waits for another leader, and returns the dead one.
func killLeader(t *testing.T, e *ensemble.Ensemble) *ensemble.Member {
	t.Helper()
	m := target.Leader(t, e)
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	target.Leader(t, e)
	return m
}

// node is a Patroni with its PostgreSQL.
type node struct {
	t          *testing.T
	name, dir  string
	rest, port int
	cred       *syscall.Credential
	cmd        *exec.Cmd     // the present or last run of Patroni
	exited     chan struct{} // closed when that run has ended
}

func newNode(t *testing.T, e *ensemble.Ensemble, dir, name string) *node {
	t.Helper()
	n := &node{t: t, name: name, dir: filepath.Join(dir, name), cred: postgresUser(t)}
	n.rest = kazooPorts(t)
	n.port = n.rest + 1
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/patroni.yml")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"NAME": name, "REST": strconv.Itoa(n.rest), "PORT": strconv.Itoa(n.port), "DIR": n.dir, "BIN": postgresBin(t),
		"HOSTS": "'" + strings.Join(e.Addrs(), "', '") + "'",
	}
	text = []byte(os.Expand(string(text), func(key string) string { return values[key] }))
	if err := os.WriteFile(n.config(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if n.cred != nil {
		for _, path := range []string{n.dir, n.config()} {
			if err := os.Chown(path, int(n.cred.Uid), int(n.cred.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(n.end)
	return n
}

func (n *node) config() string { return filepath.Join(n.dir, "patroni.yml") }
func (n *node) log() string    { return filepath.Join(n.dir, "log") }

// postgresBin returns the folder of the newest PostgreSQL's programs, where Debian has them.
func postgresBin(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		t.Fatalf("no PostgreSQL server: install it with 'apt-get install postgresql' (%v)", err)
	}
	return filepath.Dir(slices.Max(found))
}

// start starts Patroni, which starts PostgreSQL.
func (n *node) start() {
	n.t.Helper()
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close() // the process has its own descriptor
	cmd := exec.Command("/usr/bin/patroni", n.config())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = n.dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + n.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: n.cred}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed, and how it ends does not matter
		close(exited)
	}()
	n.cmd, n.exited = cmd, exited
}

// kill ends Patroni and PostgreSQL as a power failure would.
func (n *node) kill() {
	n.t.Helper()
	if err := n.cmd.Process.Kill(); err != nil && err != os.ErrProcessDone {
		n.t.Error(err)
	}
	<-n.exited
	b, err := os.ReadFile(filepath.Join(n.dir, "data", "postmaster.pid"))
	if os.IsNotExist(err) {
		return // PostgreSQL does not run
	}
	if err != nil {
		n.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(b), "\n", 2)[0])
	if err != nil {
		n.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		n.t.Error(err)
	}
	// Its children go when they notice, and only then can it be started again.
	n.eventually("end of PostgreSQL", func() bool {
		return exec.Command(filepath.Join(postgresBin(n.t), "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(n.port)).Run() != nil
	})
}

// end is kill for a test that ends, and prints the log if it failed.
func (n *node) end() {
	if n.cmd == nil {
		return
	}
	if n.t.Failed() {
		b, err := os.ReadFile(n.log())
		n.t.Logf("log of node %s (%v):\n%s", n.name, err, b[max(0, len(b)-4000):])
	}
	n.kill()
}

// await waits until the node says it has role: primary or replica.
func (n *node) await(role string) {
	n.t.Helper()
	n.eventually("role "+role, func() bool {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/%s", n.rest, role))
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
}

// query returns what psql prints for a statement.
func (n *node) query(statement string) (string, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "psql", "-h", "127.0.0.1", "-p", strconv.Itoa(n.port), "-U", "postgres", "-Atqc", statement).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// sql is query for what must succeed.
func (n *node) sql(statement string) string {
	n.t.Helper()
	out, err := n.query(statement)
	if err != nil {
		n.t.Fatalf("node %s: %s: %v: %s", n.name, statement, err, out)
	}
	return out
}

// insert adds rows. A node that Patroni calls the primary is one when PostgreSQL has left recovery, a moment
// later.
func (n *node) insert(rows int) {
	n.t.Helper()
	n.eventually("end of recovery", func() bool {
		recovering, err := n.query("SELECT pg_is_in_recovery()")
		return err == nil && recovering == "f"
	})
	n.sql(fmt.Sprintf("INSERT INTO t SELECT generate_series(1, %d)", rows))
}

// awaitRows waits until the table has that many rows here.
func (n *node) awaitRows(rows int) {
	n.t.Helper()
	var last string
	n.eventually(fmt.Sprintf("%d rows", rows), func() bool {
		last, _ = n.query("SELECT count(*) FROM t") // the error is in what psql printed
		return last == strconv.Itoa(rows)
	})
}

// eventually waits until a condition holds, and fails the test when it does not in a minute.
func (n *node) eventually(what string, condition func() bool) {
	n.t.Helper()
	start := time.Now()
	for !condition() {
		if time.Since(start) > time.Minute {
			n.t.Fatalf("node %s: no %s after a minute", n.name, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
	n.t.Logf("node %s: %s after %.1f s", n.name, what, time.Since(start).Seconds())
}
