package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"holt/compat/ensemble"
	"holt/compat/history"
	"holt/compat/ratio"
)

// fillHeapMiB is the heap of the original for the load of a million nodes: what zkServer.sh sets.
// Four million do not fit into that.
const fillHeapMiB = 1000

// filled is what one server did with many nodes.
type filled struct {
	rate     float64 // creates per second
	cpu      float64 // µs per create
	resident float64 // MiB, when the last was created
	restart  float64 // ms from the start of the process, killed before, to the first reply
}

// fill creates n nodes of 100 bytes under one parent on a fresh server, kills it and starts it
// again.
func (c *comparison) fill(ctx context.Context, kind ensemble.Kind, n int) (filled, error) {
	heap := max(fillHeapMiB, n/1_000_000*fillHeapMiB)
	e, err := ensemble.Start(ctx, ensemble.Config{Kind: kind, HeapMiB: heap})
	if err != nil {
		return filled{}, err
	}
	f, err := c.fillServer(ctx, e, n)
	return f, errors.Join(err, e.Close())
}

func (c *comparison) fillServer(ctx context.Context, e *ensemble.Ensemble, n int) (filled, error) {
	if err := ratio.BackMemory(memoryOfRun); err != nil {
		return filled{}, err
	}
	r, err := c.generator.run(ctx, e, append(pressed("20", "10", "create"), "--count", strconv.Itoa(n), "--keep")...)
	if err != nil {
		return filled{}, err
	}
	m := e.Members()[0]
	if err := m.Kill(); err != nil {
		return filled{}, err
	}
	start := time.Now()
	if err := m.Start(); err != nil {
		return filled{}, err
	}
	if err := firstReply(ctx, m); err != nil {
		return filled{}, err
	}
	return filled{r.OpsPerSecond, r.Server.CPUPerOp, float64(r.Server.RSSBytes) / mebibyte, millis(time.Since(start))}, nil
}

// firstReply returns when m has answered a read.
func firstReply(ctx context.Context, m *ensemble.Member) error {
	client := history.NewClient(history.NewRecorder(), 0, 10*time.Second, m.Addr())
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		err := client.Do(ctx, &history.Op{Kind: history.Get, Path: "/bench"})
		if err == nil {
			return client.Close(ctx)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("first reply after the restart: %w", err)
		}
	}
}

const mebibyte = 1 << 20

// compareFill measures a million nodes, and four million, which are too many for the original as it
// is shipped, on Holt alone: its restart must not depend on their number.
func (c *comparison) compareFill(ctx context.Context) error {
	million := c.Count(1_000_000)
	one, err := c.fillRounds(ctx, million, c.kinds())
	if err != nil {
		return err
	}
	holt := one[ensemble.Holt]
	c.addFilled(million, one, filledBounds{ratio.AtLeast(1.5, "1.5"), ratio.AtMost(1./4, "1/4"), ratio.AtMostOwn(1000, "1 s")})
	kinds := slices.DeleteFunc(c.kinds(), func(k ensemble.Kind) bool { return k == ensemble.ZooKeeper })
	four, err := c.fillRounds(ctx, 4*million, kinds)
	if err != nil {
		return err
	}
	c.addFilled(4*million, four, filledBounds{restart: ratio.AtMostOwn(2*holt.restart, "2 × that of a quarter")})
	return nil
}

// fillRounds fills a fresh server of each kind in every round, and returns the medians.
func (c *comparison) fillRounds(ctx context.Context, n int, kinds []ensemble.Kind) (map[ensemble.Kind]filled, error) {
	rounds := make(map[ensemble.Kind][]filled)
	for round := range c.Rounds {
		order := slices.Clone(kinds)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, kind := range order {
			f, err := c.fill(ctx, kind, n)
			if err != nil {
				return nil, fmt.Errorf("fill %s: %w", kind, err)
			}
			ratio.Progress("%d nodes: round %d, %s: %.0f/s, %.1f µs CPU, %.0f MiB, restart %.0f ms", n, round+1, kind, f.rate, f.cpu, f.resident, f.restart)
			rounds[kind] = append(rounds[kind], f)
		}
	}
	medians := make(map[ensemble.Kind]filled)
	for kind, fs := range rounds {
		medians[kind] = filled{
			rate:     medianFilled(fs, func(f filled) float64 { return f.rate }),
			cpu:      medianFilled(fs, func(f filled) float64 { return f.cpu }),
			resident: medianFilled(fs, func(f filled) float64 { return f.resident }),
			restart:  medianFilled(fs, func(f filled) float64 { return f.restart }),
		}
	}
	return medians, nil
}

func medianFilled(fs []filled, value func(filled) float64) float64 {
	var values []float64
	for _, f := range fs {
		values = append(values, value(f))
	}
	return ratio.Median(values)
}

// filledBounds are what the figures of a fill must be.
type filledBounds struct{ rate, memory, restart ratio.Bound }

func (c *comparison) addFilled(n int, result map[ensemble.Kind]filled, must filledBounds) {
	holt, other := result[ensemble.Holt], result[c.other()]
	title := fmt.Sprintf("%d nodes of 100 B under one parent", n)
	c.add(title, "create rate", "/s", holt.rate, other.rate, must.rate)
	c.add(title, "server CPU per create", "µs", holt.cpu, other.cpu, ratio.Bound{})
	c.add(title, "memory after", "MiB", holt.resident, other.resident, must.memory)
	c.add(title, "restart to first reply", "ms", holt.restart, other.restart, must.restart)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
