package ensemble

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
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
	files, err := fs.Sub(originalFiles, "original")
	if err != nil {
		return nil, err
	}
	// Without logback.xml the server logs every request, which costs more than serving it.
	dir, err := Jars(ctx, "zookeeper-"+OriginalVersion, files)
	if err != nil {
		return nil, fmt.Errorf("install Apache ZooKeeper %s: %w", OriginalVersion, err)
	}
	return &Original{dir: dir}, nil
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
