package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"holt/compat/ensemble"
)

// generator is the built holt command.
type generator struct{ path string }

// run gives a load to an ensemble and returns the report.
func (g generator) run(ctx context.Context, e *ensemble.Ensemble, args ...string) (*report, error) {
	return g.runAt(ctx, e.Addrs(), e.PIDs(), args...)
}

// runAt is run for servers at addrs with process ids pids. Errors of requests and lost lanes are
// an error: a figure of a load that half failed says nothing.
func (g generator) runAt(ctx context.Context, addrs []string, pids []int, args ...string) (*report, error) {
	var ids []string
	for _, pid := range pids {
		ids = append(ids, strconv.Itoa(pid))
	}
	args = append([]string{"bench"}, args...)
	args = append(args, "--servers", strings.Join(addrs, ","), "--pids", strings.Join(ids, ","), "-o", "json")
	cmd := exec.CommandContext(ctx, g.path, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("holt %s: %w", strings.Join(args, " "), err)
	}
	r := new(report)
	if err := json.Unmarshal(out, r); err != nil {
		return nil, fmt.Errorf("holt %s: %w", strings.Join(args, " "), err)
	}
	if len(r.Errors) > 0 || len(r.LanesLost) > 0 {
		return nil, fmt.Errorf("holt %s: errors %v, lanes lost: %q", strings.Join(args, " "), r.Errors, r.LanesLost)
	}
	return r, nil
}

// timed returns the arguments that set how long a load is warmed up and measured.
func timed(warmUp, duration time.Duration) []string {
	if warmUp == 0 {
		warmUp = -1 // 0 is the default
	}
	return []string{"--warm-up", warmUp.String(), "--duration", duration.String()}
}
