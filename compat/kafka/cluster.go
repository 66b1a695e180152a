package kafka

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/compat/ensemble"
)

// Config says what cluster to start. ZooKeeper and Dir are required.
type Config struct {
	// ZooKeeper is the coordination service: host:port, several with commas, and a chroot if
	// wanted (zookeeper.connect).
	ZooKeeper string
	// Brokers is their number; 0 means 1. Their ids begin at 1.
	Brokers int
	// Dir holds everything that the brokers write.
	Dir string
	// Settings are further lines of every broker's server.properties; they win over the defaults.
	Settings []string
	// Lines are further ones of one broker's; they win over Settings.
	Lines func(b *Broker) []string
	// HeapMiB bounds each broker's heap; 0 means 512.
	HeapMiB int
	// Holt is the path of the command holt, whose brokers run then. Empty runs Apache Kafka's.
	Holt string
	// SCRAM gives each broker a second listener, SASL_PLAINTEXT with SCRAM.
	SCRAM bool
}

// Cluster is a set of brokers that Close ends.
type Cluster struct {
	*Installation // nil with brokers of Holt
	brokers       []*Broker
}

// readyTimeout bounds the time from the start of all brokers until each one serves.
const readyTimeout = 90 * time.Second

// New lays out the directories of a cluster and obtains its program. No process runs yet.
func New(ctx context.Context, cfg Config) (*Cluster, error) {
	var program *Installation
	if cfg.Holt == "" {
		var err error
		if program, err = Load(ctx); err != nil {
			return nil, err
		}
	}
	n := max(cfg.Brokers, 1)
	heap := cfg.HeapMiB
	if heap == 0 {
		heap = 512
	}
	ports, err := ensemble.FreePorts(2 * n)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Installation: program}
	for i := range n {
		b := &Broker{id: i + 1, port: ports[i], dir: filepath.Join(cfg.Dir, fmt.Sprint("broker", i+1)), heapMiB: heap, program: program, holt: cfg.Holt}
		if cfg.SCRAM {
			b.saslPort = ports[n+i]
		}
		c.brokers = append(c.brokers, b)
		settings := append(defaults(cfg, n), cfg.Settings...)
		if cfg.Lines != nil {
			settings = append(settings, cfg.Lines(b)...)
		}
		if err := b.layOut(settings); err != nil {
			return nil, fmt.Errorf("lay out %s: %w", b.name(), err)
		}
	}
	return c, nil
}

// defaults are the settings that a small cluster under test wants.
func defaults(cfg Config, brokers int) []string {
	return []string{
		"zookeeper.connect=" + cfg.ZooKeeper,
		"zookeeper.session.timeout.ms=6000",
		"zookeeper.connection.timeout.ms=30000",
		fmt.Sprintf("default.replication.factor=%d", brokers),
		fmt.Sprintf("offsets.topic.replication.factor=%d", brokers),
		fmt.Sprintf("transaction.state.log.replication.factor=%d", brokers),
		"transaction.state.log.min.isr=1",
		"offsets.topic.num.partitions=10",
		"transaction.state.log.num.partitions=10",
		"group.initial.rebalance.delay.ms=0",
		"auto.create.topics.enable=false",
		"controlled.shutdown.retry.backoff.ms=1000",
		"num.network.threads=2",
		"num.io.threads=4",
	}
}

// StartAll starts the brokers that do not run and waits until every one serves.
func (c *Cluster) StartAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for _, b := range c.brokers {
		if b.Running() {
			continue
		}
		if err := b.Start(); err != nil {
			return err
		}
	}
	for _, b := range c.brokers {
		if err := b.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Brokers returns the brokers, in the order of their ids.
func (c *Cluster) Brokers() []*Broker { return c.brokers }

// Addrs returns the addresses of all brokers.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, b := range c.brokers {
		addrs = append(addrs, b.Addr())
	}
	return addrs
}

// SASLAddrs returns the addresses of the listeners that Config.SCRAM asked for.
func (c *Cluster) SASLAddrs() []string {
	var addrs []string
	for _, b := range c.brokers {
		addrs = append(addrs, b.saslAddr())
	}
	return addrs
}

// Bootstrap returns the addresses as --bootstrap-server takes them.
func (c *Cluster) Bootstrap() string { return strings.Join(c.Addrs(), ",") }

// Controller returns the broker that is the controller, asking until one is that runs or ctx
// ends.
func (c *Cluster) Controller(ctx context.Context) (*Broker, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for {
		meta, err := kadm.NewClient(client).BrokerMetadata(ctx)
		for _, b := range c.brokers {
			if err == nil && int(meta.Controller) == b.id && b.Running() {
				return b, nil
			}
		}
		if waitErr := pause(ctx, 100*time.Millisecond); waitErr != nil {
			return nil, fmt.Errorf("no broker is the controller: %w: %v", waitErr, err)
		}
	}
}

// InSync waits until each partition of the topics has all its replicas in sync.
func (c *Cluster) InSync(ctx context.Context, topics ...string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		behind, err := lagging(ctx, kadm.NewClient(client), topics)
		if err == nil && behind == "" {
			return nil
		}
		if waitErr := pause(ctx, 100*time.Millisecond); waitErr != nil {
			return fmt.Errorf("not all replicas are in sync: %w: %s %v", waitErr, behind, err)
		}
	}
}

// lagging describes a partition with a replica that is not in sync; it is empty if there is none.
func lagging(ctx context.Context, admin *kadm.Client, topics []string) (string, error) {
	listed, err := admin.ListTopics(ctx, topics...)
	if err != nil {
		return "", err
	}
	for _, topic := range topics {
		t := listed[topic]
		if t.Err != nil || len(t.Partitions) == 0 {
			return topic + " has no partitions", t.Err
		}
		for _, p := range t.Partitions {
			if len(p.ISR) < len(p.Replicas) || p.Leader < 0 {
				return fmt.Sprintf("%s-%d: leader %d, in sync %v of %v", topic, p.Partition, p.Leader, p.ISR, p.Replicas), nil
			}
		}
	}
	return "", nil
}

// Close kills the brokers that still run. It may be called twice.
func (c *Cluster) Close() error {
	var errs []error
	for _, b := range c.brokers {
		if b.Running() {
			errs = append(errs, b.Kill())
		}
	}
	return errors.Join(errs...)
}
