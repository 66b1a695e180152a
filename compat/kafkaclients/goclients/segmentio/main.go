// Command segmentio runs the checks with segmentio/kafka-go, which has no idempotent and no
// transactional writer; the requests of a transaction that commits offsets are its own, though.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"goclients/checks"
)

func main() { checks.Main(func(bootstrap []string) checks.Client { return client{bootstrap} }) }

type client struct{ bootstrap []string }

func patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), checks.Patience)
}

func (c client) client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(c.bootstrap...), Timeout: checks.Patience, Transport: &kafka.Transport{MetadataTTL: 200 * time.Millisecond}}
}

// first returns the first error of an answer that has one for each topic.
func first(errs map[string]error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c client) Admin(topic string) error {
	ctx, cancel := patient()
	defer cancel()
	cl := c.client()
	config := kafka.TopicConfig{Topic: topic, NumPartitions: 3, ReplicationFactor: -1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "7200000"}}}
	created, err := cl.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}})
	if err == nil {
		err = first(created.Errors)
	}
	if err != nil {
		return err
	}
	partitions := func() int {
		answer, err := cl.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		if err != nil || len(answer.Topics) != 1 || answer.Topics[0].Error != nil {
			return 0
		}
		return len(answer.Topics[0].Partitions)
	}
	if err := checks.Until("three partitions", func() bool { return partitions() == 3 }); err != nil {
		return err
	}
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"retention.ms"}}
	described, err := cl.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{resource}})
	if err != nil {
		return err
	}
	if entries := described.Resources[0].ConfigEntries; len(entries) != 1 || entries[0].ConfigValue != "7200000" {
		return fmt.Errorf("configuration is %v", entries)
	}
	deleted, err := cl.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err == nil {
		err = first(deleted.Errors)
	}
	if err != nil {
		return err
	}
	return checks.Until("the topic is gone", func() bool { return partitions() == 0 })
}

func (c client) Write(topic string, rs []checks.Record, how checks.Producing) error {
	if how.Idempotent {
		return fmt.Errorf("%w: no idempotent writer", checks.ErrLacks)
	}
	w := &kafka.Writer{Addr: kafka.TCP(c.bootstrap...), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: 20 * time.Millisecond,
		Transport: &kafka.Transport{}}
	codecs := map[string]kafka.Compression{"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}
	w.Compression = codecs[how.Codec]
	var ms []kafka.Message
	byValue := make(map[string]int)
	for _, r := range rs {
		byValue[r.Value] = r.Partition
		ms = append(ms, kafka.Message{Key: []byte(r.Key), Value: []byte(r.Value), Headers: []kafka.Header{{Key: "header", Value: []byte(r.Header)}}})
	}
	w.Balancer = kafka.BalancerFunc(func(m kafka.Message, _ ...int) int { return byValue[string(m.Value)] })
	ctx, cancel := patient()
	defer cancel()
	return errors.Join(w.WriteMessages(ctx, ms...), w.Close())
}

func read(m kafka.Message) checks.Record {
	r := checks.Record{Partition: m.Partition, Offset: m.Offset, Key: string(m.Key), Value: string(m.Value)}
	if len(m.Headers) > 0 {
		r.Header = string(m.Headers[0].Value)
	}
	return r
}

func (c client) reader(cfg kafka.ReaderConfig) *kafka.Reader {
	cfg.Brokers, cfg.MaxWait, cfg.StartOffset = c.bootstrap, 200*time.Millisecond, kafka.FirstOffset
	return kafka.NewReader(cfg)
}

func (c client) Read(topic string, n int, committed bool) (got []checks.Record, err error) {
	level := kafka.ReadUncommitted
	if committed {
		level = kafka.ReadCommitted
	}
	r := c.reader(kafka.ReaderConfig{Topic: topic, IsolationLevel: level})
	defer func() { err = errors.Join(err, r.Close()) }()
	for patience := checks.Patience; ; {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		m, err := r.ReadMessage(ctx)
		cancel()
		switch {
		case err == nil:
			got = append(got, read(m))
		case len(got) < n:
			return got, fmt.Errorf("%d of %d records of %s: %w", len(got), n, topic, err)
		default:
			return got, nil
		}
		if len(got) >= n {
			patience = 500 * time.Millisecond
		}
	}
}

// Join uses the group itself and not a Reader with a group, which tells nobody its partitions.
func (c client) Join(topic string, assigned func([]int), seen func(string)) (func() error, error) {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: topic, Brokers: c.bootstrap, Topics: []string{topic}, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: 500 * time.Millisecond, SessionTimeout: 6 * time.Second, JoinGroupBackoff: 500 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			g, err := group.Next(context.Background())
			if errors.Is(err, kafka.ErrGroupClosed) {
				return
			}
			if err != nil { // of the attempt to join; Next tries anew
				continue
			}
			var ps []int
			for _, a := range g.Assignments[topic] {
				ps = append(ps, a.ID)
				g.Start(func(ctx context.Context) { c.follow(ctx, topic, a, seen) })
			}
			assigned(ps)
		}
	})
	return func() error {
		err := group.Close()
		running.Wait()
		return err
	}, nil
}

// follow reads a partition until ctx ends.
func (c client) follow(ctx context.Context, topic string, a kafka.PartitionAssignment, seen func(string)) {
	r := c.reader(kafka.ReaderConfig{Topic: topic, Partition: a.ID})
	defer func() { _ = r.Close() }() // nothing is lost: the reader commits nothing
	if err := r.SetOffset(a.Offset); err != nil {
		return
	}
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return
		}
		seen(string(m.Value))
	}
}

func (c client) ReadGroup(topic string, n int, commit bool) (got []checks.Record, err error) {
	r := c.reader(kafka.ReaderConfig{GroupID: topic, Topic: topic})
	defer func() { err = errors.Join(err, r.Close()) }()
	ctx, cancel := patient()
	defer cancel()
	for {
		m, err := r.FetchMessage(ctx)
		if err != nil {
			return got, err
		}
		if got = append(got, read(m)); len(got) < n {
			continue
		}
		if commit {
			err = r.CommitMessages(ctx, m)
		}
		return got, err
	}
}

func (c client) Committed(topic string) (int64, error) {
	ctx, cancel := patient()
	defer cancel()
	answer, err := c.client().OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: topic, Topics: map[string][]int{topic: {0}}})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		return 0, err
	}
	p := answer.Topics[topic][0]
	return p.CommittedOffset, p.Error
}

func (c client) Transact(string, []checks.Batch) error {
	return fmt.Errorf("%w: no transactional writer", checks.ErrLacks)
}

func (c client) CommitInTransaction(_ string, _ []checks.Record, group string, offset int64) error {
	ctx, cancel := patient()
	defer cancel()
	cl := c.client()
	var id, epoch int
	if err := retry(ctx, func() error {
		answer, err := cl.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: group, TransactionTimeoutMs: 30_000})
		if err == nil {
			err = answer.Error
		}
		if err == nil {
			id, epoch = answer.Producer.ProducerID, answer.Producer.ProducerEpoch
		}
		return err
	}); err != nil {
		return fmt.Errorf("InitProducerID: %w", err)
	}
	if err := retry(ctx, func() error {
		answer, err := cl.AddOffsetsToTxn(ctx, &kafka.AddOffsetsToTxnRequest{TransactionalID: group, ProducerID: id, ProducerEpoch: epoch, GroupID: group})
		if err == nil {
			err = answer.Error
		}
		return err
	}); err != nil {
		return fmt.Errorf("AddOffsetsToTxn: %w", err)
	}
	if err := retry(ctx, func() error {
		answer, err := cl.TxnOffsetCommit(ctx, &kafka.TxnOffsetCommitRequest{TransactionalID: group, GroupID: group, ProducerID: id, ProducerEpoch: epoch,
			GenerationID: -1, Topics: map[string][]kafka.TxnOffsetCommit{group: {{Partition: 0, Offset: offset}}}})
		if err == nil {
			err = answer.Topics[group][0].Error
		}
		return err
	}); err != nil {
		return fmt.Errorf("TxnOffsetCommit: %w", err)
	}
	if err := retry(ctx, func() error {
		answer, err := cl.EndTxn(ctx, &kafka.EndTxnRequest{TransactionalID: group, ProducerID: id, ProducerEpoch: epoch, Committed: true})
		if err == nil {
			err = answer.Error
		}
		return err
	}); err != nil {
		return fmt.Errorf("EndTxn: %w", err)
	}
	return nil
}

// retry repeats a request as long as the answer is that it may succeed later, which its caller has
// to do at this level of the client.
func retry(ctx context.Context, request func() error) error {
	for {
		err := request()
		var code kafka.Error
		if !errors.As(err, &code) || !code.Temporary() || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}
