package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/broker/partition"
	"holt/compat/ensemble"
	"holt/compat/target"
)

// Topics of the handover: one with every codec, one with transactions, one that was compacted.
const (
	codecsTopic  = "codecs"
	txnTopic     = "transactions"
	compactTopic = "compacted"
	perStage     = 200
)

// handover is one broker's directory and tree, served by one program after the other.
type handover struct {
	t    *testing.T
	e    *ensemble.Ensemble
	dir  string
	c    *Cluster
	want map[string][]string // values that a reader of committed records gets, by topic
}

// TestHandover has Apache Kafka write a log directory and a tree, Holt's broker take both over, and Kafka
// take them back, after a stop in order and after a kill: records of every codec, committed and aborted
// transactions, a compacted topic, a group's offsets and a producer's sequence go on.
func TestHandover(t *testing.T) {
	target.Kind(t)
	target.Require(t, target.Tool{Check: []string{"java", "-version"}, Package: "default-jre-headless"})
	target.Require(t, target.Tool{Check: []string{"mvn", "-version"}, Package: "maven"})
	h := &handover{t: t, e: target.Start(t, ensemble.Config{Members: 1}), dir: t.TempDir(), want: map[string][]string{}}
	t.Cleanup(func() {
		if t.Failed() && h.c != nil {
			printLogs(t, h.c)
		}
	})
	h.start(Kafka)
	h.create()
	h.write("kafka")
	h.read("by Kafka")
	check(t, h.c.Brokers()[0].Stop())
	h.open("stopped") // Holt's own look at Kafka's files, indexes and all

	h.start(Holt)
	h.read("by Holt, after a stop")
	h.write("holt")
	h.read("by Holt")
	check(t, h.c.Brokers()[0].Stop())

	h.start(Kafka)
	h.read("by Kafka again")
	h.write("kafka again")
	check(t, h.c.Brokers()[0].Kill())
	h.open("killed")

	time.Sleep(7 * time.Second) // the session of the killed one ends: Holt does not know it
	h.start(Holt)
	h.read("by Holt, after a kill")
	check(t, h.c.Brokers()[0].Stop())
}

// start starts a broker of a kind on the directory.
func (h *handover) start(kind Kind) {
	h.t.Helper()
	holt, err := kind.Command(h.t.Context())
	check(h.t, err)
	c, err := New(h.t.Context(), Config{
		Holt: holt, ZooKeeper: h.e.Addrs()[0] + "/handover", Dir: h.dir,
		Settings: []string{"log.cleaner.backoff.ms=500", "log.segment.bytes=6000", "transaction.state.log.min.isr=1"},
	})
	check(h.t, err)
	h.t.Cleanup(func() { check(h.t, c.Close()) })
	check(h.t, c.StartAll(h.t.Context()))
	h.c = c
	if len(h.want) > 0 {
		check(h.t, c.InSync(within(h.t, 30*time.Second), codecsTopic, txnTopic, compactTopic))
	}
}

func (h *handover) client(opts ...kgo.Opt) *kgo.Client {
	h.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(h.c.Addrs()...), kgo.MetadataMinAge(100 * time.Millisecond)}, opts...)...)
	check(h.t, err)
	h.t.Cleanup(cl.Close)
	return cl
}

func (h *handover) create() {
	h.t.Helper()
	adm := kadm.NewClient(h.client())
	compact, ratio := "compact", "0.01"
	for topic, settings := range map[string]map[string]*string{
		codecsTopic: nil, txnTopic: nil, compactTopic: {"cleanup.policy": &compact, "min.cleanable.dirty.ratio": &ratio},
	} {
		_, err := adm.CreateTopic(within(h.t, 20*time.Second), 1, 1, settings, topic)
		check(h.t, err)
		check(h.t, h.c.InSync(within(h.t, 20*time.Second), topic))
	}
}

// write adds a stage's records to all topics.
func (h *handover) write(stage string) {
	h.t.Helper()
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		cl := h.client(kgo.ProducerBatchCompression(codec), kgo.MaxProduceRequestsInflightPerBroker(1))
		for n := range perStage {
			h.send(cl, codecsTopic, fmt.Sprintf("%s-%d-%d", stage, i, n), true)
		}
		cl.Close()
	}
	cl := h.client(kgo.TransactionalID("handover"))
	for n := range 20 {
		check(h.t, cl.BeginTransaction())
		commit := n%3 != 0
		for i := range 5 {
			h.send(cl, txnTopic, fmt.Sprintf("%s-%d-%d", stage, n, i), commit)
		}
		check(h.t, cl.EndTransaction(within(h.t, 20*time.Second), kgo.TransactionEndTry(commit)))
	}
	cl.Close()
	cl = h.client()
	for n := range perStage {
		h.send(cl, compactTopic, fmt.Sprintf("%s-%d", stage, n), true)
	}
	cl.Close()
}

func (h *handover) send(cl *kgo.Client, topic, value string, counts bool) {
	h.t.Helper()
	key := fmt.Sprint("key", len(h.want[topic])%10)
	r := &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value + strings.Repeat(".", 50))}
	check(h.t, cl.ProduceSync(within(h.t, 20*time.Second), r).FirstErr())
	if counts {
		h.want[topic] = append(h.want[topic], value)
	}
}

// read compares what there is with what was written, and has a group go on where it was.
func (h *handover) read(when string) {
	h.t.Helper()
	for _, topic := range []string{codecsTopic, txnTopic} {
		if got := h.all(topic); !slices.Equal(got, h.want[topic]) {
			h.t.Errorf("%s: %s has %d records, want %d", when, topic, len(got), len(h.want[topic]))
		}
	}
	last := map[string]string{}
	want := h.want[compactTopic]
	for i, v := range want {
		last[fmt.Sprint("key", i%10)] = v
	}
	got := map[string]string{}
	for _, kv := range h.records(compactTopic) {
		got[kv[0]] = kv[1]
	}
	for key, v := range last {
		if got[key] != v {
			h.t.Errorf("%s: %s has %s, want %s", when, key, got[key], v)
		}
	}
	h.group(when)
}

// group reads on in a group, which has to get just what was written since it last did.
func (h *handover) group(when string) {
	h.t.Helper()
	cl := h.client(kgo.ConsumerGroup("readers"), kgo.ConsumeTopics(codecsTopic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	adm := kadm.NewClient(cl)
	ctx := within(h.t, 60*time.Second)
	offsets, err := adm.FetchOffsets(ctx, "readers")
	for errors.Is(err, kerr.CoordinatorNotAvailable) { // Kafka makes the topic of offsets when it is first asked
		check(h.t, pause(ctx, 100*time.Millisecond))
		offsets, err = adm.FetchOffsets(ctx, "readers")
	}
	check(h.t, err)
	from := int64(0)
	if o, ok := offsets.Lookup(codecsTopic, 0); ok {
		check(h.t, o.Err)
		from = max(o.At, 0)
	}
	next := from
	for next < int64(len(h.want[codecsTopic])) {
		f := cl.PollFetches(ctx)
		check(h.t, errors.Join(f.Err(), context.Cause(ctx)))
		f.EachRecord(func(r *kgo.Record) {
			if r.Offset != next {
				h.t.Fatalf("%s: the group got offset %d, want %d", when, r.Offset, next)
			}
			next++
		})
	}
	check(h.t, cl.CommitUncommittedOffsets(ctx))
	if from != int64(len(h.want[codecsTopic])) && from != 0 && from%perStage != 0 {
		h.t.Errorf("%s: the group went on at %d", when, from)
	}
}

// all returns the committed values of a topic.
func (h *handover) all(topic string) (values []string) {
	for _, kv := range h.records(topic) {
		values = append(values, kv[1])
	}
	return values
}

func (h *handover) records(topic string) (all [][2]string) {
	h.t.Helper()
	cl := h.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords())
	defer cl.Close()
	ctx := within(h.t, 60*time.Second)
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	check(h.t, err)
	end, ok := ends.Lookup(topic, 0)
	if !ok || end.Err != nil {
		h.t.Fatalf("no end of %s: %v", topic, end.Err)
	}
	for next := int64(0); next < end.Offset; {
		f := cl.PollFetches(ctx)
		check(h.t, errors.Join(f.Err(), context.Cause(ctx)))
		f.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				all = append(all, [2]string{string(r.Key), strings.TrimRight(string(r.Value), ".")})
			}
		})
	}
	return all
}

// open opens a copy of the directory as Holt's broker does, and looks at what it has found.
func (h *handover) open(how string) {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), how)
	check(h.t, os.CopyFS(path, os.DirFS(h.c.Brokers()[0].DataDir())))
	d, err := partition.Open(path, partition.Options{})
	check(h.t, err)
	defer func() { check(h.t, d.Close()) }()
	if m := d.Meta(); m.BrokerID != 1 || m.ClusterID == "" {
		h.t.Errorf("%s: %+v", how, m)
	}
	for _, topic := range []string{codecsTopic, txnTopic, compactTopic} {
		l := d.Log(partition.Name{Topic: topic})
		if l == nil {
			h.t.Errorf("%s: no log of %s", how, topic)
			continue
		}
		if l.EndOffset() < int64(len(h.want[topic])) || l.LatestEpoch() < 0 || l.TopicID() == [16]byte{} || l.Segments() < 2 {
			h.t.Errorf("%s: %s ends at %d, epoch %d, id %x, %d segments", how, topic, l.EndOffset(), l.LatestEpoch(), l.TopicID(), l.Segments())
		}
	}
	aborted, err := d.Log(partition.Name{Topic: txnTopic}).AbortedIn(0, 1<<40)
	check(h.t, err)
	if len(aborted) == 0 || len(aborted)%7 != 0 { // of each stage's 20, every third
		h.t.Errorf("%s: %d aborted transactions", how, len(aborted))
	}
	if p := d.Log(partition.Name{Topic: txnTopic}).Producers(); len(p) != 1 || p[0].TxnFirstOffset != -1 || p[0].LastSequence < 0 {
		h.t.Errorf("%s: producers %+v", how, p)
	}
}
