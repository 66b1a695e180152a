package kafkaclients

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/compat/ensemble"
	"holt/compat/kafka"
	"holt/compat/target"
)

var brokerKind = flag.String("brokers", "holt", "whose brokers: holt, or kafka for Apache Kafka 3.9")

// brokers starts three brokers on a coordination member of the kind under test. cfg says what is
// special about them.
func brokers(t *testing.T, cfg kafka.Config) *kafka.Cluster {
	t.Helper()
	target.Kind(t)
	cfg.Brokers, cfg.Dir = 3, t.TempDir()
	switch *brokerKind {
	case "holt":
		path, err := ensemble.BuildHolt(t.Context())
		check(t, err)
		cfg.Holt = path
	case "kafka":
		requireJava(t)
	default:
		t.Fatalf("-brokers=%s: want holt or kafka", *brokerKind)
	}
	cfg.ZooKeeper = strings.Join(target.Start(t, ensemble.Config{}).Addrs(), ",") + "/kafka"
	c, err := kafka.New(t.Context(), cfg)
	check(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			printLogs(t, c)
		}
		check(t, c.Close())
	})
	check(t, c.StartAll(t.Context()))
	return c
}

// printLogs puts the last part of each broker's log into the test's output: the directory is
// gone when somebody reads it.
func printLogs(t *testing.T, c *kafka.Cluster) {
	const most = 4000
	for _, b := range c.Brokers() {
		text, err := os.ReadFile(b.LogPath())
		if err != nil {
			continue // it never started
		}
		t.Logf("broker %d, last of its log:\n%s", b.ID(), text[max(0, len(text)-most):])
	}
}

// restart stops all brokers in order, starts them, and waits until the groups' offsets are in sync.
func restart(t *testing.T, c *kafka.Cluster) {
	t.Helper()
	began := time.Now()
	for _, b := range c.Brokers() {
		check(t, b.Stop())
	}
	check(t, c.StartAll(t.Context()))
	check(t, c.InSync(within(t, 30*time.Second), "__consumer_offsets"))
	t.Logf("all brokers stopped and started: %.1f s", time.Since(began).Seconds())
}

// makeTopics makes the topics that the suites expect.
func makeTopics(t *testing.T, c *kafka.Cluster, names []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...))
	check(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	var one, six []string
	for _, name := range names {
		for _, suffix := range []string{"none", "gzip", "snappy", "lz4", "zstd", "commit", "idempotent", "txn", "txnin"} {
			one = append(one, name+"-"+suffix)
		}
		six = append(six, name+"-group")
	}
	ctx := within(t, 30*time.Second)
	for partitions, topics := range map[int32][]string{1: one, 6: six} {
		created, err := admin.CreateTopics(ctx, partitions, -1, nil, topics...)
		if err == nil {
			err = created.Error()
		}
		check(t, err)
	}
	check(t, c.InSync(ctx, append(one, six...)...))
}

// within returns a context for one step.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, fmt.Errorf("not within %v", d))
	t.Cleanup(cancel)
	return ctx
}

// check fails the test at once on an error.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
