package clients

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"holt/compat/ensemble"
)

// runScript runs a suite in another language, which speaks the lines that the package comment
// describes, and fails the test unless it says that it passed.
func runScript(t *testing.T, e *ensemble.Ensemble, argv ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], append(argv[1:], strings.Join(e.Addrs(), ","))...)
	answers, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	passed := follow(t, e, lines, answers)
	if err := cmd.Wait(); err != nil || !passed {
		t.Errorf("%q: passed %v, %v\n%s", argv, passed, err, complaint.String())
	}
	if err := e.StartAll(t.Context()); err != nil { // what the suite had killed
		t.Fatal(err)
	}
}

// follow answers the lines of a suite until it ends, and tells whether it passed.
func follow(t *testing.T, e *ensemble.Ensemble, lines io.Reader, answers io.Writer) (passed bool) {
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		word, rest, _ := strings.Cut(scanner.Text(), " ")
		switch word {
		case "ok":
			t.Log("ok ", rest)
		case "passed":
			passed = true
		case "kill":
			killMember(t, e, "127.0.0.1:"+rest)
			if _, err := fmt.Fprintln(answers, "done"); err != nil {
				t.Error(err)
			}
		}
	}
	if err := scanner.Err(); err != nil {
		t.Error(err)
	}
	return passed
}
