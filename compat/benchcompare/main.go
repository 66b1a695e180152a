package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"holt/compat/ensemble"
)

// How long each load runs, before -scale.
const (
	warmUp   = 10 * time.Second // once per load and server: Java compiles while it runs
	rewarm   = 2 * time.Second  // before each measurement
	measured = 6 * time.Second
)

// comparison is one run of the program.
type comparison struct {
	generator generator
	rounds    int
	failovers int
	only      string
	scale     float64
	rows      []row
	floors    []floor
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == floorFlag {
		fmt.Fprintln(os.Stderr, "benchcompare:", serveFloor())
		os.Exit(1)
	}
	var c comparison
	flag.IntVar(&c.rounds, "rounds", 3, "rounds of each load; figures are medians")
	flag.IntVar(&c.failovers, "failovers", 5, "times the leader is killed")
	flag.StringVar(&c.only, "only", "", "rows to measure: get,get100,set,set3,set3lone,mixed3,fill,failover; all if empty")
	flag.Float64Var(&c.scale, "scale", 1, "factor on durations and node counts, for a quick look")
	markdown := flag.String("markdown", "", "Markdown file to put the table into as well, between its marks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.run(ctx, *markdown); err != nil {
		fmt.Fprintln(os.Stderr, "benchcompare:", err)
		os.Exit(1)
	}
}

func (c *comparison) run(ctx context.Context, markdown string) error {
	path, err := ensemble.BuildHolt(ctx)
	if err != nil {
		return err
	}
	c.generator = generator{path}
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"", func(ctx context.Context) error { return c.compareLoads(ctx, 1) }},
		{"", func(ctx context.Context) error { return c.compareLoads(ctx, 3) }},
		{"", c.measureFloor},
		{"fill", c.compareFill},
		{"failover", c.compareFailover},
	}
	for _, s := range steps {
		if s.name != "" && !selected(c.only, s.name) {
			continue
		}
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	fmt.Println(machine())
	if err := writeText(os.Stdout, c.rows); err != nil {
		return err
	}
	fmt.Print(c.floorText())
	if markdown == "" {
		return nil
	}
	return c.writeFile(markdown)
}

// The lines between which writeFile puts the table.
const (
	tableBegin = "<!-- bench-compare: begin -->\n"
	tableEnd   = "<!-- bench-compare: end -->\n"
)

// writeFile puts the machine and the table into a Markdown file: between the two marks, or at its
// end if it has none.
func (c *comparison) writeFile(name string) error {
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%s, %s.\n\n", time.Now().UTC().Format("2 January 2006"), machine())
	if err := writeMarkdown(&table, c.rows); err != nil {
		return err
	}
	fmt.Fprintf(&table, "\n%s", c.floorText())
	return os.WriteFile(name, []byte(replaceTable(string(old), table.String())), 0o644)
}

func replaceTable(text, table string) string {
	before, rest, ok := strings.Cut(text, tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		before, after = text, ""
	}
	return before + tableBegin + table + tableEnd + after
}

func (c *comparison) add(r row) { c.rows = append(c.rows, r) }

// progress tells what is going on, on standard error.
func (c *comparison) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func (c *comparison) scaled(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)*c.scale), 100*time.Millisecond)
}

func (c *comparison) scaledCount(n int) int { return max(int(float64(n)*c.scale), 1000) }
