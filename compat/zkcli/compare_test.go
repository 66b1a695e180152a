package zkcli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// runWait bounds one run of a program.
const runWait = 2 * time.Minute

// TestSessions compares interactive sessions line by line.
func TestSessions(t *testing.T) {
	target.Kind(t)
	java, holt := original(t), ours(t)
	list := loadAccepted(t)
	files, err := filepath.Glob("testdata/session-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, %v", files, err)
	}
	compared := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			lines, suffix := readScript(t, file)
			want := session(t, java, lines, suffix)
			got := session(t, holt, lines, suffix)
			compareSessions(t, list, got, want)
			compared += len(want.turns)
		})
	}
	t.Logf("%d lines compared", compared)
	if compared < 120 {
		t.Errorf("only %d lines were compared", compared)
	}
}

// TestCommandLines compares runs of the program with one command each, of which the exit code
// matters most.
func TestCommandLines(t *testing.T) {
	target.Kind(t)
	java, holt := original(t), ours(t)
	list := loadAccepted(t)
	lines, _ := readScript(t, "testdata/oneshot.txt")
	var outcomes [2][]outcome
	for i, p := range []program{java, holt} {
		server := startServer(t)
		for _, line := range lines {
			outcomes[i] = append(outcomes[i], oneShot(t, p, server, line))
		}
	}
	for i, line := range lines {
		want, got := outcomes[0][i], outcomes[1][i]
		report(t, list, line, "stdout", got.stdout, want.stdout)
		report(t, list, line, "stderr", got.stderr, want.stderr)
		report(t, list, line, "exit", fmt.Sprint(got.exitCode), fmt.Sprint(want.exitCode))
	}
}

// TestAcceptedDifferencesOccur runs after the others: an entry that no longer describes
// anything must go.
func TestAcceptedDifferencesOccur(t *testing.T) {
	target.Kind(t)
	for _, a := range loadAccepted(t) {
		if !a.used {
			t.Errorf("does not differ any more: %s | %s | %s", a.line, a.stream, a.reason)
		}
	}
}

// acceptedList is shared by the tests of this package, which run one after the other.
var acceptedList []*accepted

func loadAccepted(t *testing.T) []*accepted {
	t.Helper()
	if acceptedList != nil {
		return acceptedList
	}
	text, err := os.ReadFile("testdata/accepted.txt")
	if err != nil {
		t.Fatal(err)
	}
	if acceptedList, err = readAccepted(string(text)); err != nil {
		t.Fatal(err)
	}
	return acceptedList
}

// readScript returns the lines of a script, and what its header says to put behind the
// address of the server.
func readScript(t *testing.T, file string) (lines []string, suffix string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if s, ok := strings.CutPrefix(line, "# server: "); ok {
			suffix = s
		} else if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines, suffix
}

// startServer starts an empty server and returns its address.
func startServer(t *testing.T) string {
	t.Helper()
	e := target.Start(t, ensemble.Config{Settings: []string{"extendedTypesEnabled=true"}})
	return e.Addrs()[0]
}

// session pipes lines into a program and takes apart what it writes.
func session(t *testing.T, p program, lines []string, suffix string) *transcript {
	t.Helper()
	server := startServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), runWait)
	defer cancel()
	input := strings.ReplaceAll(strings.Join(withMarkers(lines), "\n")+"\n", "SERVER", server)
	out, err := p.run(ctx, input, "-server", server+suffix)
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	tr, err := takeApart(lines, server, out.stdout, out.stderr)
	if err != nil {
		t.Fatalf("%s: %v\nstdout:\n%s\nstderr:\n%s", p.name, err, out.stdout, out.stderr)
	}
	tr.exitCode = out.exitCode
	return tr
}

func compareSessions(t *testing.T, list []*accepted, got, want *transcript) {
	t.Helper()
	report(t, list, "(greeting)", "stdout", got.greeting, want.greeting)
	if len(got.turns) != len(want.turns) {
		t.Errorf("%d lines were run, want %d", len(got.turns), len(want.turns))
	}
	for i := range min(len(got.turns), len(want.turns)) {
		report(t, list, want.turns[i].line, "stdout", got.turns[i].stdout, want.turns[i].stdout)
		report(t, list, want.turns[i].line, "stderr", got.turns[i].stderr, want.turns[i].stderr)
	}
	if !slices.Equal(got.events, want.events) {
		report(t, list, "(events)", "stdout", strings.Join(got.events, "\n"), strings.Join(want.events, "\n"))
	}
	report(t, list, "(end)", "exit", fmt.Sprint(got.exitCode), fmt.Sprint(want.exitCode))
}

// oneShot runs a program with the words of a line.
func oneShot(t *testing.T, p program, server, line string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runWait)
	defer cancel()
	out, err := p.run(ctx, "", words(strings.ReplaceAll(line, "SERVER", server))...)
	if err != nil {
		t.Fatalf("%s %s: %v", p.name, line, err)
	}
	// Whether the event of the connection comes before the end is chance; and each run has a
	// session, which the two end differently, so zxids drift apart.
	out.stdout, _ = takeEvents(plain(server, out.stdout))
	out.stdout = zxidLine.ReplaceAllString(out.stdout, "$1 = ZXID")
	out.stderr = plain(server, out.stderr)
	return out
}

// words splits a line at blanks outside double quotes.
func words(line string) []string {
	var list []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	return list
}

func report(t *testing.T, list []*accepted, line, stream, got, want string) {
	t.Helper()
	if got != want && !accepts(list, line, stream) {
		t.Errorf("%s: %s differs\n got %q\nwant %q", line, stream, got, want)
	}
}
