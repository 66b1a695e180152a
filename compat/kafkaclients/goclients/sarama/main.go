// Command sarama runs the checks with sarama.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"goclients/checks"
)

func main() { checks.Main(func(bootstrap []string) checks.Client { return client{bootstrap} }) }

type client struct{ bootstrap []string }

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = true
	c.Producer.Flush.Frequency = 20 * time.Millisecond
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	return c
}

func (c client) Admin(topic string) (err error) {
	admin, err := sarama.NewClusterAdmin(c.bootstrap, config())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	retention := "7200000"
	detail := &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: -1, ConfigEntries: map[string]*string{"retention.ms": &retention}}
	if err := admin.CreateTopic(topic, detail, false); err != nil {
		return err
	}
	if err := checks.Until("three partitions", func() bool {
		described, err := admin.DescribeTopics([]string{topic})
		return err == nil && len(described[0].Partitions) == 3
	}); err != nil {
		return err
	}
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}})
	if err != nil {
		return err
	}
	if len(entries) != 1 || entries[0].Value != retention {
		return fmt.Errorf("configuration is %v", entries)
	}
	if err := admin.DeleteTopic(topic); err != nil {
		return err
	}
	return checks.Until("the topic is gone", func() bool {
		listed, err := admin.ListTopics()
		_, there := listed[topic]
		return err == nil && !there
	})
}

func messages(topic string, rs []checks.Record) []*sarama.ProducerMessage {
	var out []*sarama.ProducerMessage
	for _, r := range rs {
		out = append(out, &sarama.ProducerMessage{Topic: topic, Partition: int32(r.Partition), Key: sarama.StringEncoder(r.Key), Value: sarama.StringEncoder(r.Value),
			Headers: []sarama.RecordHeader{{Key: []byte("header"), Value: []byte(r.Header)}}})
	}
	return out
}

func (c client) Write(topic string, rs []checks.Record, how checks.Producing) (err error) {
	cfg := config()
	if how.Codec != "" {
		if err := cfg.Producer.Compression.UnmarshalText([]byte(how.Codec)); err != nil {
			return err
		}
	}
	if how.Idempotent {
		idempotent(cfg)
		cfg.Producer.Flush.MaxMessages = 20 // many batches
	}
	p, err := sarama.NewSyncProducer(c.bootstrap, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return p.SendMessages(messages(topic, rs))
}

func idempotent(cfg *sarama.Config) {
	cfg.Producer.Idempotent = true
	cfg.Net.MaxOpenRequests = 1
}

func read(m *sarama.ConsumerMessage) checks.Record {
	r := checks.Record{Partition: int(m.Partition), Offset: m.Offset, Key: string(m.Key), Value: string(m.Value)}
	if len(m.Headers) > 0 {
		r.Header = string(m.Headers[0].Value)
	}
	return r
}

func (c client) Read(topic string, n int, committed bool) (got []checks.Record, err error) {
	cfg := config()
	if committed {
		cfg.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	consumer, err := sarama.NewConsumer(c.bootstrap, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, consumer.Close()) }()
	pc, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pc.Close()) }()
	for patience := time.After(checks.Patience); ; {
		select {
		case m := <-pc.Messages():
			got = append(got, read(m))
			if len(got) == n {
				patience = time.After(500 * time.Millisecond)
			}
		case <-patience:
			if len(got) < n {
				return got, fmt.Errorf("%d of %d records of %s", len(got), n, topic)
			}
			return got, nil
		}
	}
}

// handler is a member of a group.
type handler struct {
	topic    string
	assigned func([]int)
	claim    func(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim)
}

func (h handler) Setup(s sarama.ConsumerGroupSession) error {
	var ps []int
	for _, p := range s.Claims()[h.topic] {
		ps = append(ps, int(p))
	}
	h.assigned(ps)
	return nil
}

func (h handler) Cleanup(sarama.ConsumerGroupSession) error {
	h.assigned(nil)
	return nil
}

func (h handler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	h.claim(s, c)
	return nil
}

func (c client) Join(topic string, assigned func([]int), seen func(string)) (func() error, error) {
	group, err := sarama.NewConsumerGroup(c.bootstrap, topic, config())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	h := handler{topic, assigned, func(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) {
		for m := range claim.Messages() {
			seen(string(m.Value))
			s.MarkMessage(m, "")
			s.Commit()
		}
	}}
	go func() {
		var err error
		for ctx.Err() == nil && err == nil { // Consume returns at each rebalance
			err = group.Consume(ctx, []string{topic}, h)
		}
		done <- err
	}()
	return func() error {
		cancel()
		return errors.Join(<-done, group.Close())
	}, nil
}

func (c client) ReadGroup(topic string, n int, commit bool) (got []checks.Record, err error) {
	group, err := sarama.NewConsumerGroup(c.bootstrap, topic, config())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, group.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), checks.Patience)
	defer cancel()
	h := handler{topic, func([]int) {}, func(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) {
		for m := range claim.Messages() {
			if got = append(got, read(m)); len(got) < n {
				continue
			}
			if commit {
				s.MarkMessage(m, "half")
				s.Commit()
			}
			cancel()
			return
		}
	}}
	if err := group.Consume(ctx, []string{topic}, h); err != nil {
		return got, err
	}
	if len(got) != n {
		return got, fmt.Errorf("%d of %d records of %s", len(got), n, topic)
	}
	return got, nil
}

func (c client) Committed(topic string) (offset int64, err error) {
	admin, err := sarama.NewClusterAdmin(c.bootstrap, config())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	answer, err := admin.ListConsumerGroupOffsets(topic, map[string][]int32{topic: {0}})
	if err != nil {
		return 0, err
	}
	block := answer.GetBlock(topic, 0)
	if block == nil || block.Err != sarama.ErrNoError {
		return 0, fmt.Errorf("no offset of %s: %v", topic, block)
	}
	return block.Offset, nil
}

func (c client) transactional(id string) (sarama.SyncProducer, error) {
	cfg := config()
	idempotent(cfg)
	cfg.Producer.Transaction.ID = id
	return sarama.NewSyncProducer(c.bootstrap, cfg)
}

func (c client) Transact(topic string, batches []checks.Batch) (err error) {
	p, err := c.transactional(topic)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	for _, b := range batches {
		if err := p.BeginTxn(); err != nil {
			return err
		}
		if err := p.SendMessages(messages(topic, b.Records)); err != nil {
			return err
		}
		end := p.CommitTxn
		if b.Name == "aborted" {
			end = p.AbortTxn
		}
		if err := end(); err != nil {
			return err
		}
	}
	return nil
}

func (c client) CommitInTransaction(topic string, rs []checks.Record, group string, offset int64) (err error) {
	p, err := c.transactional(group)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.BeginTxn(); err != nil {
		return err
	}
	if err := p.SendMessages(messages(topic, rs)); err != nil {
		return err
	}
	offsets := map[string][]*sarama.PartitionOffsetMetadata{group: {{Partition: 0, Offset: offset, LeaderEpoch: -1}}}
	if err := p.AddOffsetsToTxn(offsets, group); err != nil {
		return err
	}
	return p.CommitTxn()
}
