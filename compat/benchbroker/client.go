package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// result is what one run of a load says.
type result struct {
	perSecond float64 // MB (10⁶ bytes of values) per second
	cpuPerMB  float64 // ms of the brokers' CPU
	p50, p99  float64 // ms
}

// client returns a client of the site. Buffers are large enough for it never to be what waits.
func (s *site) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.cluster.Addrs()...), kgo.MetadataMinAge(250 * time.Millisecond)}, opts...)...)
}

// create makes a topic with a replica on every broker.
func (s *site) create(ctx context.Context, topic string, partitions int) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.Close()
	resp, err := kadm.NewClient(client).CreateTopic(ctx, int32(partitions), int16(len(s.cluster.Brokers())), nil, topic)
	if err = errors.Join(err, resp.Err); err != nil {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	return s.cluster.InSync(ctx, topic)
}

// drop deletes a topic, so that the disk does not fill.
func (s *site) drop(ctx context.Context, topic string) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).DeleteTopic(ctx, topic)
	return err
}

// A run of produce sends so many bytes at most, of which each broker writes all: well below what the
// system keeps of files that are not written back yet, past which it stops whoever writes, for seconds.
const (
	producedMax = 2_000_000_000
	writtenMax  = 3_000_000_000 // by all brokers: Linux begins at 15 % of the memory that is free
)

// produce sends records of a size as fast as they are taken, for d or until that, and returns
// the result and their number. Acks of 1 are those of a producer without idempotence, as they must be.
func (s *site) produce(ctx context.Context, topic string, size int, all bool, d time.Duration) (result, int64, error) {
	opts := []kgo.Opt{
		kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(5 * time.Millisecond),
		kgo.MaxBufferedRecords(100_000), kgo.MaxBufferedBytes(64 << 20), kgo.RecordPartitioner(kgo.StickyPartitioner()),
	}
	if !all {
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	client, err := s.client(opts...)
	if err != nil {
		return result{}, 0, err
	}
	defer client.Close()
	value := randomBytes(size)
	most := min(producedMax, writtenMax/len(s.cluster.Brokers()))
	var acked atomic.Int64
	var failed atomic.Pointer[error]
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
			return
		}
		acked.Add(1)
	}
	r, err := s.measure(func() (int64, error) {
		sent := 0
		for began := time.Now(); time.Since(began) < d && sent < most && failed.Load() == nil; {
			for range 100 {
				sent += size
				client.Produce(ctx, &kgo.Record{Value: value}, done)
			}
		}
		if err := client.Flush(ctx); err != nil {
			return 0, err
		}
		if err := failed.Load(); err != nil {
			return 0, *err
		}
		return acked.Load() * int64(size), nil
	})
	return r, acked.Load(), err
}

// consume reads records of a topic from its beginning.
func (s *site) consume(ctx context.Context, topic string, records int64) (result, error) {
	client, err := s.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return result{}, err
	}
	defer client.Close()
	return s.measure(func() (int64, error) {
		var n, bytes int64
		for n < records {
			fetches := client.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return 0, err
			}
			fetches.EachPartition(func(p kgo.FetchTopicPartition) {
				for _, r := range p.Records {
					bytes += int64(len(r.Value))
				}
				n += int64(len(p.Records))
			})
		}
		return bytes, nil
	})
}

// measure times do, which returns how many bytes it moved, and the brokers' CPU meanwhile.
func (s *site) measure(do func() (int64, error)) (result, error) {
	before, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	bytes, err := do()
	took := time.Since(began)
	if err != nil {
		return result{}, err
	}
	after, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	mb := float64(bytes) / 1e6
	return result{perSecond: mb / took.Seconds(), cpuPerMB: float64(after-before) / 1e6 / mb}, nil
}

// latency sends 1,000 records of 100 bytes per second, each by itself, with acks=all, and takes the
// time from the send until a consumer has it.
func (s *site) latency(ctx context.Context, topic string, d time.Duration) (result, error) {
	consumer, err := s.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return result{}, err
	}
	defer consumer.Close()
	producer, err := s.client(kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0))
	if err != nil {
		return result{}, err
	}
	defer producer.Close()
	const interval = time.Millisecond
	total := int(d / interval)
	sent := make([]atomic.Int64, total)
	began := time.Now()
	produced := make(chan error, 1)
	go func() { produced <- sendPaced(ctx, producer, sent, began, interval) }()
	took := make([]time.Duration, 0, total)
	for len(took) < total {
		fetches := consumer.PollFetches(ctx)
		now := time.Since(began)
		if err := fetches.Err(); err != nil {
			return result{}, errors.Join(err, <-produced)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var n int
			if _, err := fmt.Sscanf(string(r.Key), "%d", &n); err == nil && n < total {
				took = append(took, now-time.Duration(sent[n].Load()))
			}
		})
	}
	if err := <-produced; err != nil {
		return result{}, err
	}
	took = slices.Clone(took[total/5:]) // the first find no connection yet
	slices.Sort(took)
	ms := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))]) / 1e6 }
	return result{p50: ms(0.5), p99: ms(0.99)}, nil
}

// sendPaced sends record n at n intervals after began, and notes when.
func sendPaced(ctx context.Context, producer *kgo.Client, sent []atomic.Int64, began time.Time, interval time.Duration) error {
	value := randomBytes(100)
	var failed atomic.Pointer[error]
	for n := range sent {
		if wait := time.Duration(n)*interval - time.Since(began); wait > 0 {
			time.Sleep(wait)
		}
		sent[n].Store(int64(time.Since(began)))
		producer.Produce(ctx, &kgo.Record{Key: []byte(fmt.Sprint(n)), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := producer.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}
