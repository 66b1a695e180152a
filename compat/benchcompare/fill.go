package main

import (
	"context"
	"errors"
	"fmt"
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
	rate     float64       // creates per second
	cpu      float64       // µs per create
	resident int64         // bytes, when the last was created
	restart  time.Duration // from the start of the process, killed before, to the first reply; the median
}

// fill creates n nodes of 100 bytes under one parent on a fresh server, kills it and starts it
// again, as many times as there are rounds; between them a twentieth more is created.
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
	r, err := c.create(ctx, e, n)
	if err != nil {
		return filled{}, err
	}
	f := filled{rate: r.OpsPerSecond, cpu: r.Server.CPUPerOp, resident: r.Server.RSSBytes}
	f.restart, err = c.restart(ctx, e.Members()[0])
	restarts := []float64{float64(f.restart)}
	for err == nil && len(restarts) < c.Rounds {
		if _, err = c.create(ctx, e, n/20); err != nil {
			break
		}
		f.restart, err = c.restart(ctx, e.Members()[0])
		restarts = append(restarts, float64(f.restart))
	}
	ratio.Progress("%d nodes, restarts: %.0f ms", n, restarts)
	f.restart = time.Duration(ratio.Median(restarts))
	return f, err
}

// create creates n nodes under one parent.
func (c *comparison) create(ctx context.Context, e *ensemble.Ensemble, n int) (*report, error) {
	if err := ratio.BackMemory(memoryOfRun); err != nil {
		return nil, err
	}
	return c.generator.run(ctx, e, append(pressed("20", "10", "create"), "--count", strconv.Itoa(n), "--keep")...)
}

// restart kills m and returns how long it takes from its start to its first reply.
func (c *comparison) restart(ctx context.Context, m *ensemble.Member) (time.Duration, error) {
	if err := m.Kill(); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := m.Start(); err != nil {
		return 0, err
	}
	err := firstReply(ctx, m)
	return time.Since(start), err
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

// compareFill measures a million nodes on both, and four million on Holt, whose restart must
// not depend on their number.
func (c *comparison) compareFill(ctx context.Context) error {
	million := c.Count(1_000_000)
	result := make(map[ensemble.Kind]filled)
	for _, kind := range kinds() {
		f, err := c.fill(ctx, kind, million)
		if err != nil {
			return fmt.Errorf("fill %s: %w", kind, err)
		}
		ratio.Progress("%d nodes, %s: %.0f/s, %.1f µs CPU, %d MiB, restart %v", million, kind, f.rate, f.cpu, f.resident/mebibyte, f.restart)
		result[kind] = f
	}
	holt, zk := result[ensemble.Holt], result[ensemble.ZooKeeper]
	title := fmt.Sprintf("%d nodes of 100 B under one parent", million)
	c.table.Add(title, "create rate", "/s", holt.rate, zk.rate, ratio.AtLeast(1.5, "1.5"))
	c.table.Add(title, "server CPU per create", "µs", holt.cpu, zk.cpu, ratio.Bound{})
	c.table.Add(title, "memory after", "MiB", float64(holt.resident/mebibyte), float64(zk.resident/mebibyte), ratio.AtMost(1./4, "1/4"))
	c.table.Add(title, "restart to first reply", "ms", millis(holt.restart), millis(zk.restart), ratio.AtMostOwn(1000, "1 s"))

	four, err := c.fill(ctx, ensemble.Holt, 4*million)
	if err != nil {
		return fmt.Errorf("fill %s: %w", ensemble.Holt, err)
	}
	title = fmt.Sprintf("%d nodes of 100 B under one parent", 4*million)
	c.table.Add(title, "create rate", "/s", four.rate, 0, ratio.Bound{})
	c.table.Add(title, "memory after", "MiB", float64(four.resident/mebibyte), 0, ratio.Bound{})
	c.table.Add(title, "restart to first reply", "ms", millis(four.restart), 0, ratio.AtMostOwn(2*millis(holt.restart), "2 × that of a quarter"))
	return nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
