package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"holt/compat/ensemble"
)

// shareMax is what metrics may take of the server's CPU.
const shareMax = 2.0

// counting are the functions of metrics, clock those that read it, in profiles.
const (
	counting = `holt/wire/metric\.|server\.\(\*Metrics\)|server\.\(\*batch\)|server\.\(\*latency\)|server\.\(\*answers\)|server\.\(\*connStats\)|quorum\.\(\*Member\)\.measure|quorum\.\(\*stages\)|measureQueueLocked|measureApplied|measureTells|\.Metrics\)\.`
	clock    = `time\.Now|time\.Since|crtime\.NowMono`
)

type load struct {
	name string
	args []string
}

func loads() []load {
	return []load{
		{"get, 20 × 10", []string{"get", "-c", "20", "-n", "10"}},
		{"get, 100 × 1", []string{"get", "-c", "100", "-n", "1"}},
		{"set, 20 × 10", []string{"set", "-c", "20", "-n", "10"}},
		{"set, 100 × 1", []string{"set", "-c", "100", "-n", "1"}},
	}
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == serveFlag {
		if err := serve(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "metricscost:", err)
			os.Exit(1)
		}
		return
	}
	lasting := flag.Duration("duration", time.Minute, "time of each load")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *lasting); err != nil {
		fmt.Fprintln(os.Stderr, "metricscost:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, lasting time.Duration) error {
	holt, err := ensemble.BuildHolt(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "metricscost-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := startServer(ctx, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	err = measureAll(ctx, s, holt, dir, lasting)
	return errors.Join(err, s.stop())
}

func measureAll(ctx context.Context, s *process, holt, dir string, lasting time.Duration) error {
	fmt.Printf("%-14s %12s %18s\n", "load", "counting", "with the clock")
	tooMuch := false
	for i, l := range loads() {
		file := filepath.Join(dir, strconv.Itoa(i))
		if err := s.profile(file, func() error { return bench(ctx, holt, s.addr, l.args, lasting) }); err != nil {
			return err
		}
		count, err := share(ctx, file, counting)
		if err != nil {
			return err
		}
		all, err := share(ctx, file, counting+"|"+clock)
		if err != nil {
			return err
		}
		fmt.Printf("%-14s %10.2f %% %16.2f %%\n", l.name, count, all)
		tooMuch = tooMuch || all > shareMax
	}
	if tooMuch {
		return fmt.Errorf("metrics take more than %.0f %% of the CPU", shareMax)
	}
	return nil
}

func bench(ctx context.Context, holt, addr string, args []string, lasting time.Duration) error {
	args = append([]string{"bench"}, args...)
	cmd := exec.CommandContext(ctx, holt, append(args, "--servers", addr, "--warm-up", "-1s", "--duration", lasting.String())...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("holt bench: %w: %s", err, out)
	}
	return nil
}

var ofTotal = regexp.MustCompile(`, ([0-9.]+)% of [0-9.]+\w+ total`)

// share returns how many percent of a profile's samples have a function in their stack
// that focus matches.
func share(ctx context.Context, file, focus string) (float64, error) {
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodefraction=0", "-focus="+focus, file).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("go tool pprof: %w: %s", err, out)
	}
	m := ofTotal.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("go tool pprof says nothing of shares: %s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
