package kafkaclients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// client is a client under test: what starts its suite, which takes BOOTSTRAP NAME STAGE.
type client struct {
	name    string // of its topics, and of the test
	version string
	argv    []string
	env     []string
}

// result is one line of a suite.
type result struct {
	state  string // ok, FAIL, lacks
	detail string
}

// checks are what each suite must report in a stage, in that order.
var checks = map[string][]string{
	"first": {"admin", "none", "gzip", "snappy", "lz4", "zstd", "group", "commit", "idempotent", "transaction", "txn-offsets"},
	"again": {"restart"},
}

// run runs one stage of the client's suite and returns what it reported; the test fails for each
// check that failed or was not reported.
func (c client) run(t *testing.T, bootstrap, stage string) map[string]result {
	t.Helper()
	const patience = 4 * time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.argv[0], append(slices.Clone(c.argv[1:]), bootstrap, c.name, stage)...)
	cmd.Env = append(os.Environ(), c.env...)
	// A suite starts processes of its own, which end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	began := time.Now()
	err := cmd.Run()
	results, done := parse(out.String())
	for _, name := range checks[stage] {
		switch r, ok := results[name]; {
		case !ok:
			t.Errorf("%s: not reported", name)
		case r.state == "FAIL":
			t.Errorf("%s: %s", name, r.detail)
		default:
			t.Logf("%s %s %s", r.state, name, r.detail)
		}
	}
	if err != nil || !done {
		t.Errorf("%s %s: done %v, %v", c.name, stage, done, err)
	}
	if t.Failed() {
		t.Logf("%s", tail(complaint.String()))
	}
	t.Logf("%s %s: %.1f s", c.name, stage, time.Since(began).Seconds())
	return results
}

func tail(s string) string { return s[max(0, len(s)-40_000):] }

// parse reads the lines of a suite.
func parse(out string) (results map[string]result, done bool) {
	results = make(map[string]result)
	for line := range strings.Lines(out) {
		state, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, detail, _ := strings.Cut(rest, " ")
		switch state {
		case "ok", "FAIL", "lacks":
			results[name] = result{state, strings.TrimSpace(detail)}
		case "done":
			done = true
		}
	}
	return results, done
}
