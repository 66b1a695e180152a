package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"holt/compat/kafka"
	"holt/compat/ratio"
)

// manyPartitions is the number at which memory is measured.
const manyPartitions = 1000

// compareMemory measures the resident memory of a fresh broker with many partitions.
func (c *comparison) compareMemory(ctx context.Context) error {
	if !c.Selected("memory") {
		return nil
	}
	figures := make(map[kafka.Kind]float64)
	for _, kind := range c.kinds {
		mib, err := memoryOf(ctx, kind)
		if err != nil {
			return fmt.Errorf("memory of %s: %w", kind, err)
		}
		ratio.Progress("memory at %d partitions, %s: %.0f MiB", manyPartitions, kind, mib)
		figures[kind] = mib
	}
	c.table.Add(fmt.Sprintf("one broker, %d partitions", manyPartitions), "memory (resident)", "MiB",
		figures[kafka.Holt], figures[kafka.Kafka], ratio.AtMost(0.2, "1/5"))
	return nil
}

func memoryOf(ctx context.Context, kind kafka.Kind) (mib float64, err error) {
	s, err := startSite(ctx, kind, 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	const topic, perPartition = "many", 10
	if err := s.create(ctx, topic, manyPartitions); err != nil {
		return 0, err
	}
	client, err := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	value := randomBytes(1024)
	var records []*kgo.Record
	for p := range manyPartitions * perPartition {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(p % manyPartitions), Value: value})
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return 0, err
	}
	select { // until what the creation needed is given back
	case <-time.After(5 * time.Second):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return residentMiB(s.cluster.Brokers()[0].PID())
}

// compareStart measures the time from a broker's start until it serves, on data that an earlier
// run has left.
func (c *comparison) compareStart(ctx context.Context) error {
	if !c.Selected("start") {
		return nil
	}
	figures := make(map[kafka.Kind]float64)
	for _, kind := range c.kinds {
		took, err := c.startOf(ctx, kind)
		if err != nil {
			return fmt.Errorf("start of %s: %w", kind, err)
		}
		ratio.Progress("start, %s: %.0f ms", kind, took)
		figures[kind] = took
	}
	c.table.Add("one broker", "start until it serves", "ms", figures[kafka.Holt], figures[kafka.Kafka],
		ratio.AtMostOwn(1000, "1 s"))
	return nil
}

// startOf returns the median in ms.
func (c *comparison) startOf(ctx context.Context, kind kafka.Kind) (ms float64, err error) {
	s, err := startSite(ctx, kind, 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.create(ctx, "some", partitionsPerTopic); err != nil {
		return 0, err
	}
	b := s.cluster.Brokers()[0]
	var times []float64
	for range c.Rounds {
		if err := b.Stop(); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := s.cluster.StartAll(ctx); err != nil {
			return 0, err
		}
		times = append(times, float64(time.Since(began))/1e6)
	}
	return ratio.Median(times), nil
}
