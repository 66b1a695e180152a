package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"holt/compat/ensemble"
	"holt/compat/ratio"
)

// How long each load runs, before -scale.
const (
	warmUp   = 10 * time.Second // once per load and server: Java compiles while it runs
	rewarm   = 2 * time.Second  // before each measurement
	measured = 6 * time.Second
)

// comparison is one run of the program.
type comparison struct {
	ratio.Run
	generator generator
	failovers int
	against   string // commit of Holt to compare with; "": ZooKeeper
	table     ratio.Table
	floors    []floor
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == floorFlag {
		fmt.Fprintln(os.Stderr, "benchcompare:", serveFloor())
		os.Exit(1)
	}
	var c comparison
	flag.IntVar(&c.failovers, "failovers", 5, "times the leader is killed")
	flag.StringVar(&c.against, "against", "", "commit of this repository whose Holt takes the place of ZooKeeper; no figure may be worse by more than 5 %")
	c.Flags(flag.CommandLine, "get,get100,set,set3,set3lone,mixed3,fill,failover")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "benchcompare:", err)
		os.Exit(1)
	}
}

func (c *comparison) run(ctx context.Context) error {
	path, err := ensemble.BuildHolt(ctx)
	if err != nil {
		return err
	}
	c.generator = generator{path}
	c.table = ratio.Table{Other: "ZooKeeper", Machine: ratio.Machine("Apache ZooKeeper " + ensemble.OriginalVersion)}
	if c.against != "" {
		c.table = ratio.Table{Other: c.against, Machine: ratio.Machine("Holt at " + c.against)}
	}
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
		if s.name != "" && !c.Selected(s.name) {
			continue
		}
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	if err := c.table.WriteText(os.Stdout); err != nil {
		return err
	}
	fmt.Print(c.floorText())
	section := "bench-compare"
	if c.against != "" {
		section = "bench-against"
	}
	return c.table.WriteSection(c.Markdown, section, c.floorText())
}

// other is the kind of server beside Holt.
func (c *comparison) other() ensemble.Kind {
	if c.against != "" {
		return ensemble.HoltAt(c.against)
	}
	return ensemble.ZooKeeper
}

// kinds are the two columns of the table.
func (c *comparison) kinds() []ensemble.Kind { return []ensemble.Kind{ensemble.Holt, c.other()} }

// add adds a row. Where an older Holt is compared with, the bound is that the figure is not worse.
func (c *comparison) add(title, figure, unit string, holt, other float64, must ratio.Bound) {
	if c.against != "" {
		must = ratio.AtMost(1.05, "1.05")
		if unit == "/s" {
			must = ratio.AtLeast(0.95, "0.95")
		}
	}
	c.table.Add(title, figure, unit, holt, other, must)
}
