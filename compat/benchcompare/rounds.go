package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holt/compat/ensemble"
	"holt/compat/ratio"
)

// pair is one running ensemble of each kind.
type pair map[ensemble.Kind]*ensemble.Ensemble

func (c *comparison) startPair(ctx context.Context, members int) (pair, error) {
	p := make(pair)
	for _, kind := range c.kinds() {
		e, err := ensemble.Start(ctx, ensemble.Config{Kind: kind, Members: members})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start %s: %w", kind, err), p.close())
		}
		p[kind] = e
	}
	return p, nil
}

func (p pair) close() error {
	var errs []error
	for _, e := range p {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}

// compareLoads measures the loads for ensembles of a number of members.
func (c *comparison) compareLoads(ctx context.Context, members int) error {
	var todo []load
	for _, l := range loads() {
		if l.members == members && c.Selected(l.name) {
			todo = append(todo, l)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	p, err := c.startPair(ctx, members)
	if err != nil {
		return err
	}
	for _, l := range todo {
		if err = c.compareLoad(ctx, p, l); err != nil {
			break
		}
	}
	return errors.Join(err, p.close())
}

// memoryOfRun is more than all servers and their files take anew in one run.
const memoryOfRun = 2 << 30

// compareLoad warms both up with the load and measures it in rounds.
func (c *comparison) compareLoad(ctx context.Context, p pair, l load) error {
	for _, kind := range c.kinds() {
		ratio.Progress("%s: warming up %s", l.title, kind)
		if _, err := c.generator.run(ctx, p[kind], append(l.args, timed(0, c.Scaled(warmUp))...)...); err != nil {
			return err
		}
	}
	reports := make(map[ensemble.Kind][]*report)
	for round := range c.Rounds {
		order := c.kinds()
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, kind := range order {
			if err := ratio.BackMemory(memoryOfRun); err != nil {
				return err
			}
			r, err := c.generator.run(ctx, p[kind], append(l.args, timed(c.Scaled(rewarm), c.Scaled(measured))...)...)
			if err != nil {
				return err
			}
			ratio.Progress("%s: round %d, %s: %.0f/s, %.1f µs CPU, p50 %.0f µs, generator %.1f µs", l.title, round+1, kind,
				r.OpsPerSecond, r.Server.CPUPerOp, r.Latency.P50, r.ClientCPUPerOp)
			reports[kind] = append(reports[kind], r)
		}
	}
	for _, f := range l.figures {
		c.add(l.title, f.name, f.unit, medianOf(reports[ensemble.Holt], f), medianOf(reports[c.other()], f), f.must)
	}
	return nil
}

func medianOf(reports []*report, f figure) float64 {
	var values []float64
	for _, r := range reports {
		values = append(values, f.value(r))
	}
	return ratio.Median(values)
}
