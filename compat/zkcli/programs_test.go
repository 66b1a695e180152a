package zkcli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holt/compat/ensemble"
)

// program is one of the two command lines.
type program struct {
	name    string
	command func(args ...string) *exec.Cmd
}

// original is ZooKeeperMain.
func original(t *testing.T) program {
	t.Helper()
	o, err := ensemble.LoadOriginal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return program{"original", o.CLI}
}

// ours is cmd/zkcli, built for the test.
func ours(t *testing.T) program {
	t.Helper()
	file := filepath.Join(t.TempDir(), "zkcli")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, "holt/cmd/zkcli")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build zkcli: %v\n%s", err, out)
	}
	return program{"zkcli", func(args ...string) *exec.Cmd { return exec.Command(file, args...) }}
}

// outcome is what a run of a program came to.
type outcome struct {
	stdout, stderr string
	exitCode       int
}

// run runs the program to its end.
func (p program) run(ctx context.Context, input string, args ...string) (outcome, error) {
	cmd := p.command(args...)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// Both write UTF-8, and times in the same zone.
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	if err := cmd.Start(); err != nil {
		return outcome{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // Wait reports what came of it
	defer stop()
	err := cmd.Wait()
	if ctx.Err() != nil {
		return outcome{}, context.Cause(ctx)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{}, err
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}, nil
}
