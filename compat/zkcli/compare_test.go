package zkcli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// runWait bounds one run of a program.
const runWait = 2 * time.Minute

// TestSameAsOriginal puts all lines through both programs. With a filter for some of its
// parts, it does not look whether every accepted difference occurs.
func TestSameAsOriginal(t *testing.T) {
	target.Kind(t)
	text, err := os.ReadFile("testdata/accepted.txt")
	if err != nil {
		t.Fatal(err)
	}
	c := comparison{java: original(t), holt: ours(t)}
	if c.accepted, err = readAccepted(string(text)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/session-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { c.session(t, file) })
	}
	t.Run("oneshot", c.commandLines)
	t.Logf("%d lines compared", c.lines)
	if c.parts < len(files)+1 {
		return
	}
	if c.lines < 120 {
		t.Errorf("only %d lines were compared", c.lines)
	}
	for _, a := range c.accepted {
		if !a.used {
			t.Errorf("does not differ any more: %s | %s | %s", a.line, a.stream, a.reason)
		}
	}
}

// comparison is what the parts of the test share.
type comparison struct {
	java, holt   program
	accepted     []*accepted
	parts, lines int // compared so far
}

// session compares an interactive session line by line.
func (c *comparison) session(t *testing.T, file string) {
	lines, suffix := readScript(t, file)
	want := session(t, c.java, lines, suffix)
	got := session(t, c.holt, lines, suffix)
	c.report(t, "(greeting)", "stdout", got.greeting, want.greeting)
	if len(got.turns) != len(want.turns) {
		t.Errorf("%d lines were run, want %d", len(got.turns), len(want.turns))
	}
	for i := range min(len(got.turns), len(want.turns)) {
		c.report(t, want.turns[i].line, "stdout", got.turns[i].stdout, want.turns[i].stdout)
		c.report(t, want.turns[i].line, "stderr", got.turns[i].stderr, want.turns[i].stderr)
	}
	c.report(t, "(events)", "stdout", strings.Join(got.events, "\n"), strings.Join(want.events, "\n"))
	c.report(t, "(end)", "exit", fmt.Sprint(got.exitCode), fmt.Sprint(want.exitCode))
	c.parts++
	c.lines += len(want.turns)
}

// commandLines compares runs of the program with one command each, of which the exit code
// matters most.
func (c *comparison) commandLines(t *testing.T) {
	lines, _ := readScript(t, "testdata/oneshot.txt")
	var outcomes [2][]outcome
	for i, p := range []program{c.java, c.holt} {
		server := startServer(t)
		for _, line := range lines {
			outcomes[i] = append(outcomes[i], oneShot(t, p, server, line))
		}
	}
	for i, line := range lines {
		want, got := outcomes[0][i], outcomes[1][i]
		c.report(t, line, "stdout", got.stdout, want.stdout)
		c.report(t, line, "stderr", got.stderr, want.stderr)
		c.report(t, line, "exit", fmt.Sprint(got.exitCode), fmt.Sprint(want.exitCode))
	}
	c.parts++
	c.lines += len(lines)
}

func (c *comparison) report(t *testing.T, line, stream, got, want string) {
	t.Helper()
	if got != want && !accepts(c.accepted, line, stream) {
		t.Errorf("%s: %s differs\n got %q\nwant %q", line, stream, got, want)
	}
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
