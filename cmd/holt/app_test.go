package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holt/broker"
	"holt/server"
)

// runAsHolt is the variable that makes the test binary the holt command, so that
// tests can start processes without a build.
const runAsHolt = "HOLT_TEST_RUN_AS_HOLT"

func TestMain(m *testing.M) {
	if os.Getenv(runAsHolt) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// fakeMember is a server that does as it is told.
type fakeMember struct {
	ready  chan struct{}
	failed chan error
	addr   net.Addr
	err    error // of Close

	mu     sync.Mutex
	closed int
}

func (m *fakeMember) Ready() <-chan struct{} { return m.ready }
func (m *fakeMember) Failed() <-chan error   { return m.failed }
func (m *fakeMember) ClientAddr() net.Addr   { return m.addr }
func (m *fakeMember) Dial() (net.Conn, error) {
	return nil, errors.New("nobody is here")
}

func (m *fakeMember) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed++
	return m.err
}

// fakeBroker is a broker that does as it is told.
type fakeBroker struct {
	id     int32
	addr   net.Addr
	failed chan struct{}
	cause  error // of failed
	err    error // of Close

	mu     sync.Mutex
	closed int
}

// fail is a disk's failure.
func (b *fakeBroker) fail(err error) error {
	b.cause = err
	close(b.failed)
	return nil
}

func (b *fakeBroker) Err() error              { return b.cause }
func (b *fakeBroker) ID() int32               { return b.id }
func (b *fakeBroker) Addr(string) net.Addr    { return b.addr }
func (b *fakeBroker) Failed() <-chan struct{} { return b.failed }

func (b *fakeBroker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
	return b.err
}

// world is everything around a command.
type world struct {
	app            *app
	stdout, stderr bytes.Buffer
	stop           chan os.Signal
	env            map[string]string
	told           []string // to systemd
	given          []string // directories that were given to the image's user

	started []server.Config
	members []*fakeMember
	// onStart, if set, is called with each member before it is handed out.
	onStart func(*fakeMember) error

	mu            sync.Mutex // brokers of an ensemble start at once
	brokerConfigs []broker.Config
	brokers       []*fakeBroker
	// onBroker, if set, is called with each broker before it is handed out.
	onBroker func(*fakeBroker) error
}

func newWorld() *world {
	w := &world{stop: make(chan os.Signal, 1), env: map[string]string{}}
	w.app = &app{stdin: strings.NewReader(""), stdout: &w.stdout, stderr: &w.stderr, stop: w.stop, argv0: "holt"}
	w.app.getenv = func(name string) string { return w.env[name] }
	w.app.environ = func() (all []string) {
		for name, value := range w.env {
			all = append(all, name+"="+value)
		}
		return all
	}
	w.app.giveUpRoot = func(dirs []string) error { w.given = dirs; return nil }
	w.app.notify = func(state string) error { w.told = append(w.told, state); return nil }
	w.app.watchdog = func() (time.Duration, error) { return 0, nil }
	w.app.start = func(cfg server.Config) (member, error) {
		if err := cfg.Validate(); err != nil {
			return nil, err
		}
		w.started = append(w.started, cfg)
		m := &fakeMember{ready: make(chan struct{}), failed: make(chan error, 1), addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2180 + len(w.started)}}
		close(m.ready)
		w.members = append(w.members, m)
		if w.onStart != nil {
			if err := w.onStart(m); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	w.app.startBroker = func(_ context.Context, cfg broker.Config) (runningBroker, error) {
		if err := cfg.Validate(); err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.brokerConfigs = append(w.brokerConfigs, cfg)
		b := &fakeBroker{id: cfg.ID, failed: make(chan struct{}), addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9091 + int(cfg.ID)}}
		w.brokers = append(w.brokers, b)
		if w.onBroker != nil {
			if err := w.onBroker(b); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	return w
}

// file writes a configuration and returns its name.
func (w *world) file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "zoo.cfg")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func (w *world) check(t *testing.T, args []string, code int, stdout, stderr string) {
	t.Helper()
	if got := w.app.run(args); got != code {
		t.Errorf("%q: exit code %d, want %d\n%s", args, got, code, w.stderr.String())
	}
	if !strings.Contains(w.stdout.String(), stdout) {
		t.Errorf("%q: standard output\n%s\nwithout %q", args, w.stdout.String(), stdout)
	}
	if !strings.Contains(w.stderr.String(), stderr) {
		t.Errorf("%q: standard error\n%s\nwithout %q", args, w.stderr.String(), stderr)
	}
}

const sample = "dataDir=/d\nclientPort=2181\nautopurge.purgeInterval=1\n"

func TestCommandLines(t *testing.T) {
	for _, tc := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"", 0, "holt dev", ""},
		{"--help", 0, "holt serve zoo.cfg", ""},
		{"version", 0, "holt dev", ""},
		{"version -o json", 0, `"protocol":"3.9.4-holt-`, ""},
		{"version -o xml", 2, "", "--output xml: not text or json\nTry: holt version --help"},
		{"version x", 2, "", "takes at most 0 arguments"},
		{"sevre", 2, "", `unknown command "sevre"; did you mean serve?`},
		{"quux", 2, "", `unknown command "quux"`},
		{"--nonsense", 2, "", "unknown flag: --nonsense"},
		{"serve a b", 2, "", "takes at most 1 arguments"},
		{"serve --myid x", 2, "", "invalid argument"},
		{"serve --log-level loud", 2, "", "--log-level loud: not debug"},
		{"serve --log-format xml", 2, "", "--log-format xml: not text"},
		{"serve no/such/file", 2, "", "holt: the configuration was refused:\nno/such/file: cannot be read: no such file or directory;"},
		{"topic lsit", 2, "", `unknown command "lsit"; did you mean list?`},
		{"topic list -b 127.0.0.1:1 --timeout 1s", 7, "", "no broker answers at 127.0.0.1:1"},
		{"group reset g", 2, "", "--to : not start"},
		{"produce", 2, "", "takes the name of a topic"},
		{"dev -n 0", 2, "", "-n 0: not 1 to 9"},
		{"dev -n 10", 2, "", "-n 10: not 1 to 9"},
		{"dev --port 65535 -n 2", 2, "", "--port 65535: the last of 2 members would have port 65536, above 65535"},
		{"dev --port 65536", 2, "", "--port 65536: not 0 to 65535"},
		{"dev --output yaml", 2, "", "--output yaml: not text or json"},
	} {
		newWorld().check(t, strings.Fields(tc.args), tc.code, tc.stdout, tc.stderr)
	}
}

func TestServeConfiguration(t *testing.T) {
	w := newWorld()
	w.stop <- syscall.SIGTERM
	w.env["JVMFLAGS"] = `-Xmx1g -Dzookeeper.enforceQuota=true -DtickTime=100 -Dzookeeper.snapCount=500 -Dmy.own=1`
	w.env["SERVER_JVMFLAGS"] = `-DtickTime=200 -Dzookeeper.snapCount=600`
	w.check(t, []string{"serve", "-Dzookeeper.tickTime=300", w.file(t, sample), "-D", "jute.maxbuffer=5000"}, 0, "", "autopurge.purgeInterval: not needed")
	cfg := w.started[0]
	if cfg.TickMillis != 300 || cfg.MaxFrame != 5000 || cfg.SnapCount != 500 || !cfg.EnforceQuota || cfg.DataDir != "/d" {
		t.Errorf("started with %+v", cfg)
	}
}

func TestServeFindsFile(t *testing.T) {
	w := newWorld()
	w.stop <- syscall.SIGINT
	name := w.file(t, sample)
	w.env["ZOOCFGDIR"] = filepath.Dir(name)
	w.check(t, []string{"serve"}, 0, "", "")
	w = newWorld()
	w.env["ZOOCFGDIR"], w.env["ZOOCFG"] = filepath.Dir(name), "other.cfg"
	w.check(t, []string{"serve"}, 2, "", "other.cfg: cannot be read")
}

func TestServeCheck(t *testing.T) {
	w := newWorld()
	name := w.file(t, sample)
	w.check(t, []string{"serve", "--check", name}, 0, name+":3: autopurge.purgeInterval: not needed", "")
	if len(w.started) != 0 {
		t.Error("a server was started")
	}
	w = newWorld()
	w.check(t, []string{"serve", "--check", w.file(t, "dataDir=/d\ntickTme=1\n")}, 2, "", `:2: unknown key "tickTme"; did you mean tickTime?`)
	if strings.Contains(w.stderr.String(), "Try:") {
		t.Error("a bad file was answered with help on the command line")
	}
}

func TestServeEnds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		set    func(*world)
		code   int
		stderr string
	}{
		{"signal", func(w *world) { w.stop <- syscall.SIGTERM }, 0, "stopped"},
		{"disk fails", func(w *world) {
			w.onStart = func(m *fakeMember) error { m.failed <- fmt.Errorf("write log: %w", syscall.ENOSPC); return nil }
		}, 3, "holt: member 1 stops: write log: no space left on device\n"},
		{"close fails", func(w *world) {
			w.stop <- syscall.SIGTERM
			w.onStart = func(m *fakeMember) error { m.err = syscall.EIO; return nil }
		}, 3, "holt: stop: input/output error"},
		{"data directory", func(w *world) {
			w.onStart = func(*fakeMember) error {
				return fmt.Errorf("open tree: %w", &os.PathError{Op: "mkdir", Path: "/d", Err: syscall.EACCES})
			}
		}, 3, "holt: open tree: mkdir /d: permission denied (data in /d)"},
		{"port in use", func(w *world) {
			w.onStart = func(*fakeMember) error { return portInUse("0.0.0.0", 2181) }
		}, 1, "holt: port 0.0.0.0:2181 is in use, perhaps by ZooKeeper or another Holt"},
		{"port forbidden", func(w *world) {
			w.onStart = func(*fakeMember) error {
				return &net.OpError{Op: "listen", Net: "tcp", Err: syscall.EACCES}
			}
		}, 1, "permission denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld()
			tc.set(w)
			w.check(t, []string{"serve", w.file(t, sample)}, tc.code, "", tc.stderr)
			if m := w.members[0]; m.closed != 1 && w.onStart == nil {
				t.Errorf("closed %d times", m.closed)
			}
		})
	}
}

func portInUse(host string, port int) error {
	return fmt.Errorf("open client port: %w", &net.OpError{Op: "listen", Net: "tcp", Addr: &net.TCPAddr{IP: net.ParseIP(host), Port: port}, Err: syscall.EADDRINUSE})
}

func TestDev(t *testing.T) {
	w := newWorld()
	w.stop <- syscall.SIGINT
	w.check(t, []string{"dev"}, 0, "  clients   127.0.0.1:2181\n  brokers   127.0.0.1:9092\n", "")
	cfg := w.started[0]
	if cfg.ClientAddr != "127.0.0.1:2181" || !cfg.Standalone() {
		t.Errorf("started with %+v", cfg)
	}
	if _, err := os.Stat(cfg.DataDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary directory %s is still there: %v", cfg.DataDir, err)
	}
	if w.members[0].closed != 1 {
		t.Errorf("closed %d times", w.members[0].closed)
	}
}

func TestDevEnsemble(t *testing.T) {
	w := newWorld()
	w.stop <- syscall.SIGINT
	dir := t.TempDir()
	w.check(t, []string{"dev", "-n", "3", "--port", "2181", "--data", dir, "-o", "json"}, 0,
		`{"clients":["127.0.0.1:2181","127.0.0.1:2182","127.0.0.1:2183"],"brokers":["127.0.0.1:9092","127.0.0.1:9093","127.0.0.1:9094"],"data":"`+dir+`","temporary":false}`+"\n", "")
	for i, cfg := range w.started {
		if want := fmt.Sprintf("127.0.0.1:%d", 2181+i); cfg.MemberID != uint64(i+1) || cfg.ClientAddr != want || len(cfg.Members) != 3 {
			t.Errorf("member %d: %+v", i+1, cfg)
		}
		if want := filepath.Join(dir, "ensemble-of-3", fmt.Sprint("member-", i+1)); cfg.DataDir != want {
			t.Errorf("member %d has its data in %s, want %s", i+1, cfg.DataDir, want)
		}
		if w.members[i].closed != 1 {
			t.Errorf("member %d closed %d times", i+1, w.members[i].closed)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the named directory: %v", err)
	}
}

func TestDevEnds(t *testing.T) {
	w := newWorld()
	w.onStart = func(m *fakeMember) error {
		if len(w.members) == 2 {
			return portInUse("127.0.0.1", 2182)
		}
		return nil
	}
	w.check(t, []string{"dev", "-n", "3"}, 1, "", "holt: port 127.0.0.1:2182 is in use, perhaps by ZooKeeper or another Holt.\n"+
		"Stop that one (to find it: ss -ltnp), or take another port: holt dev --port 2281 -n 3\n")
	if w.members[0].closed != 1 {
		t.Error("the member that had started was not closed")
	}
	w = newWorld()
	w.onStart = func(m *fakeMember) error {
		if len(w.members) == 2 {
			m.failed <- syscall.EIO
		}
		return nil
	}
	w.check(t, []string{"dev", "-n", "3"}, 3, "", "holt: member 2 stops: input/output error\n")
	w = newWorld()
	w.onStart = func(m *fakeMember) error { m.ready = nil; return nil }
	w.stop <- syscall.SIGINT
	w.check(t, []string{"dev"}, 0, "", "")
	if w.stdout.Len() > 0 {
		t.Errorf("said before it was ready: %s", w.stdout.String())
	}
}

func TestDevBrokers(t *testing.T) {
	w := newWorld()
	w.stop <- syscall.SIGINT
	dir := t.TempDir()
	w.check(t, []string{"dev", "-n", "3", "--kafka-port", "9192", "--data", dir}, 0, "Any ZooKeeper or Kafka client works now", "")
	if len(w.brokers) != 3 {
		t.Fatalf("%d brokers, want 3", len(w.brokers))
	}
	for _, cfg := range w.brokerConfigs {
		if want := fmt.Sprintf("127.0.0.1:%d", 9191+cfg.ID); cfg.Listeners[0].Address != want {
			t.Errorf("broker %d listens at %s, want %s", cfg.ID, cfg.Listeners[0].Address, want)
		}
		if want := filepath.Join(dir, "ensemble-of-3", fmt.Sprint("member-", cfg.ID), "broker"); cfg.LogDirs[0] != want {
			t.Errorf("broker %d has its data in %v, want %s", cfg.ID, cfg.LogDirs, want)
		}
		if cfg.Settings["log.flush.on.ack"] != "true" || cfg.Settings["default.replication.factor"] != "3" {
			t.Errorf("broker %d: %v", cfg.ID, cfg.Settings)
		}
	}
	for _, b := range w.brokers {
		if b.closed != 1 {
			t.Errorf("broker %d closed %d times", b.id, b.closed)
		}
	}

	w = newWorld()
	w.stop <- syscall.SIGINT
	w.check(t, []string{"dev", "--kafka-port", "0"}, 0, "Any ZooKeeper client works now", "")
	if len(w.brokers) != 0 {
		t.Error("a broker was started")
	}
	w = newWorld()
	w.onBroker = func(*fakeBroker) error { return portInUse("127.0.0.1", 9092) }
	w.check(t, []string{"dev"}, 1, "", "holt: port 127.0.0.1:9092 is in use, perhaps by Kafka or another Holt: stop that one (to find it: ss -ltnp), "+
		"or take another port: holt dev --kafka-port 9192; without a broker: holt dev --kafka-port 0\n")
	if w.members[0].closed != 1 {
		t.Error("the member that had started was not closed")
	}
	w = newWorld()
	w.onBroker = func(b *fakeBroker) error { return b.fail(syscall.EIO) }
	w.check(t, []string{"dev"}, 3, "", "holt: broker 1 stops: input/output error\n")
}

const brokerSample = "broker.id=1\nlisteners=PLAINTEXT://127.0.0.1:9092\nlog.dirs=/d\nzookeeper.connect=127.0.0.1:2181/kafka\n"

func TestBroker(t *testing.T) {
	w := newWorld()
	w.stop <- syscall.SIGTERM
	w.check(t, []string{"broker", w.file(t, brokerSample), "--override", "broker.id=7"}, 0, "", "stopping")
	if cfg := w.brokerConfigs[0]; cfg.ID != 7 || cfg.ZooKeeper.Chroot != "/kafka" || cfg.LogDirs[0] != "/d" {
		t.Errorf("started with %+v", cfg)
	}
	if w.brokers[0].closed != 1 {
		t.Errorf("closed %d times", w.brokers[0].closed)
	}
	w = newWorld()
	name := w.file(t, brokerSample)
	w.check(t, []string{"broker", "--check", name}, 0, name+": fine\n", "")
	if len(w.brokers) != 0 {
		t.Error("a broker was started")
	}
	w = newWorld()
	w.check(t, []string{"broker", w.file(t, brokerSample+"num.partitons=1\n")}, 2, "", "num.partitons")
	w = newWorld()
	w.check(t, []string{"broker", "a", "b"}, 2, "", "takes at most 1 arguments")
	w = newWorld()
	w.check(t, []string{"broker", "list", "-b", "127.0.0.1:1", "--timeout", "1s"}, 7, "", "no broker answers at 127.0.0.1:1")
	w = newWorld()
	w.onBroker = func(*fakeBroker) error { return portInUse("127.0.0.1", 9092) }
	w.check(t, []string{"broker", w.file(t, brokerSample)}, 1, "", "holt: port 127.0.0.1:9092 is in use, perhaps by Kafka or another Holt")
	w = newWorld()
	w.onBroker = func(b *fakeBroker) error { return b.fail(syscall.EIO) }
	w.check(t, []string{"broker", w.file(t, brokerSample)}, 3, "", "holt: broker 1 stops: input/output error\n")
}

func TestDevNetwork(t *testing.T) {
	n := newDevNetwork()
	if _, err := n.dial(t.Context(), peerName(0)); err == nil {
		t.Error("connected to a member that does not listen")
	}
	l, err := n.listen(peerName(0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.dial(t.Context(), peerName(0))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
}

func TestServes(t *testing.T) {
	for line, want := range map[string]bool{
		"": false, "serve": true, "serve zoo.cfg": true, "dev -n 3": true, "broker server.properties": true,
		"zkserver --config /etc/zookeeper start-foreground": true, "zkserver start": false, "bench get": false, "version": false,
	} {
		if got := serves(strings.Fields(line)); got != want {
			t.Errorf("holt %s: %t", line, got)
		}
	}
}
