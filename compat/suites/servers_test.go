package suites

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// cached returns the folder name of the cache. Unless it is there, fill makes it: in another
// folder first, so that half of it is never taken for the whole.
func cached(t *testing.T, name string, fill func(dir string)) string {
	t.Helper()
	cache, err := ensemble.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, name)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		t.Fatal(err)
	}
	fill(partial)
	if err := os.Rename(partial, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// do runs a command that must succeed.
func do(t *testing.T, dir string, argv ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return out
}

// launcherAs builds the launcher, as the file name of a folder that it returns with the
// environment the launcher needs to start servers of kind.
func launcherAs(t *testing.T, kind ensemble.Kind, name string) (dir string, env []string) {
	t.Helper()
	dir = t.TempDir()
	do(t, "", "go", "build", "-o", filepath.Join(dir, name), "./launcher")
	env = append(os.Environ(), "SUITE_SERVER="+string(kind))
	switch kind {
	case ensemble.Holt:
		path, err := ensemble.BuildHolt(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, "SUITE_PROGRAM="+path)
	case ensemble.ZooKeeper:
		java := requireJava(t)
		o, err := ensemble.LoadOriginal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, "SUITE_PROGRAM="+java, "SUITE_CLASSPATH="+o.ClassPath())
	}
	return dir, env
}

// requireJava returns the path of java, and has Maven there as well.
func requireJava(t *testing.T) string {
	t.Helper()
	target.Require(t, target.Tool{Check: []string{"java", "-version"}, Package: "default-jdk-headless"})
	target.Require(t, target.Tool{Check: []string{"mvn", "-version"}, Package: "maven"})
	java, err := exec.LookPath("java")
	if err != nil {
		t.Fatal(err)
	}
	return java
}

// runSuite runs a suite to its end, whatever its exit code, with all it starts in one process
// group that does not outlive it, and returns what it printed.
func runSuite(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(t.Context(), func() { endGroup(t, cmd) })
	defer stop()
	err := cmd.Wait()
	endGroup(t, cmd)
	t.Logf("%s: %v", cmd, err)
	return out.String()
}

// endGroup kills what is left of the process group of cmd.
func endGroup(t *testing.T, cmd *exec.Cmd) {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		t.Errorf("end what %s started: %v", cmd.Path, err)
	}
}

// report logs every outcome and fails the test for each thing that judge finds wrong.
func report(t *testing.T, suite string, outcomes []outcome, least int) {
	t.Helper()
	text, err := os.ReadFile("testdata/exceptions.txt")
	if err != nil {
		t.Fatal(err)
	}
	exceptions, err := ParseExceptions(string(text))
	if err != nil {
		t.Fatalf("testdata/exceptions.txt: %v", err)
	}
	kind := target.Kind(t)
	count := make(map[state]int)
	for _, o := range outcomes {
		count[o.state]++
		if i := excuse(suite, kind, o.test, exceptions); o.state == failed && i >= 0 {
			t.Logf("expected: %s failed: %s", o.test, exceptions[i].Reason)
		} else {
			t.Logf("%s: %s", o.state, o.test)
		}
	}
	t.Logf("%s on %s: %d passed, %d failed, %d skipped themselves", suite, kind, count[passed], count[failed], count[skipped])
	for _, complaint := range judge(suite, kind, outcomes, exceptions, least) {
		t.Error(complaint)
	}
}
