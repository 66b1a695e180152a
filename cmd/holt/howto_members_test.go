package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cluster is the machines h1, h2, ... that docs/how-to/members.md speaks of: each a directory and
// ports of its own.
type cluster struct {
	t     *testing.T
	dir   string
	ports map[string]string // by host and port of the page
}

// systemctlAlone starts and stops a member, and does not wait until it is ready.
const systemctlAlone = `#!/bin/sh
cd "$HOLT_HOST_DIR"
case "$1" in
start) holt serve etc/holt/zoo.cfg >>holt.log 2>&1 & echo $! >holt.pid ;;
stop)  pid=$(cat holt.pid); kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done ;;
esac
`

func newCluster(t *testing.T, hosts int) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), ports: map[string]string{}}
	for id := 1; id <= hosts; id++ {
		for _, port := range []string{"2181", "2888", "3888"} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			c.ports[fmt.Sprintf("h%d:%s", id, port)] = fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
		}
		if err := os.MkdirAll(filepath.Join(c.dir, fmt.Sprint("h", id), "etc/holt"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(c.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"holt": "#!/bin/sh\n" + runAsHolt + "=1 exec '" + self + "' \"$@\"\n", "systemctl": systemctlAlone} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "zkcli"), "../zkcli").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		for id := 1; id <= hosts; id++ {
			host := filepath.Join(c.dir, fmt.Sprint("h", id))
			// One that was removed has ended.
			exec.Command("sh", "-c", "kill -9 $(cat "+host+"/holt.pid)").Run()
			if t.Failed() {
				log, _ := os.ReadFile(filepath.Join(host, "holt.log")) // may be missing
				t.Logf("h%d:\n%s", id, log[max(0, len(log)-3000):])
			}
		}
	})
	return c
}

var (
	serverLine = regexp.MustCompile(`(h\d):2888:3888:(participant|observer);2181`)
	hostPort   = regexp.MustCompile(`(h\d|localhost):2181`)
	where      = regexp.MustCompile(`^# (on ((h\d ?)+)|anywhere)\n`)
)

// run runs a block of the page on the machines that its first line names.
func (c *cluster) run(script string) {
	c.t.Helper()
	m := where.FindStringSubmatch(script)
	if m == nil {
		c.t.Fatalf("does not say where:\n%s", script)
	}
	hosts := strings.Fields(m[2])
	if len(hosts) == 0 {
		hosts = []string{"h1"}
	}
	for _, host := range hosts {
		here := serverLine.ReplaceAllStringFunc(script, func(s string) string {
			p := serverLine.FindStringSubmatch(s)
			return fmt.Sprintf("127.0.0.1:%s:%s:%s;127.0.0.1:%s", c.ports[p[1]+":2888"], c.ports[p[1]+":3888"], p[2], c.ports[p[1]+":2181"])
		})
		here = hostPort.ReplaceAllStringFunc(here, func(s string) string {
			s = strings.Replace(s, "localhost", host, 1)
			return "127.0.0.1:" + c.ports[s]
		})
		dir := filepath.Join(c.dir, host)
		for _, root := range []string{"/var/lib/", "/etc/"} {
			here = strings.ReplaceAll(here, root, dir+root)
		}
		here = strings.Replace(here, "tickTime=2000", "tickTime=200\nadmin.enableServer=false", 1)
		cmd := exec.CommandContext(c.t.Context(), "sh", "-ec", here)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(c.dir, "bin")+":"+os.Getenv("PATH"), "HOLT_HOST_DIR="+dir)
		out, err := os.Create(filepath.Join(dir, "out"))
		if err != nil {
			c.t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = out, out
		err = cmd.Run()
		text, _ := os.ReadFile(out.Name()) // told beside the error
		if err := out.Close(); err != nil {
			c.t.Fatal(err)
		}
		if err != nil || strings.Contains(string(text), "KeeperErrorCode") {
			c.t.Fatalf("on %s: %v in\n%s\n%s", host, err, here, text)
		}
	}
}

// TestHowToMembers runs docs/how-to/members.md.
func TestHowToMembers(t *testing.T) {
	c := newCluster(t, 4)
	scripts := blocks(t, "../../docs/how-to/members.md", "sh")
	if len(scripts) < 10 {
		t.Fatalf("%d blocks of commands", len(scripts))
	}
	for _, script := range scripts {
		c.run(script)
	}
	h := howTo{t: t}
	fmt.Sscan(c.ports["h2:2181"], &h.port)
	data, _, err := h.dial().GetData(t.Context(), "/zookeeper/config", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"server.1=", "server.2=", "server.4=", ":observer;"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%q is not in %s", want, data)
		}
	}
	if strings.Contains(string(data), "server.3=") {
		t.Errorf("member 3 is still in %s", data)
	}
	log, err := os.ReadFile(filepath.Join(c.dir, "h3/holt.log"))
	if err != nil || !strings.Contains(string(log), "was removed from the ensemble") {
		t.Errorf("%v\n%s", err, log)
	}
}
