package brokerkills

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/broker/record"
	"holt/compat/kafka"
)

// The topics with a policy. Segments are small, so that there are many within seconds.
const (
	compactedTopic = "kills-compacted"
	retainedTopic  = "kills-retained"
	javaTopic      = "kills-java"

	keptPartitions = 2
	keptKeys       = 40
	tombstoneEvery = 7
	javaProducer   = 100 // its number, which is the prefix of its values
	javaPerSecond  = 100
	idHeader       = "id"
)

// keptTopics are the topics with a policy, and their settings.
func keptTopics() map[string]map[string]*string {
	set := func(pairs ...string) map[string]*string {
		m := make(map[string]*string)
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = &pairs[i+1]
		}
		return m
	}
	return map[string]map[string]*string{
		compactedTopic: set("cleanup.policy", "compact", "segment.bytes", "20000", "min.cleanable.dirty.ratio", "0.1", "delete.retention.ms", "3000"),
		retainedTopic:  set("cleanup.policy", "delete", "segment.bytes", "20000", "retention.bytes", "100000", "file.delete.delay.ms", "1000"),
		javaTopic:      set(),
	}
}

// keptLoad is a topic with a policy under load.
type keptLoad struct {
	topic  string
	policy Policy

	mu   sync.Mutex
	sent []*Sent
}

// startKept runs an idempotent producer on a topic with a policy.
func (c *crew) startKept(k *keptLoad, number int) {
	c.producers.Go(func() {
		client, err := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.RequiredAcks(kgo.AllISRAcks()),
			kgo.ProduceRequestTimeout(5*time.Second))
		if err != nil {
			c.fail("producer %d: %v", number, err)
			return
		}
		defer client.Close()
		for seq := int64(0); pause(c.produce, 2*perRecord); seq++ {
			r, s := k.record(ID{number, seq})
			client.Produce(c.live, r, func(r *kgo.Record, err error) {
				k.mu.Lock()
				defer k.mu.Unlock()
				if err == nil {
					s.Acked, s.Offset = true, r.Offset
				}
			})
		}
		ctx, cancel := context.WithTimeout(c.live, flushWithin)
		defer cancel()
		if err := client.Flush(ctx); err != nil {
			c.fail("producer %d: what was sent is not acknowledged at the end: %v", number, err)
		}
	})
}

// record returns a record and enters it as sent.
func (k *keptLoad) record(id ID) (*kgo.Record, *Sent) {
	s := &Sent{Partition: int32(id.Seq % keptPartitions), KeptRecord: KeptRecord{
		ID: id, Key: fmt.Sprint("key", id.Seq/keptPartitions%keptKeys), Tombstone: k.policy == Compacted && id.Seq%tombstoneEvery == 0,
	}}
	r := &kgo.Record{
		Topic: k.topic, Partition: s.Partition, Key: []byte(s.Key), Headers: []kgo.RecordHeader{{Key: idHeader, Value: fmt.Appendf(nil, "%d/%d/", id.Producer, id.Seq)}},
	}
	if !s.Tombstone {
		r.Value = []byte(strings.Repeat("v", int(id.Seq*13%300)+1))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sent = append(k.sent, s)
	return r, s
}

// startJava runs Kafka's own producer in Java against its topic, until the producers are to stop.
func (c *crew) startJava(program *kafka.Installation, k *keptLoad, dir string) {
	settings := filepath.Join(dir, "java-producer.properties")
	if err := os.WriteFile(settings, []byte("retries=2147483647\nenable.idempotence=true\nacks=all\ndelivery.timeout.ms=120000\nlinger.ms=2\nmetadata.max.age.ms=3000\n"), 0o644); err != nil {
		c.fail("Java's producer: %v", err)
		return
	}
	ctx, cancel := context.WithCancel(c.live)
	cmd := program.Tool(ctx, "kafka-verifiable-producer", "--bootstrap-server", strings.Join(c.seeds, ","), "--topic", k.topic, "--max-messages", "-1",
		"--acks", "-1", "--throughput", fmt.Sprint(javaPerSecond), "--value-prefix", fmt.Sprint(javaProducer), "--producer.config", settings)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		c.fail("Java's producer: %v", err)
		return
	}
	c.producers.Go(func() {
		defer cancel()
		stop := context.AfterFunc(c.produce, func() { _ = cmd.Process.Signal(os.Interrupt) }) // it sends what it has, and ends
		defer stop()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			k.java(lines.Bytes(), c.fail)
		}
		_ = cmd.Wait() // its status is the signal
	})
}

// java takes a line of the producer in Java.
func (k *keptLoad) java(line []byte, fail func(string, ...any)) {
	var told struct {
		Name, Value, Exception, Message string
		Partition                       int32
		Offset                          int64
	}
	if json.Unmarshal(line, &told) != nil {
		return
	}
	switch told.Name {
	case "producer_send_error":
		fail("Java's producer gave %s up: %s %s", told.Value, told.Exception, told.Message)
	case "producer_send_success":
		id, err := javaID(told.Value)
		if err != nil {
			fail("Java's producer: %v", err)
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.sent = append(k.sent, &Sent{Partition: told.Partition, Acked: true, KeptRecord: KeptRecord{ID: id, Offset: told.Offset}})
	}
}

func javaID(value string) (ID, error) {
	prefix, n, _ := strings.Cut(value, ".")
	seq, err := strconv.ParseInt(n, 10, 64)
	if err != nil || prefix != fmt.Sprint(javaProducer) {
		return ID{}, fmt.Errorf("%.20q is no value of Java's producer", value)
	}
	return ID{javaProducer, seq}, nil
}

// history is what the topic came to, with the logs of the brokers, none of which runs.
func (k *keptLoad) history(brokers []*kafka.Broker) (*Kept, error) {
	h := &Kept{Topic: k.topic, Policy: k.policy, Untold: k.topic == javaTopic}
	for _, s := range k.sent {
		h.Sent = append(h.Sent, *s)
	}
	for _, b := range brokers {
		for p := range int32(keptPartitions) {
			l, err := k.readLog(filepath.Join(b.DataDir(), fmt.Sprintf("%s-%d", k.topic, p)))
			if err != nil {
				return nil, fmt.Errorf("broker %d: %w", b.ID(), err)
			}
			l.Who, l.Partition = fmt.Sprint("broker ", b.ID()), p
			h.Logs = append(h.Logs, l)
		}
	}
	return h, nil
}

func (k *keptLoad) readLog(dir string) (KeptLog, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(names) == 0 {
		return KeptLog{}, fmt.Errorf("read %s: no segments: %w", dir, err)
	}
	slices.Sort(names)
	var l KeptLog
	for _, name := range names {
		base, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(name), ".log"), 10, 64)
		if err != nil {
			return l, err
		}
		l.Bases = append(l.Bases, base)
		b, err := os.ReadFile(name)
		if err != nil {
			return l, err
		}
		for batch, err := range record.All(b) {
			if err == nil {
				err = batch.Check()
			}
			if err != nil {
				return l, fmt.Errorf("read %s: %w", name, err)
			}
			for r, err := range batch.Records(record.NewDecompressor(1 << 24)) {
				if err != nil {
					return l, fmt.Errorf("read %s: %w", name, err)
				}
				var headers []kgo.RecordHeader
				for _, h := range r.Headers {
					headers = append(headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
				}
				entry, err := k.entry(r.Offset, r.Key, r.Value, headers)
				if err != nil {
					return l, fmt.Errorf("read %s: offset %d: %w", name, r.Offset, err)
				}
				l.Records = append(l.Records, entry)
			}
		}
	}
	return l, nil
}

func (k *keptLoad) entry(offset int64, key, value []byte, headers []kgo.RecordHeader) (KeptRecord, error) {
	if k.topic == javaTopic {
		id, err := javaID(string(value))
		return KeptRecord{ID: id, Offset: offset}, err
	}
	for _, h := range headers {
		if h.Key == idHeader {
			id, err := idOf(h.Value)
			return KeptRecord{ID: id, Offset: offset, Key: string(key), Tombstone: value == nil}, err
		}
	}
	return KeptRecord{}, fmt.Errorf("record without the header %s", idHeader)
}

// readAll has a client read the topic from its start to the end that it has now.
func (k *keptLoad) readAll(ctx context.Context, c *crew, h *Kept) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, k.topic)
	if err != nil {
		return err
	}
	for p := range int32(keptPartitions) {
		end, _ := ends.Lookup(k.topic, p)
		l := KeptLog{Who: "a client", Partition: p}
		reader, err := c.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{k.topic: {p: kgo.NewOffset().AtStart()}}), kgo.FetchMaxWait(500*time.Millisecond))
		if err != nil {
			return err
		}
		for next := int64(0); next < end.Offset; {
			fetches := reader.PollFetches(ctx)
			if err := ctx.Err(); err != nil {
				reader.Close()
				return fmt.Errorf("read %s, partition %d, up to %d of %d: %w", k.topic, p, next, end.Offset, context.Cause(ctx))
			}
			fetches.EachRecord(func(r *kgo.Record) {
				entry, entryErr := k.entry(r.Offset, r.Key, r.Value, r.Headers)
				if entryErr != nil {
					err = entryErr
				}
				l.Records, next = append(l.Records, entry), r.Offset+1
			})
		}
		reader.Close()
		if err != nil {
			return err
		}
		h.Logs = append(h.Logs, l)
	}
	return nil
}
