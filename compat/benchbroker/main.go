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

	"holt/compat/kafka"
)

// How long each load runs, before -scale.
const (
	warmUp   = 10 * time.Second // once per load and kind: Java compiles while it runs
	measured = 5 * time.Second
)

// comparison is one run of the program.
type comparison struct {
	rounds int
	only   string
	scale  float64
	kinds  []kafka.Kind
	rows   []row
}

func main() {
	var c comparison
	flag.IntVar(&c.rounds, "rounds", 3, "rounds of each load; figures are medians")
	flag.StringVar(&c.only, "only", "", "rows to measure, by the beginnings of their names: produce1,produce3-100,consume1,latency,memory,start; all if empty")
	flag.Float64Var(&c.scale, "scale", 1, "factor on durations, for a quick look")
	kinds := flag.String("kinds", "holt,kafka", "brokers to measure")
	markdown := flag.String("markdown", "", "Markdown file to put the table into as well, between its marks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.run(ctx, *kinds, *markdown); err != nil {
		fmt.Fprintln(os.Stderr, "benchbroker:", err)
		os.Exit(1)
	}
}

func (c *comparison) run(ctx context.Context, kinds, markdown string) error {
	for name := range strings.SplitSeq(kinds, ",") {
		kind, err := kafka.ParseKind(name)
		if err != nil {
			return err
		}
		c.kinds = append(c.kinds, kind)
	}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return c.compareLoads(ctx, 1) },
		func(ctx context.Context) error { return c.compareLoads(ctx, 3) },
		c.compareMemory,
		c.compareStart,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Println(machine())
	if err := writeText(os.Stdout, c.rows); err != nil {
		return err
	}
	if markdown == "" {
		return nil
	}
	return c.writeFile(markdown)
}

// The lines between which writeFile puts the table.
const (
	tableBegin = "<!-- bench-broker: begin -->\n"
	tableEnd   = "<!-- bench-broker: end -->\n"
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

// progress tells what is going on, on standard error.
func (c *comparison) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func (c *comparison) scaled(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)*c.scale), 200*time.Millisecond)
}

func (c *comparison) selected(name string) bool {
	if c.only == "" {
		return true
	}
	for word := range strings.SplitSeq(c.only, ",") {
		if strings.HasPrefix(name, word) {
			return true
		}
	}
	return false
}
