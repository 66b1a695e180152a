package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holt/compat/target"
	"holt/wire"
	"holt/wire/client"
)

// howTo is a machine as the pages in docs/how-to have it: their paths below one directory, holt on the
// path, and a systemctl that runs holt serve.
type howTo struct {
	adminPort int // in the place of 8080
	t         *testing.T
	dir       string
	port      int
	env       []string

	securePort int // for TLS, if the page opens one
}

// systemctl starts and stops a member; the ZooKeeper it is asked to stop does not run.
const systemctl = `#!/bin/sh
case "$1 $2" in
"start holt")
	holt serve %[1]s/etc/holt/zoo.cfg >%[1]s/holt.log 2>&1 &
	echo $! >%[1]s/holt.pid
	for i in $(seq 600); do
		grep -q '"\?ready"\?' %[1]s/holt.log && exit 0
		kill -0 $(cat %[1]s/holt.pid) || break
		sleep 0.05
	done
	cat %[1]s/holt.log
	exit 1 ;;
"stop holt")
	kill $(cat %[1]s/holt.pid)
	while kill -0 $(cat %[1]s/holt.pid) 2>/dev/null; do sleep 0.05; done
	rm %[1]s/holt.pid ;;
"stop zookeeper") ;;
*) exit 1 ;;
esac
`

func newHowTo(t *testing.T) *howTo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &howTo{t: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port, securePort: secure.Addr().(*net.TCPAddr).Port}
	if err := secure.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"bin/holt":      "#!/bin/sh\n" + runAsHolt + "=1 exec '" + self + "' \"$@\"\n",
		"bin/systemctl": fmt.Sprintf(systemctl, h.dir),
		"etc/zookeeper/zoo.cfg": fmt.Sprintf("dataDir=%s/var/lib/zookeeper\nclientPort=%d\nclientPortAddress=127.0.0.1\ntickTime=2000\nextendedTypesEnabled=true\nadmin.enableServer=false\n",
			h.dir, h.port),
		"etc/holt/.keep": "", "srv/.keep": "", "backup/.keep": "", "var/lib/.keep": "",
	} {
		path := filepath.Join(h.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.env = append(os.Environ(), "PATH="+filepath.Join(h.dir, "bin")+":"+os.Getenv("PATH"))
	t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(h.dir, "holt.pid")); err == nil {
			h.run("systemctl stop holt\n")
		}
	})
	return h
}

// run runs commands of a page, its paths and addresses turned into this machine's.
func (h *howTo) run(script string) {
	h.t.Helper()
	here := script
	for _, root := range []string{"/var/lib/", "/srv/", "/backup/", "/etc/"} {
		here = strings.ReplaceAll(here, root, h.dir+root)
	}
	here = strings.ReplaceAll(here, "127.0.0.1:2181", h.addr())
	here = strings.ReplaceAll(here, "127.0.0.1:8080", fmt.Sprintf("127.0.0.1:%d", h.adminPort))
	here = strings.ReplaceAll(here, "127.0.0.1:2281", fmt.Sprintf("127.0.0.1:%d", h.securePort))
	here = strings.ReplaceAll(here, "secureClientPort=2281", fmt.Sprintf("secureClientPort=%d\nsecureClientPortAddress=127.0.0.1", h.securePort))
	cmd := exec.Command("sh", "-ec", here)
	cmd.Dir, cmd.Env = h.dir, h.env
	out, err := os.Create(filepath.Join(h.dir, "out"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Close()
	// A file, since the member that systemctl starts would keep a pipe open.
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name()) // told beside the error
		h.t.Fatalf("%v in\n%s\n%s", err, script, text)
	}
}

func (h *howTo) addr() string { return fmt.Sprintf("127.0.0.1:%d", h.port) }

// page runs all commands of a page.
func (h *howTo) page(name string, blocksMin int) {
	h.t.Helper()
	scripts := blocks(h.t, filepath.Join("../../docs/how-to", name), "sh")
	if len(scripts) < blocksMin {
		h.t.Fatalf("%d blocks of commands, want %d", len(scripts), blocksMin)
	}
	for _, script := range scripts {
		h.run(script)
	}
}

func (h *howTo) dial() *client.Conn {
	h.t.Helper()
	c, err := client.Dial(h.t.Context(), h.addr(), client.Options{SessionTimeout: 10 * time.Second})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(c.Abort)
	return c
}

// TestHowToMigrate runs docs/how-to/migration.md with files that ZooKeeper 3.9.4 wrote.
func TestHowToMigrate(t *testing.T) {
	h := newHowTo(t)
	if err := os.CopyFS(filepath.Join(h.dir, "var/lib/zookeeper"), os.DirFS("../../znode/zkfile/testdata/3.9.4")); err != nil {
		t.Fatal(err)
	}
	h.page("migration.md", 5)
	if files, err := filepath.Glob(filepath.Join(h.dir, "var/lib/zookeeper-back/version-2/snapshot.*")); err != nil || len(files) != 1 {
		t.Errorf("exported %v, %v", files, err)
	}
}

// TestHowToBackUp runs docs/how-to/backup.md.
func TestHowToBackUp(t *testing.T) {
	target.Require(t, target.Tool{Check: []string{"curl", "--version"}, Package: "curl"})
	h := newHowTo(t)
	h.adminPort = freePort(t)
	h.run(fmt.Sprintf("sed 's#/var/lib/zookeeper#/var/lib/holt#; s#admin.enableServer=false#admin.serverPort=%d#' /etc/zookeeper/zoo.cfg > /etc/holt/zoo.cfg\nsystemctl start holt\n", h.adminPort))
	c := h.dial()
	for _, path := range []string{"/app", "/app/a", "/app/b"} {
		if _, err := c.Create(t.Context(), path, []byte(path), wire.OpenACL(), wire.ModePersistent); err != nil {
			t.Fatal(err)
		}
	}
	h.page("backup.md", 6)
	<-c.Done() // the restore closed all connections
	c = h.dial()
	if data, _, err := c.GetData(t.Context(), "/app-restored/b", false); err != nil || string(data) != "/app/b" {
		t.Errorf("restored %q, %v", data, err)
	}
}

// newSecureHowTo is a howTo for pages that make certificates and use zkcli.
func newSecureHowTo(t *testing.T) *howTo {
	t.Helper()
	target.Require(t, target.Tool{Check: []string{"openssl", "version"}, Package: "openssl"})
	h := newHowTo(t)
	if out, err := exec.Command("go", "build", "-o", filepath.Join(h.dir, "bin", "zkcli"), "../zkcli").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.run("sed 's#/var/lib/zookeeper#/var/lib/holt#' /etc/zookeeper/zoo.cfg > /etc/holt/zoo.cfg\n")
	return h
}

// TestHowToTLS runs docs/how-to/tls.md.
func TestHowToTLS(t *testing.T) {
	h := newSecureHowTo(t)
	h.page("tls.md", 7)
	if _, _, err := h.dial().GetData(t.Context(), "/alice", false); !errors.Is(err, wire.ErrNoAuth) {
		t.Errorf("everybody reads what is for alice: %v", err)
	}
	log, err := os.ReadFile(filepath.Join(h.dir, "holt.log"))
	if err != nil || !strings.Contains(string(log), "certificates reloaded: new connections use them") {
		t.Errorf("%v\n%s", err, log)
	}
}

// TestHowToAuthenticate runs docs/how-to/authentication.md, but for Kerberos, which needs a KDC:
// compat/clients runs that.
func TestHowToAuthenticate(t *testing.T) {
	h := newSecureHowTo(t)
	h.page("authentication.md", 4)
	if _, _, err := h.dial().GetData(t.Context(), "/", false); !errors.Is(err, wire.ErrSessionClosedRequireSaslAuth) {
		t.Errorf("everybody is let in: %v", err)
	}
}

// TestHowToMonitor runs docs/how-to/monitoring.md, and holds alerts.yml to the metrics that there are.
func TestHowToMonitor(t *testing.T) {
	target.Require(t, target.Tool{Check: []string{"curl", "--version"}, Package: "curl"})
	const page = "../../docs/how-to/monitoring.md"
	h := newHowTo(t)
	metrics := fmt.Sprint(freePort(t))
	here := strings.NewReplacer("8080", fmt.Sprint(freePort(t)), "7000", metrics, "2181", fmt.Sprint(h.port)).Replace
	settings := blocks(t, page, "properties")
	if len(settings) != 1 {
		t.Fatalf("%d blocks of properties, want 1", len(settings))
	}
	cfg := strings.NewReplacer("/var/lib/", h.dir+"/var/lib/", "/srv/", h.dir+"/srv/").Replace(here(settings[0]))
	if err := os.WriteFile(filepath.Join(h.dir, "etc/holt/zoo.cfg"), []byte(cfg), 0o644); err != nil {
		t.Fatal(err)
	}
	scripts := blocks(t, page, "sh")
	if len(scripts) < 8 {
		t.Fatalf("%d blocks of commands", len(scripts))
	}
	for _, script := range scripts {
		h.run(here(script))
	}
	if _, err := h.dial().Create(t.Context(), "/a", nil, wire.OpenACL(), wire.ModePersistent); err != nil {
		t.Fatal(err)
	}
	shown := getPage(t, "http://127.0.0.1:"+metrics+"/metrics")
	rules, err := os.ReadFile("../../docs/how-to/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(string(rules), -1) {
		text := regexp.MustCompile(`\{[^}]*\}|\([a-z, ]*\) \(|\[[0-9]+[mh]\]`).ReplaceAllString(rule[1], " (")
		for _, name := range regexp.MustCompile(`[a-z][a-z_]+[a-z]`).FindAllString(text, -1) {
			switch name {
			case "up", "max", "sum", "by", "rate", "increase", "floor", "and", "or", "count", "time", "predict_linear", "histogram_quantile":
				continue
			case "synced_followers", "quorum_size", "holt_peer_lag_entries", "holt_tls_certificate_end_seconds":
				continue // of ensembles, and of TLS
			}
			if !strings.Contains(shown, "\n# TYPE "+strings.TrimSuffix(name, "_bucket")+" ") {
				t.Errorf("%s asks for %s, which is not among the metrics", rule[1], name)
			}
		}
	}
}
