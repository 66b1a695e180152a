package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"holt/compat/kafka"
	"holt/compat/ratio"
)

// partitionsPerTopic of the topics that loads go to.
const partitionsPerTopic = 6

// load is one load and the figures that are read off it.
type load struct {
	name, title string
	brokers     int
	run         func(ctx context.Context, s *site, topic string, d time.Duration) (result, error)
	figures     []figure
}

// figure is one line of the table.
type figure struct {
	name, unit string
	value      func(result) float64
	must       ratio.Bound
}

func throughput(must ratio.Bound) figure {
	return figure{"throughput", "MB/s", func(r result) float64 { return r.perSecond }, must}
}

func cpuPerMB(must ratio.Bound) figure {
	return figure{"broker CPU per MB", "ms", func(r result) float64 { return r.cpuPerMB }, must}
}

func loads() []load {
	var all []load
	for _, brokers := range []int{1, 3} {
		count := map[int]string{1: "one broker", 3: "three brokers"}[brokers]
		for _, size := range []int{100, 1024} {
			for _, acksAll := range []bool{false, true} {
				acks := map[bool]string{false: "1", true: "all"}[acksAll]
				all = append(all, load{
					name: fmt.Sprintf("produce-%d-%d", brokers, size), brokers: brokers,
					title: fmt.Sprintf("%s, produce %d B, acks=%s", count, size, acks),
					run: func(ctx context.Context, s *site, topic string, d time.Duration) (result, error) {
						r, _, err := s.produce(ctx, topic, size, acksAll, d)
						return r, err
					},
					figures: []figure{throughput(ratio.AtLeast(1, "1")), cpuPerMB(ratio.AtMost(0.5, "1/2"))},
				})
			}
		}
		for _, size := range []int{100, 1024} {
			all = append(all, load{
				name: fmt.Sprintf("consume-%d-%d", brokers, size), brokers: brokers, title: fmt.Sprintf("%s, consume %d B", count, size),
				run: func(ctx context.Context, s *site, topic string, d time.Duration) (result, error) {
					_, n, err := s.produce(ctx, topic, size, false, d)
					if err != nil {
						return result{}, err
					}
					return s.consume(ctx, topic, n)
				},
				figures: []figure{throughput(ratio.AtLeast(1, "1")), cpuPerMB(ratio.AtMost(1, "1"))},
			})
		}
		all = append(all, load{
			name: fmt.Sprintf("latency-%d", brokers), brokers: brokers, title: count + ", end to end at 1,000 records/s, acks=all",
			run: func(ctx context.Context, s *site, topic string, d time.Duration) (result, error) {
				return s.latency(ctx, topic, d)
			},
			figures: []figure{
				{"p50", "ms", func(r result) float64 { return r.p50 }, ratio.AtMost(1, "1")},
				{"p99", "ms", func(r result) float64 { return r.p99 }, ratio.AtMost(0.5, "1/2")},
			},
		})
	}
	return all
}

// compareLoads measures the loads for a number of brokers.
func (c *comparison) compareLoads(ctx context.Context, brokers int) (err error) {
	var todo []load
	for _, l := range loads() {
		if l.brokers == brokers && c.Selected(l.name) {
			todo = append(todo, l)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	sites := make(map[kafka.Kind]*site)
	defer func() {
		for _, s := range sites {
			err = errors.Join(err, s.close())
		}
	}()
	for _, kind := range c.kinds {
		s, err := startSite(ctx, kind, brokers)
		if err != nil {
			return err
		}
		sites[kind] = s
	}
	for i, l := range todo {
		if err := c.compareLoad(ctx, sites, l, i); err != nil {
			return err
		}
	}
	return nil
}

// compareLoad warms all up with the load and measures it in rounds, each on a topic of its own.
func (c *comparison) compareLoad(ctx context.Context, sites map[kafka.Kind]*site, l load, number int) error {
	results := make(map[kafka.Kind][]result)
	for round := range c.Rounds + 1 {
		order := slices.Clone(c.kinds)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, kind := range order {
			d := measured
			if round == 0 {
				d = warmUp
			}
			topic := fmt.Sprintf("load%d-round%d", number, round)
			r, err := runOn(ctx, sites[kind], l, topic, c.Scaled(d))
			if err != nil {
				return fmt.Errorf("%s, %s: %w", l.title, kind, err)
			}
			ratio.Progress("%s: round %d, %s: %.1f MB/s, %.2f ms CPU per MB, p50 %.2f ms, p99 %.2f ms", l.title, round, kind, r.perSecond, r.cpuPerMB, r.p50, r.p99)
			if round > 0 {
				results[kind] = append(results[kind], r)
			}
		}
	}
	for _, f := range l.figures {
		c.table.Add(l.title, f.name, f.unit, medianOf(results[kafka.Holt], f), medianOf(results[kafka.Kafka], f), f.must)
	}
	return nil
}

// memoryOfRun is what a broker's run takes, of which producedMax is the page cache's.
const memoryOfRun = 3 << 30

func runOn(ctx context.Context, s *site, l load, topic string, d time.Duration) (r result, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d+time.Minute, fmt.Errorf("not done in %v", d+time.Minute))
	defer cancel()
	if err := s.create(ctx, topic, partitionsPerTopic); err != nil {
		return r, err
	}
	unix.Sync() // each run begins with nothing to write back
	if err := ratio.BackMemory(len(s.cluster.Brokers()) * memoryOfRun); err != nil {
		return r, err
	}
	r, err = l.run(ctx, s, topic, d)
	return r, errors.Join(err, s.drop(ctx, topic))
}

func medianOf(results []result, f figure) float64 {
	var values []float64
	for _, r := range results {
		values = append(values, f.value(r))
	}
	return ratio.Median(values)
}
