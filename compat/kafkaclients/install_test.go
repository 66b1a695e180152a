package kafkaclients

import (
	"embed"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/kafka"
	"holt/compat/target"
)

// Versions of what is fetched. Debian has one kcat, and kafka.Version is the third of Kafka's.
const (
	confluentVersion   = "2.16.1"
	kafkaPythonVersion = "3.0.12"
	kafkaJSVersion     = "2.2.4"
	kafka4Version      = "4.2.0"
)

//go:embed files
var embedded embed.FS

// cached returns a folder of the cache that fill made from what the words of key name. fill works
// in another folder first, so that half of it is never taken for the whole.
func cached(t *testing.T, name string, key []string, fill func(dir string)) string {
	t.Helper()
	cache, err := ensemble.CacheDir()
	check(t, err)
	h := fnv.New32a()
	fmt.Fprint(h, key)
	dir := filepath.Join(cache, fmt.Sprintf("%s-%08x", name, h.Sum32()))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	partial := dir + ".partial"
	check(t, os.RemoveAll(partial))
	check(t, os.MkdirAll(partial, 0o755))
	fill(partial)
	check(t, os.Rename(partial, dir))
	return dir
}

// do runs a command that must succeed.
func do(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return string(out)
}

// python returns an interpreter that has the clients for Python. They are installed beside it and
// not in an environment of their own, since one of those does not survive being renamed.
func python(t *testing.T) (interpreter string, env []string) {
	target.Require(t, target.Tool{Check: []string{"python3", "-m", "pip", "--version"}, Package: "python3-pip"})
	packages := []string{"confluent-kafka==" + confluentVersion, "kafka-python==" + kafkaPythonVersion, "python-snappy==0.7.3", "lz4==4.4.5", "zstandard==0.25.0"}
	dir := cached(t, "kafkaclients-python", packages, func(dir string) {
		do(t, dir, append([]string{"python3", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-warn-script-location", "--root-user-action=ignore", "--target", "."}, packages...)...)
	})
	return "python3", []string{"PYTHONPATH=" + dir, "PYTHONDONTWRITEBYTECODE=1"}
}

// javaScript returns node, and the environment in which it finds kafkajs and the codecs that
// kafkajs wants plugged in.
func javaScript(t *testing.T) (interpreter string, env []string) {
	target.Require(t, target.Tool{Check: []string{"npm", "--version"}, Package: "npm"})
	packages := []string{"kafkajs@" + kafkaJSVersion, "kafkajs-snappy@1.1.0", "lz4-napi@2.10.0", "@bokuweb/zstd-wasm@0.0.27"}
	dir := cached(t, "kafkaclients-node", packages, func(dir string) {
		do(t, dir, append([]string{"npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", "."}, packages...)...)
	})
	return "node", []string{"NODE_PATH=" + filepath.Join(dir, "node_modules")}
}

func requireJava(t *testing.T) {
	target.Require(t, target.Tool{Check: []string{"javac", "-version"}, Package: "default-jdk-headless"})
	target.Require(t, target.Tool{Check: []string{"mvn", "-version"}, Package: "maven"})
}

// jars is one version of Apache Kafka's jars.
type jars struct{ version, classPath, log4j string }

// kafkaJars returns both versions.
func kafkaJars(t *testing.T) []jars {
	requireJava(t)
	three, err := kafka.Load(t.Context())
	check(t, err)
	files, err := fs.Sub(embedded, "files")
	check(t, err)
	dir, err := ensemble.Jars(t.Context(), "kafka-"+kafka4Version, files)
	check(t, err)
	log4j := filepath.Join(filepath.Dir(filepath.Dir(three.ClassPath())), "tools.log4j")
	return []jars{{kafka.Version, three.ClassPath(), log4j}, {kafka4Version, filepath.Join(dir, "lib") + "/*", log4j}}
}

// goClient builds a suite of the module goclients.
func goClient(t *testing.T, name string) string {
	path := filepath.Join(t.TempDir(), name)
	do(t, "goclients", "go", "build", "-o", path, "./"+name)
	return path
}

// goVersion returns the version of a module that goclients requires.
func goVersion(t *testing.T, module string) string {
	return strings.TrimPrefix(strings.TrimSpace(do(t, "goclients", "go", "list", "-m", "-f", "{{.Version}}", module)), "v")
}
