package brokerkills

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"holt/compat/ensemble"
	"holt/compat/kafka"
)

var (
	brokerKind = flag.String("broker", "", "brokers to kill: holt or kafka; empty skips")
	kills      = flag.Int("kills", 10, "faults to do")
	seed       = flag.Uint64("seed", 0, "seed of the faults and their moments; 0 takes one from the clock")
	members    = flag.String("target", "holt", "coordination members: holt or zookeeper")
)

const (
	chroot     = "/kills"
	session    = 3 * time.Second
	perFault   = 90 * time.Second
	settleTime = 120 * time.Second
)

// limitOf returns how long acknowledgements may take to resume: what Holt promises, and for
// Kafka, which promises nothing, what shows that it is not stuck.
func limitOf(kind kafka.Kind) time.Duration {
	if kind == kafka.Holt {
		return 2 * time.Second
	}
	return 15 * time.Second
}

// TestBrokerKills does faults to three brokers and three coordination members under load, and
// checks what clients saw and what brokers hold.
func TestBrokerKills(t *testing.T) {
	if *brokerKind == "" {
		t.Skip("needs broker processes: give -broker=holt or -broker=kafka")
	}
	kind, err := kafka.ParseKind(*brokerKind)
	check(t, err)
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	java, err := kafka.Load(t.Context())
	check(t, err)
	e, c := startCluster(t, kind)
	createTopics(t, c)

	crew := newCrew(t.Context(), c.Addrs(), t.Errorf)
	defer crew.end()
	f := &faulty{
		faults: faultsFor(kind),
		crew:   crew, members: e, brokers: c, chroot: chroot, session: session, limit: limitOf(kind),
		rng: rand.New(rand.NewPCG(*seed, 0)), log: t.Logf,
	}
	check(t, f.open())
	defer f.close()
	crew.startAll()
	f.watchStates()
	kept := []*keptLoad{{topic: compactedTopic, policy: Compacted}, {topic: retainedTopic, policy: Retained}, {topic: javaTopic}}
	crew.startKept(kept[0], 21)
	crew.startKept(kept[1], 22)
	crew.startJava(java, kept[2], t.TempDir())
	pause(t.Context(), 2*time.Second)
	f.all(t)

	h, keptHistories := finish(t, crew, f, kept)
	for _, v := range Check(h) {
		t.Error(v)
	}
	for _, k := range keptHistories {
		for _, v := range CheckKept(k) {
			t.Error(v)
		}
	}
	report(t, h, keptHistories)
	reportReaders(t, crew)
}

func (c *crew) startAll() {
	for n := range 3 {
		c.startIdempotent(n + 1)
	}
	for n := range 2 {
		c.startTransactional(n + 11)
	}
	c.startReader("uncommitted reader", false)
	c.startReader("committed reader", true)
	c.startReader("uncommitted reader near broker 2", false, near(2)...)
	c.startReader("committed reader near broker 3", true, near(3)...)
	c.startMember(1)
	c.startMember(2, near(1)...)
	c.startSampler()
}

// all does all faults; one from which the cluster does not recover ends the run.
func (f *faulty) all(t *testing.T) {
	for n, fault := range schedule(f.faults, *kills, f.rng) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), perFault, fmt.Errorf("not within %v", perFault))
		err := f.do(ctx, fault)
		cancel()
		if err != nil {
			t.Errorf("fault %d, %s: %v", n+1, fault, err)
			return
		}
	}
}

// finish ends the load, asks what can be asked, kills all brokers at once, reads their files,
// starts them again and asks the rest.
func finish(t *testing.T, c *crew, f *faulty, kept []*keptLoad) (*History, []*Kept) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), settleTime, fmt.Errorf("the end took more than %v", settleTime))
	defer cancel()
	c.stop()
	c.producers.Wait()
	c.drained(ctx)
	c.ask(ctx)
	check(t, f.askStale(ctx))
	c.end()
	c.consumers.Wait()
	pause(ctx, 2*time.Second) // followers have what leaders have
	for _, b := range f.brokers.Brokers() {
		if b.Running() {
			check(t, b.Kill())
		}
	}
	replicas, err := readReplicas(f.brokers.Brokers())
	check(t, err)
	var histories []*Kept
	for _, k := range kept {
		h, err := k.history(f.brokers.Brokers())
		check(t, err)
		histories = append(histories, h)
	}
	check(t, f.brokers.StartAll(ctx))
	check(t, f.brokers.InSync(ctx, topic, compactedTopic, retainedTopic, javaTopic))
	for i, k := range kept {
		check(t, k.readAll(ctx, c, histories[i]))
	}
	client, err := c.client()
	check(t, err)
	defer client.Close()
	for _, r := range replicas[:partitions] {
		c.askTimes(ctx, client, r.Partition, r.Entries)
	}
	offsets, err := kadm.NewClient(client).FetchOffsets(ctx, group)
	check(t, err)
	final := map[string]map[int32]int64{group: {}}
	offsets.Each(func(o kadm.OffsetResponse) { final[group][o.Partition] = o.At })
	return c.history(replicas, final), histories
}

// report says how much the run has shown.
func report(t *testing.T, h *History, kept []*Kept) {
	acked, unknown := 0, 0
	for _, w := range h.Writes {
		if w.Acked {
			acked++
		} else {
			unknown++
		}
	}
	ends := make(map[Outcome]int)
	for _, o := range h.Txns {
		ends[o]++
	}
	commits := 0
	for _, c := range h.Commits {
		if c.Acked {
			commits++
		}
	}
	for _, k := range kept {
		acked, left := 0, 0
		for _, s := range k.Sent {
			if s.Acked {
				acked++
			}
		}
		for _, l := range k.Logs[:keptPartitions] {
			left += len(l.Records)
		}
		t.Logf("%s: %d records acknowledged, broker 1 has %d", k.Topic, acked, left)
		if acked == 0 {
			t.Errorf("%s: nothing was acknowledged", k.Topic)
		}
	}
	t.Logf("%d states seen", len(h.States))
	t.Logf("%d records acknowledged, %d of unknown outcome; transactions: %d committed, %d aborted, %d unknown; %d commits of offsets, %d samples, %d probes",
		acked, unknown, ends[Committed], ends[Aborted], ends[Unknown], commits, len(h.Samples), len(h.Probes))
	if acked == 0 || ends[Committed] == 0 || ends[Aborted] == 0 || commits == 0 || len(h.Samples) == 0 {
		t.Error("there was too little load: the run shows nothing")
	}
}

// reportReaders says where readers were given records: those near a broker by it, of partitions that others lead too.
func reportReaders(t *testing.T, c *crew) {
	for _, r := range c.readers {
		var at []int
		for broker := range int32(3) {
			at = append(at, r.readAt(broker+1))
		}
		t.Logf("%s: of %d partitions read %v at brokers 1, 2 and 3", r.name, partitions, at)
		for broker := range 3 {
			if strings.HasSuffix(r.name, fmt.Sprint("near broker ", broker+1)) && at[broker] < partitions {
				t.Errorf("%s: it read only %d partitions there", r.name, at[broker])
			}
		}
	}
}

func startCluster(t *testing.T, kind kafka.Kind) (*ensemble.Ensemble, *kafka.Cluster) {
	t.Helper()
	memberKind, err := ensemble.ParseKind(*members)
	check(t, err)
	e, err := ensemble.New(t.Context(), ensemble.Config{
		Kind: memberKind, Members: 3, Dir: t.TempDir(), Settings: []string{"tickTime=500", "initLimit=20", "syncLimit=10"},
	})
	check(t, err)
	t.Cleanup(func() { closing(t, e) })
	check(t, e.StartAll(t.Context()))
	holt, err := kind.Command(t.Context())
	check(t, err)
	c, err := kafka.New(t.Context(), kafka.Config{
		Holt: holt, ZooKeeper: strings.Join(e.Addrs(), ",") + chroot, Brokers: 3, Dir: t.TempDir(),
		Settings: []string{
			fmt.Sprintf("zookeeper.session.timeout.ms=%d", session.Milliseconds()), "min.insync.replicas=2",
			"replica.lag.time.max.ms=10000", "transaction.state.log.min.isr=2", "auto.leader.rebalance.enable=true",
			"leader.imbalance.check.interval.seconds=5", "log.cleaner.backoff.ms=1000", "log.retention.check.interval.ms=2000",
			"log.cleaner.dedupe.buffer.size=4194304",
			"replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector",
		},
		Lines: func(b *kafka.Broker) []string { return []string{"broker.rack=" + rackOf(b.ID())} },
	})
	check(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			printLogs(t, c)
		}
		closing(t, c)
	})
	check(t, c.StartAll(t.Context()))
	return e, c
}

func closing(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func createTopics(t *testing.T, c *kafka.Cluster) {
	t.Helper()
	crew := newCrew(t.Context(), c.Addrs(), t.Errorf)
	client, err := crew.client()
	check(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	create := func(name string, partitions int32, settings map[string]*string) {
		resp, err := kadm.NewClient(client).CreateTopic(ctx, partitions, 3, settings, name)
		check(t, err)
		check(t, resp.Err)
		check(t, c.InSync(ctx, name))
	}
	create(topic, partitions, nil)
	for name, settings := range keptTopics() {
		create(name, keptPartitions, settings)
	}
}

// printLogs puts the end of each broker's log into the test's output: the directory is gone when
// somebody reads it.
func printLogs(t *testing.T, c *kafka.Cluster) {
	const most = 3000
	for _, b := range c.Brokers() {
		text, err := os.ReadFile(b.LogPath())
		if err != nil {
			continue // it never started
		}
		t.Logf("broker %d, last of its log:\n%s", b.ID(), text[max(0, len(text)-most):])
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
