package suites

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holt/compat/ensemble"
	"holt/compat/target"
)

const curatorVersion = "5.9.0"

// TestCurator runs the program of testdata/curator, which drives Curator's recipes and has
// members killed meanwhile.
func TestCurator(t *testing.T) {
	target.Kind(t)
	requireJava(t)
	jars := filepath.Join(curator(t), "lib") + "/*"
	classes := t.TempDir()
	sources, err := filepath.Glob("testdata/curator/*.java")
	if err != nil {
		t.Fatal(err)
	}
	do(t, "", append([]string{"javac", "-proc:none", "-nowarn", "-cp", jars, "-d", classes}, sources...)...)
	e := target.Start(t, ensemble.Config{
		Members:    3,
		Settings:   []string{"tickTime=500"},
		Properties: []string{"zookeeper.extendedTypesEnabled=true", "znode.container.checkIntervalMs=500"},
	})
	cmd := exec.CommandContext(t.Context(), "java", "-Xmx256m", "-cp", jars+":"+classes, "Suite", strings.Join(e.Addrs(), ","))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	outcomes := runCurator(t, e, cmd)
	report(t, "curator", outcomes, 30)
}

// curator returns a folder with the jars of the recipes in lib.
func curator(t *testing.T) string {
	return cached(t, "curator-"+curatorVersion, func(dir string) {
		do(t, "", "mvn", "-q", "-B", "-f", "testdata/curator/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "lib"))
	})
}

// runCurator answers the lines of the program until it ends.
func runCurator(t *testing.T, e *ensemble.Ensemble, cmd *exec.Cmd) []outcome {
	t.Helper()
	var complaint strings.Builder
	cmd.Stderr = &complaint
	answers, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	outcomes, ended := followCurator(t, e, lines, answers)
	if err := cmd.Wait(); err != nil || !ended {
		t.Errorf("the program ended before its last check: %v\n%s", err, complaint.String())
	}
	return outcomes
}

func followCurator(t *testing.T, e *ensemble.Ensemble, lines io.Reader, answers io.Writer) (outcomes []outcome, ended bool) {
	t.Helper()
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		word, rest, _ := strings.Cut(scanner.Text(), " ")
		switch word {
		case "ok":
			outcomes = append(outcomes, outcome{test: rest, state: passed})
			t.Log("ok", rest)
		case "failed":
			name, why, _ := strings.Cut(rest, ": ")
			outcomes = append(outcomes, outcome{test: name, state: failed, output: why})
			t.Log("failed", rest)
		case "kill":
			answer(t, answers, kill(e, "127.0.0.1:"+rest))
		case "restart":
			answer(t, answers, e.StartAll(t.Context()))
		case "ended":
			ended = true
		}
	}
	if err := scanner.Err(); err != nil {
		t.Error(err)
	}
	return outcomes, ended
}

// answer tells the program how a request of it went.
func answer(t *testing.T, w io.Writer, err error) {
	t.Helper()
	text := "done"
	if err != nil {
		t.Log(err)
		text = err.Error()
	}
	if _, err := fmt.Fprintln(w, text); err != nil {
		t.Error(err)
	}
}

// kill ends the member whose clients' address is addr.
func kill(e *ensemble.Ensemble, addr string) error {
	for _, m := range e.Members() {
		if m.Addr() == addr {
			return m.Kill()
		}
	}
	return fmt.Errorf("no member at %s", addr)
}
