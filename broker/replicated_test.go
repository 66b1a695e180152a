package broker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap/zaptest"

	"holt/broker/metadata"
	"holt/broker/metadata/metadatatest"
	"holt/broker/network"
	"holt/broker/partition"
)

// cluster is brokers in one process, with real files and sockets, around a tree in memory.
type cluster struct {
	t       *testing.T
	tree    *metadatatest.Tree
	dir     string
	brokers map[int32]*Broker
	session map[int32]*metadatatest.Session
	set     map[string]string
	dirs    map[int32][]string // log directories, if not dir/<id>
	fs      map[int32]vfs.FS   // on which they are, if not the machine's
}

func newCluster(t *testing.T, n int32, settings map[string]string) *cluster {
	t.Helper()
	c := &cluster{t: t, tree: metadatatest.NewTree(), dir: t.TempDir(), brokers: map[int32]*Broker{}, session: map[int32]*metadatatest.Session{},
		dirs: map[int32][]string{}, fs: map[int32]vfs.FS{},
		set: map[string]string{"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "3", "replica.lag.time.max.ms": "3000"}}
	for k, v := range settings {
		c.set[k] = v
	}
	for id := range n {
		c.start(id + 1)
	}
	t.Cleanup(func() {
		for id := range c.brokers {
			c.stop(id)
		}
	})
	return c
}

func (c *cluster) start(id int32) *Broker {
	c.t.Helper()
	dirs := c.dirs[id]
	if dirs == nil {
		dirs = []string{filepath.Join(c.dir, fmt.Sprint(id))}
	}
	rack := ""
	if c.set["replica.selector.class"] != "" {
		rack = fmt.Sprint("rack", id)
	}
	b, err := Start(c.t.Context(), Config{
		ID: id, Rack: rack, LogDirs: dirs, FS: c.fs[id],
		Listeners: []Listener{{Name: "PLAINTEXT", Protocol: network.Plaintext, Address: "127.0.0.1:0"}},
		Coordinator: func(context.Context) (metadata.Coordinator, error) {
			s := c.tree.Open()
			c.session[id] = s
			return s, nil
		},
		Settings: c.set, Logger: zaptest.NewLogger(c.t),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.brokers[id] = b
	return b
}

func (c *cluster) stop(id int32) {
	c.t.Helper()
	b := c.brokers[id]
	delete(c.brokers, id)
	if err := b.Close(); err != nil {
		c.t.Error(err)
	}
}

func (c *cluster) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	var seeds []string
	for _, b := range c.brokers {
		seeds = append(seeds, b.Addr("PLAINTEXT").String())
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seeds...), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// produce appends n records one after the other and returns when all are acknowledged.
func produce(ctx context.Context, t *testing.T, cl *kgo.Client, topic string, from, n int) {
	t.Helper()
	for i := range n {
		r := &kgo.Record{Topic: topic, Partition: 0, Value: fmt.Append(nil, from+i)}
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatalf("record %d: %v", from+i, err)
		}
	}
}

// consume reads n records from the beginning.
func consume(ctx context.Context, t *testing.T, cl *kgo.Client, n int) (values []string) {
	t.Helper()
	for len(values) < n {
		f := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("%d of %d records: %v", len(values), n, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			if r.Offset != int64(len(values)) {
				t.Errorf("offset %d, want %d", r.Offset, len(values))
			}
			values = append(values, string(r.Value))
		})
	}
	return values
}

func sequence(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

// TestOneBroker: records, a group's offsets and the topic are there after a restart.
func TestOneBroker(t *testing.T) {
	c := newCluster(t, 1, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cl := c.client(kgo.AllowAutoTopicCreation(), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit())
	produce(ctx, t, cl, "orders", 0, 10)
	if got := consume(ctx, t, cl, 10); !slices.Equal(got, sequence(10)) {
		t.Error(got)
	}
	if err := cl.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	c.stop(1)
	c.start(1)
	cl = c.client(kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	produce(ctx, t, cl, "orders", 10, 5)
	if got := consume(ctx, t, cl, 15); !slices.Equal(got, sequence(15)) {
		t.Error(got)
	}
	adm := kadm.NewClient(cl)
	lags, err := adm.Lag(ctx, "g")
	if err != nil {
		t.Fatal(err)
	}
	if g := lags["g"]; g.Error() != nil || g.Lag.Total() != 5 {
		t.Errorf("behind by %d: %v", g.Lag.Total(), g.Error())
	}
	dirs, err := adm.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := dirs[1].Lookup(filepath.Join(c.dir, "1"), "orders", 0); !ok || d.Size == 0 {
		t.Errorf("the log's size: %+v", d)
	}
	if total, free := fileSystem(ctx, t, cl); total <= 0 || free <= 0 || free > total {
		t.Errorf("the file system's size: %d, free %d", total, free)
	}
	ends, err := adm.DeleteRecords(ctx, kadm.Offsets{"orders": {0: kadm.Offset{Topic: "orders", At: 4}}})
	if err != nil || ends["orders"][0].LowWatermark != 4 {
		t.Error(ends, err)
	}
}

// fileSystem asks for the size of the first directory's file system, and what is free of it.
func fileSystem(ctx context.Context, t *testing.T, cl *kgo.Client) (total, free int64) {
	t.Helper()
	resp, err := cl.SeedBrokers()[0].Request(ctx, kmsg.NewPtrDescribeLogDirsRequest()) // joined answers would be without it
	if err != nil {
		t.Fatal(err)
	}
	dir := resp.(*kmsg.DescribeLogDirsResponse).Dirs[0]
	return dir.TotalBytes, dir.UsableBytes
}

// TestSettingsAfterRestart: the broker's own settings hold for a topic that has none, also for logs that
// were there when it started.
func TestSettingsAfterRestart(t *testing.T) {
	c := newCluster(t, 1, map[string]string{"message.max.bytes": "20000"})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	large := &kgo.Record{Topic: "orders", Value: make([]byte, 50_000)}
	for _, when := range []string{"new", "restarted"} {
		cl := c.client(kgo.AllowAutoTopicCreation(), kgo.ProducerBatchMaxBytes(100_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err := cl.ProduceSync(ctx, large).FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
			t.Errorf("%s: %v, want %v", when, err, kerr.MessageTooLarge)
		}
		cl.Close()
		c.stop(1)
		c.start(1)
	}
}

// TestFailover: three brokers replicate; whoever leads is stopped or loses its session, one after
// the other, and nothing that was acknowledged is lost.
func TestFailover(t *testing.T) {
	c := newCluster(t, 3, map[string]string{"min.insync.replicas": "2", "default.replication.factor": "3", "offsets.topic.replication.factor": "3"})
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	cl := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	adm := kadm.NewClient(cl)
	if _, err := adm.CreateTopic(ctx, 1, 3, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for round := range 3 {
		produce(ctx, t, cl, "orders", n, 20)
		n += 20
		leader := c.leader("orders", 0)
		if round == 1 {
			c.tree.Expire(c.session[leader]) // it registers again, in another life
		} else {
			c.stop(leader)
		}
		produce(ctx, t, cl, "orders", n, 20)
		n += 20
		if round != 1 {
			c.start(leader)
		}
		c.await(ctx, "orders", 3)
	}
	reader := c.client(kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(ctx, t, reader, n); !slices.Equal(got, sequence(n)) {
		t.Errorf("%d records: %v", n, got)
	}
}

func (c *cluster) any() *Broker {
	for _, b := range c.brokers {
		return b
	}
	return nil
}

// leader is who leads a partition, once somebody does.
func (c *cluster) leader(topic string, partition int32) int32 {
	c.t.Helper()
	b := c.any()
	led := func(i *metadata.Image) bool {
		p := i.Partition(topic, partition)
		return p != nil && p.Leader >= 0
	}
	if err := b.applied.wait(c.t.Context(), led); err != nil {
		c.t.Fatal(err)
	}
	return b.applied.get().Partition(topic, partition).Leader
}

// awaitAll returns when all brokers go by an image that satisfies the predicate.
func (c *cluster) awaitAll(ctx context.Context, predicate func(*metadata.Image) bool) {
	c.t.Helper()
	for id, b := range c.brokers {
		if err := b.applied.wait(ctx, predicate); err != nil {
			c.t.Fatalf("broker %d: %v", id, err)
		}
	}
}

// await returns when a partition has so many in-sync replicas.
func (c *cluster) await(ctx context.Context, topic string, isr int) {
	c.t.Helper()
	if err := c.any().applied.wait(ctx, func(i *metadata.Image) bool {
		p := i.Partition(topic, 0)
		return p != nil && len(p.ISR) == isr && p.Leader >= 0
	}); err != nil {
		c.t.Fatalf("%d in-sync replicas: %v", isr, err)
	}
}

// TestFormerLife: a broker that was killed does not wait for its former session's end, and frees the office
// of controller that it held; a session that is not its own it waits for.
func TestFormerLife(t *testing.T) {
	c := newCluster(t, 1, nil)
	b := c.brokers[1]
	var nodes []metadata.Op // as a killed broker leaves them
	for _, path := range []string{metadata.BrokerPath(1), metadata.ControllerPath} {
		if err := b.applied.wait(t.Context(), func(i *metadata.Image) bool { return i.Controller().ID == 1 }); err != nil {
			t.Fatal(err)
		}
		data, _, err := b.tree.Get(t.Context(), path, false)
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, metadata.CreateEphemeral(path, data))
	}
	c.stop(1)
	dead := c.tree.Open()
	if _, err := dead.Multi(t.Context(), nodes...); err != nil {
		t.Fatal(err)
	}
	d, err := partition.Open(filepath.Join(c.dir, "1"), partition.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if id, err := d.Session(); err != nil || id == 0 || id == int64(dead.Session()) {
		t.Errorf("session %#x, %v", id, err)
	}
	if err := errors.Join(d.SetSession(int64(dead.Session())), d.Close()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b = c.start(1)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the start took %v", took)
	}
	own := c.session[1].Session()
	if err := b.applied.wait(t.Context(), func(i *metadata.Image) bool { return i.Controller().Owner == own }); err != nil {
		t.Errorf("controller: %v", err)
	}
	c.stop(1)
	if _, err := c.tree.Open().Multi(t.Context(), nodes[0]); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, b.cfg); !errors.Is(err, metadata.ErrRegistered) {
		t.Errorf("another session has the id: %v", err)
	}
}
