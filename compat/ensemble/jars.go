package ensemble

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Jars returns a directory of the cache whose lib holds the dependencies of a Maven project, and
// fetches them there unless they are. files has the project's pom.xml and settings that the
// programs read, which are put beside lib; name names the directory and has the version in it.
// The error says what to install when Java or Maven is absent.
func Jars(ctx context.Context, name string, files fs.FS) (dir string, err error) {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("find %s: %w: install it with 'apt-get install default-jre-headless maven'", tool, err)
		}
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cache, name)
	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, putFiles(dir, files)
	}
	return dir, fetchJars(ctx, dir, files)
}

// fetchJars fetches into a directory beside the final one and renames it, so that an interrupted
// download is never taken for an installation.
func fetchJars(ctx context.Context, dir string, files fs.FS) error {
	tmp := dir + ".partial"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	if err := putFiles(tmp, files); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", filepath.Join(tmp, "pom.xml"),
		"dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(tmp, "lib"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn dependency:copy-dependencies: %w: %s", err, lastLine(out))
	}
	return os.Rename(tmp, dir)
}

// putFiles copies those of files that dir has in another version: a program may just read them.
func putFiles(dir string, files fs.FS) error {
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		if old, err := os.ReadFile(filepath.Join(dir, path)); err == nil && bytes.Equal(old, b) {
			return nil
		}
		return os.WriteFile(filepath.Join(dir, path), b, 0o644)
	})
}

// lastLine returns the last line of a tool's output that is not blank.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
