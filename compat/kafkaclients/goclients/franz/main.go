// Command franz runs the checks with franz-go.
package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"goclients/checks"
)

func main() { checks.Main(func(bootstrap []string) checks.Client { return client{bootstrap} }) }

type client struct{ bootstrap []string }

func (c client) open(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.bootstrap...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.FetchMaxWait(500 * time.Millisecond)}, opts...)...)
}

func patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), checks.Patience)
}

func (c client) admin(use func(context.Context, *kadm.Client) error) error {
	cl, err := c.open()
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := patient()
	defer cancel()
	return use(ctx, kadm.NewClient(cl))
}

func (c client) Admin(topic string) error {
	return c.admin(func(ctx context.Context, a *kadm.Client) error {
		retention := "7200000"
		if _, err := a.CreateTopic(ctx, 3, -1, map[string]*string{"retention.ms": &retention}, topic); err != nil {
			return err
		}
		if err := checks.Until("three partitions", func() bool {
			listed, err := a.ListTopics(ctx, topic)
			return err == nil && len(listed[topic].Partitions) == 3
		}); err != nil {
			return err
		}
		described, err := a.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(described[0].Configs, func(c kadm.Config) bool { return c.Key == "retention.ms" && c.MaybeValue() == retention }) {
			return fmt.Errorf("no retention.ms=%s among %v", retention, described[0].Configs)
		}
		if _, err := a.DeleteTopic(ctx, topic); err != nil {
			return err
		}
		return checks.Until("the topic is gone", func() bool {
			listed, err := a.ListTopics(ctx)
			return err == nil && !listed.Has(topic)
		})
	})
}

func records(topic string, rs []checks.Record) []*kgo.Record {
	var out []*kgo.Record
	for _, r := range rs {
		out = append(out, &kgo.Record{Topic: topic, Partition: int32(r.Partition), Key: []byte(r.Key), Value: []byte(r.Value),
			Headers: []kgo.RecordHeader{{Key: "header", Value: []byte(r.Header)}}})
	}
	return out
}

func (c client) Write(topic string, rs []checks.Record, how checks.Producing) error {
	codecs := map[string]kgo.CompressionCodec{"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	codec, ok := codecs[how.Codec]
	if !ok {
		codec = kgo.NoCompression()
	}
	opts := []kgo.Opt{kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20 * time.Millisecond)}
	if how.Idempotent {
		opts = append(opts, kgo.ProducerBatchMaxBytes(4000)) // many batches
	} else {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	cl, err := c.open(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := patient()
	defer cancel()
	return cl.ProduceSync(ctx, records(topic, rs)...).FirstErr()
}

func read(r *kgo.Record) checks.Record {
	out := checks.Record{Partition: int(r.Partition), Offset: r.Offset, Key: string(r.Key), Value: string(r.Value)}
	if len(r.Headers) > 0 {
		out.Header = string(r.Headers[0].Value)
	}
	return out
}

func (c client) Read(topic string, n int, committed bool) ([]checks.Record, error) {
	level := kgo.ReadUncommitted()
	if committed {
		level = kgo.ReadCommitted()
	}
	cl, err := c.open(kgo.FetchIsolationLevel(level),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	got, err := poll(cl, n, checks.Patience)
	if err != nil {
		return nil, err
	}
	more, _ := poll(cl, 1, 500*time.Millisecond) // the end of that time is no error
	return append(got, more...), nil
}

// poll polls until n records came.
func poll(cl *kgo.Client, n int, patience time.Duration) (got []checks.Record, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for len(got) < n {
		fs := cl.PollRecords(ctx, n-len(got))
		if err := fs.Err(); err != nil {
			return got, fmt.Errorf("%d of %d records: %w", len(got), n, err)
		}
		fs.EachRecord(func(r *kgo.Record) { got = append(got, read(r)) })
	}
	return got, nil
}

func (c client) Join(topic string, assigned func([]int), seen func(string)) (func() error, error) {
	var mu sync.Mutex
	mine := make(map[int32]bool) // guarded by mu
	change := func(m map[string][]int32, add bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range m[topic] {
			if add {
				mine[p] = true
			} else {
				delete(mine, p)
			}
		}
		var ps []int
		for p := range mine {
			ps = append(ps, int(p))
		}
		assigned(ps)
	}
	removed := func(_ context.Context, _ *kgo.Client, m map[string][]int32) { change(m, false) }
	cl, err := c.open(kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.SessionTimeout(6*time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { change(m, true) }),
		kgo.OnPartitionsRevoked(removed), kgo.OnPartitionsLost(removed))
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			fs := cl.PollFetches(context.Background())
			if fs.IsClientClosed() {
				return
			}
			fs.EachRecord(func(r *kgo.Record) { seen(string(r.Value)) })
		}
	}()
	return func() error {
		cl.Close()
		<-done
		return nil
	}, nil
}

func (c client) ReadGroup(topic string, n int, commit bool) ([]checks.Record, error) {
	cl, err := c.open(kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	got, err := poll(cl, n, checks.Patience)
	if err != nil || !commit {
		return got, err
	}
	ctx, cancel := patient()
	defer cancel()
	last := got[len(got)-1]
	return got, cl.CommitRecords(ctx, &kgo.Record{Topic: topic, Partition: 0, Offset: last.Offset, LeaderEpoch: -1})
}

func (c client) Committed(topic string) (offset int64, err error) {
	err = c.admin(func(ctx context.Context, a *kadm.Client) error {
		fetched, err := a.FetchOffsets(ctx, topic)
		if err != nil {
			return err
		}
		o, ok := fetched.Lookup(topic, 0)
		if !ok {
			return fmt.Errorf("no offset of %s", topic)
		}
		offset = o.At
		return o.Err
	})
	return offset, err
}

func (c client) Transact(topic string, batches []checks.Batch) error {
	cl, err := c.open(kgo.TransactionalID(topic))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := patient()
	defer cancel()
	for _, b := range batches {
		if err := cl.BeginTransaction(); err != nil {
			return err
		}
		if err := cl.ProduceSync(ctx, records(topic, b.Records)...).FirstErr(); err != nil {
			return err
		}
		if err := cl.EndTransaction(ctx, kgo.TransactionEndTry(b.Name != "aborted")); err != nil {
			return err
		}
	}
	return nil
}

// CommitInTransaction consumes and produces as franz-go has it: a session of group and
// transactions. The records that the group reads are written first.
func (c client) CommitInTransaction(topic string, rs []checks.Record, group string, offset int64) error {
	if err := c.Write(group, make([]checks.Record, offset), checks.Producing{}); err != nil {
		return err
	}
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(c.bootstrap...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(group),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(group), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := poll(s.Client(), int(offset), checks.Patience); err != nil {
		return err
	}
	if err := s.Begin(); err != nil {
		return err
	}
	ctx, cancel := patient()
	defer cancel()
	if err := s.ProduceSync(ctx, records(topic, rs)...).FirstErr(); err != nil {
		return err
	}
	committed, err := s.End(ctx, kgo.TryCommit)
	if err == nil && !committed {
		err = fmt.Errorf("the session aborted")
	}
	return err
}
