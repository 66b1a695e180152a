package migration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"holt/compat/ensemble"
)

// version is one release of Apache ZooKeeper.
type version struct {
	name string
	// extra are jars that it needs and does not name.
	extra []string
	// since35 has containers and dynamic configuration, since36 digests and compression.
	since35, since36 bool
}

var versions = []version{
	{name: "3.4.14"},
	{name: "3.5.10", since35: true},
	{name: "3.6.4", since35: true, since36: true, extra: []string{"io.dropwizard.metrics:metrics-core:3.2.5", "org.xerial.snappy:snappy-java:1.1.7"}},
	{name: "3.7.2", since35: true, since36: true, extra: []string{"io.dropwizard.metrics:metrics-core:4.1.12.1", "org.xerial.snappy:snappy-java:1.1.7.7"}},
	{name: "3.8.4", since35: true, since36: true, extra: []string{"io.dropwizard.metrics:metrics-core:4.1.12.1", "org.xerial.snappy:snappy-java:1.1.10.5"}},
	{name: "3.9.4", since35: true, since36: true},
}

// install fetches a release with Maven, once per checkout.
func (v version) install(t testing.TB) (classPath string) {
	t.Helper()
	if v.name == ensemble.OriginalVersion {
		o, err := ensemble.LoadOriginal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return o.ClassPath()
	}
	var deps bytes.Buffer
	for _, d := range append([]string{"org.apache.zookeeper:zookeeper:" + v.name}, v.extra...) {
		p := strings.Split(d, ":")
		fmt.Fprintf(&deps, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n", p[0], p[1], p[2])
	}
	pom := `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>holt.compat</groupId><artifactId>old</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>` + deps.String() + `</dependencies></project>`
	log := "log4j.rootLogger=WARN, C\nlog4j.appender.C=org.apache.log4j.ConsoleAppender\nlog4j.appender.C.layout=org.apache.log4j.SimpleLayout\n"
	dir, err := ensemble.Jars(t.Context(), "zookeeper-"+v.name, fstest.MapFS{
		"pom.xml": {Data: []byte(pom)}, "log4j.properties": {Data: []byte(log)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "lib") + "/*:" + dir
}

// server is a running process of some release, standalone.
type server struct {
	addr, dataDir string
	log           string // the file with what it prints
	cmd           *exec.Cmd
}

// start starts a server on dataDir; settings are further lines of zoo.cfg, flags those of the JVM.
func (v version) start(t testing.TB, dataDir string, port int, settings, flags []string) *server {
	t.Helper()
	cfg := writeConfig(t, dataDir, port, append(settings, "admin.enableServer=false"))
	args := append([]string{"-Xmx600m", "-XX:TieredStopAtLevel=1", "-Dzookeeper.extendedTypesEnabled=true", "-cp", v.install(t)}, flags...)
	return startProcess(t, exec.Command("java", append(args, "org.apache.zookeeper.server.quorum.QuorumPeerMain", cfg)...), dataDir, port)
}

// writeConfig writes a zoo.cfg that either kind of server reads.
func writeConfig(t testing.TB, dataDir string, port int, settings []string) string {
	t.Helper()
	lines := []string{
		"dataDir=" + dataDir, fmt.Sprintf("clientPort=%d", port), "clientPortAddress=127.0.0.1", "tickTime=2000",
		"maxClientCnxns=0", "skipACL=yes", "4lw.commands.whitelist=*",
	}
	cfg := filepath.Join(t.TempDir(), "zoo.cfg")
	if err := os.WriteFile(cfg, []byte(strings.Join(append(lines, settings...), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// startProcess starts cmd; when the test fails, the end of what it printed is told.
func startProcess(t testing.TB, cmd *exec.Cmd, dataDir string, port int) *server {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{addr: fmt.Sprintf("127.0.0.1:%d", port), dataDir: dataDir, log: out.Name(), cmd: cmd}
	t.Cleanup(func() {
		s.kill()
		if text, err := os.ReadFile(out.Name()); t.Failed() && err == nil {
			t.Logf("%s printed\n%s", cmd.Path, text[max(0, len(text)-3000):])
		}
		closeQuietly(out)
	})
	return s
}

// kill ends the process with SIGKILL; it may be called twice.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill() // it may have ended by itself
		_ = s.cmd.Wait()         // killed, so there is an error
	}
}

// stop asks the process to end and waits for it.
func (s *server) stop() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		_ = s.cmd.Wait()
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	return must[[]int](t)(ensemble.FreePorts(1))[0]
}
