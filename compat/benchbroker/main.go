package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"holt/compat/kafka"
	"holt/compat/ratio"
)

// How long each load runs, before -scale.
const (
	warmUp   = 10 * time.Second // once per load and kind: Java compiles while it runs
	measured = 5 * time.Second
)

// comparison is one run of the program.
type comparison struct {
	ratio.Run
	kinds []kafka.Kind
	table ratio.Table
}

func main() {
	var c comparison
	c.Flags(flag.CommandLine, "produce-1-100, consume-3-1024, latency-1, ..., memory, start")
	kinds := flag.String("kinds", "holt,kafka", "brokers to measure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.run(ctx, *kinds); err != nil {
		fmt.Fprintln(os.Stderr, "benchbroker:", err)
		os.Exit(1)
	}
}

func (c *comparison) run(ctx context.Context, kinds string) error {
	c.table = ratio.Table{Other: "Kafka", Machine: ratio.Machine("Apache Kafka " + kafka.Version)}
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
	if err := c.table.WriteText(os.Stdout); err != nil {
		return err
	}
	return c.table.WriteSection(c.Markdown, "bench-broker", "")
}
