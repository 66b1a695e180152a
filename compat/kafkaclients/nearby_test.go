package kafkaclients

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/compat/ensemble"
	"holt/compat/kafka"
	"holt/compat/target"
)

// In TestNearby broker 1 leads, and consumers stand in the rack of broker 3.
const (
	nearbyLeader = 1
	nearbyBroker = 3
	nearbyTopic  = "nearby"
)

// TestNearby has consumers of committed records in the rack of a follower: Java's, librdkafka's and franz-go's. They
// read there, as the brokers' counts show; when the follower is killed they read on from the leader, in order and
// leaving out nothing, and the records of transactions that were aborted they are never given. librdkafka's waits
// for the follower to be back, with Apache Kafka's brokers too.
func TestNearby(t *testing.T) {
	target.Kind(t)
	java, err := kafka.Load(t.Context())
	check(t, err)
	target.Require(t, target.Tool{Check: []string{"kcat", "-V"}, Package: "kcat"})
	for name, start := range map[string]func(*nearby) io.Reader{
		"java": func(n *nearby) io.Reader {
			return n.process(java.Tool(t.Context(), "kafka-console-consumer", "--bootstrap-server", n.c.Bootstrap(), "--topic", nearbyTopic, "--partition", "0",
				"--offset", "earliest", "--isolation-level", "read_committed", "--consumer-property", "client.rack="+nearbyRack(nearbyBroker)))
		},
		"kcat": func(n *nearby) io.Reader {
			return n.process(exec.CommandContext(t.Context(), "kcat", "-b", n.c.Bootstrap(), "-C", "-t", nearbyTopic, "-p", "0", "-o", "beginning", "-q", "-u",
				"-X", "isolation.level=read_committed", "-X", "client.rack="+nearbyRack(nearbyBroker)))
		},
		"franz-go": (*nearby).franz,
	} {
		t.Run(name, func(t *testing.T) {
			n := startNearby(t)
			n.watch(start(n))
			n.run(name == "kcat")
		})
	}
}

func nearbyRack(broker int) string { return fmt.Sprint("rack", broker) }

// nearby is three brokers, each in a rack of its own, and a consumer of a topic that one of them leads.
type nearby struct {
	t       *testing.T
	c       *kafka.Cluster
	metrics map[int]string // where a broker shows them
	writer  *kgo.Client    // transactional

	mu    sync.Mutex
	lines []string // that the consumer was given
	more  chan struct{}
}

func startNearby(t *testing.T) *nearby {
	t.Helper()
	n := &nearby{t: t, metrics: map[int]string{}, more: make(chan struct{}, 1)}
	ports, err := ensemble.FreePorts(3)
	check(t, err)
	n.c = brokers(t, kafka.Config{
		Settings: []string{"replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector", "auto.leader.rebalance.enable=false"},
		Lines: func(b *kafka.Broker) []string {
			lines := []string{"broker.rack=" + nearbyRack(b.ID())}
			if *brokerKind == "holt" {
				n.metrics[b.ID()] = fmt.Sprintf("127.0.0.1:%d", ports[b.ID()-1])
				lines = append(lines, "metrics.listener="+n.metrics[b.ID()])
			}
			return lines
		},
	})
	n.writer, err = kgo.NewClient(kgo.SeedBrokers(n.c.Addrs()...), kgo.TransactionalID("nearby"))
	check(t, err)
	t.Cleanup(n.writer.Close)
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = nearbyTopic, -1, -1
	assigned := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
	assigned.Replicas = []int32{nearbyLeader, 2, nearbyBroker}
	topic.ReplicaAssignment = append(topic.ReplicaAssignment, assigned)
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 30_000
	_, err = req.RequestWith(within(t, 30*time.Second), n.writer)
	check(t, err)
	check(t, n.c.InSync(within(t, 30*time.Second), nearbyTopic))
	return n
}

// run writes, kills the follower that the consumer reads from, and writes again; if the consumer waits for the
// follower, it is started again.
func (n *nearby) run(waits bool) {
	n.transact("first", kgo.TryCommit)
	n.transact("aborted", kgo.TryAbort)
	n.transact("second", kgo.TryCommit)
	n.await(nearbyValues("first", "second"))
	n.gave(map[int]bool{nearbyBroker: true})
	check(n.t, n.c.Brokers()[nearbyBroker-1].Kill())
	n.transact("third", kgo.TryCommit)
	n.transact("aborted too", kgo.TryAbort)
	n.transact("fourth", kgo.TryCommit)
	if waits {
		check(n.t, n.c.StartAll(n.t.Context()))
	}
	n.await(nearbyValues("first", "second", "third", "fourth"))
}

func nearbyValues(names ...string) (all []string) {
	for _, name := range names {
		for i := range perWay {
			all = append(all, fmt.Sprint(name, " ", i))
		}
	}
	return all
}

func (n *nearby) transact(name string, end kgo.TransactionEndTry) {
	n.t.Helper()
	ctx := within(n.t, time.Minute)
	check(n.t, n.writer.BeginTransaction())
	for _, v := range nearbyValues(name) {
		check(n.t, n.writer.ProduceSync(ctx, &kgo.Record{Topic: nearbyTopic, Value: []byte(v)}).FirstErr())
	}
	check(n.t, n.writer.EndTransaction(ctx, end))
}

// process starts a consumer that prints what it is given, and ends it when the test ends.
func (n *nearby) process(cmd *exec.Cmd) io.Reader {
	out, err := cmd.StdoutPipe()
	check(n.t, err)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	check(n.t, cmd.Start())
	n.t.Cleanup(func() {
		check(n.t, cmd.Process.Kill())
		err := cmd.Wait() // that it was killed
		if n.t.Failed() {
			n.t.Logf("%q: %v\n%s", cmd.Args, err, tail(complaint.String()))
		}
	})
	return out
}

func (n *nearby) franz() io.Reader {
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.c.Addrs()...), kgo.Rack(nearbyRack(nearbyBroker)), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{nearbyTopic: {0: kgo.NewOffset().AtStart()}}))
	check(n.t, err)
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(n.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(func(record *kgo.Record) { fmt.Fprintln(w, string(record.Value)) })
		}
	})
	n.t.Cleanup(func() {
		stop()
		check(n.t, r.Close()) // whoever writes fails
		done.Wait()
		cl.Close()
	})
	return r
}

// watch collects the lines that the consumer prints, until it ends.
func (n *nearby) watch(r io.Reader) {
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			n.mu.Lock()
			n.lines = append(n.lines, lines.Text())
			n.mu.Unlock()
			select {
			case n.more <- struct{}{}:
			default:
			}
		}
	}()
}

// await returns when the consumer was given these values.
func (n *nearby) await(want []string) {
	n.t.Helper()
	ctx := within(n.t, time.Minute)
	for {
		n.mu.Lock()
		got := slices.Clone(n.lines)
		n.mu.Unlock()
		if slices.Equal(got, want) {
			return
		}
		if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			n.t.Fatalf("the consumer was given %q, want %q", got, want)
		}
		select {
		case <-n.more:
		case <-ctx.Done():
			n.t.Fatalf("the consumer was given %d values of %d", len(got), len(want))
		}
	}
}

// gave checks which brokers have given consumers records, and that they did as followers. Apache Kafka does not say.
func (n *nearby) gave(want map[int]bool) {
	n.t.Helper()
	if *brokerKind != "holt" {
		return
	}
	for id := 1; id <= 3; id++ {
		all, followed := n.metric(id, "holt_broker_records_bytes_out_total"), n.metric(id, "holt_broker_records_bytes_out_as_follower_total")
		if (all > 0) != want[id] || all != followed {
			n.t.Errorf("broker %d, of which %d leads, gave %v bytes, of them %v as a follower", id, nearbyLeader, all, followed)
		}
	}
}

func (n *nearby) metric(broker int, name string) float64 {
	n.t.Helper()
	req, err := http.NewRequestWithContext(within(n.t, 10*time.Second), http.MethodGet, "http://"+n.metrics[broker]+"/metrics", nil)
	check(n.t, err)
	resp, err := http.DefaultClient.Do(req)
	check(n.t, err)
	body, err := io.ReadAll(resp.Body)
	check(n.t, errors.Join(err, resp.Body.Close()))
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(body)
	if found == nil {
		n.t.Fatalf("broker %d has no metric %s", broker, name)
	}
	v, err := strconv.ParseFloat(string(found[1]), 64)
	check(n.t, err)
	return v
}
