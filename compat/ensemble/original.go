package ensemble

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// OriginalVersion is the release of Apache ZooKeeper that Holt is compared with: the newest
// 3.9 of which every needed artifact is published.
const OriginalVersion = "3.9.4"

//go:embed original
var originalFiles embed.FS

// Original is an installed Apache ZooKeeper: its server and its command line.
type Original struct {
	dir string // holds lib/*.jar and logback.xml
}

// LoadOriginal returns Apache ZooKeeper, which it fetches with Maven when the cache directory
// does not have it yet. The error says what to install when Java or Maven is absent.
func LoadOriginal(ctx context.Context) (*Original, error) {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("find %s: %w: install it with 'apt-get install default-jre-headless maven'", tool, err)
		}
	}
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	o := &Original{dir: filepath.Join(cache, "zookeeper-"+OriginalVersion)}
	unlock, err := lockFile(o.dir + ".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Stat(o.dir); err == nil {
		return o, o.configureLog(o.dir)
	}
	if err := o.install(ctx); err != nil {
		return nil, fmt.Errorf("install Apache ZooKeeper %s: %w", OriginalVersion, err)
	}
	return o, nil
}

// configureLog puts logback.xml in dir. Without it the server logs every request, which costs
// more than serving it, so it is renewed on every load.
func (o *Original) configureLog(dir string) error {
	b, err := originalFiles.ReadFile("original/logback.xml")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "logback.xml"), b, 0o644)
}

// install fetches into a directory beside the final one and renames it, so that an
// interrupted download is never taken for an installation.
func (o *Original) install(ctx context.Context) error {
	tmp := o.dir + ".partial"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	pom, err := originalFiles.ReadFile("original/pom.xml")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	if err := o.configureLog(tmp); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", filepath.Join(tmp, "pom.xml"),
		"dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(tmp, "lib"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn dependency:copy-dependencies: %w: %s", err, lastLine(out))
	}
	return os.Rename(tmp, o.dir)
}

// Java returns a java process with the installation on its class path, not started; class may be
// a source file, which java compiles.
func (o *Original) Java(class string, args ...string) *exec.Cmd {
	return o.java(nil, class, args...)
}

// ClassPath returns the class path of the installation.
func (o *Original) ClassPath() string { return filepath.Join(o.dir, "lib") + "/*:" + o.dir }

func (o *Original) java(flags []string, class string, args ...string) *exec.Cmd {
	argv := append([]string{"-cp", o.ClassPath()}, flags...)
	return exec.Command("java", append(append(argv, class), args...)...)
}

// CLI returns zkCli.sh's program, ZooKeeperMain, with the given arguments; it is not started.
func (o *Original) CLI(args ...string) *exec.Cmd {
	return o.java([]string{"-Xmx128m", "-XX:TieredStopAtLevel=1"}, "org.apache.zookeeper.ZooKeeperMain", args...)
}

func (o *Original) command(cfgPath string, heapMiB int, properties []string) *exec.Cmd {
	if heapMiB == 0 {
		heapMiB = 1000 // what zkServer.sh sets
	}
	flags := []string{fmt.Sprintf("-Xmx%dm", heapMiB)}
	for _, p := range properties {
		flags = append(flags, "-D"+p)
	}
	return o.java(flags, "org.apache.zookeeper.server.quorum.QuorumPeerMain", cfgPath)
}

func (o *Original) settings([]string) []string {
	// The Prometheus provider stays off, which is the default: it would double the cost of
	// each request.
	return []string{"admin.enableServer=false"}
}

// lastLine returns the last line of a tool's output that is not blank.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
