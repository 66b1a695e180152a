package kafka

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holt/compat/ensemble"
	"holt/compat/target"
)

// TestKafkaOnHolt is the life of a small cluster: topics and configuration by the tools, then a
// producer whose brokers and coordination members are killed, then a look at what is left.
func TestKafkaOnHolt(t *testing.T) {
	e, c := start(t, 2)
	at := []string{"--bootstrap-server", c.Bootstrap()}
	createTopics(t, c, at)

	p := produce(t, c, "events", 400)
	p.more(t, 500, 30*time.Second)
	killController(t, c, p)
	killLeader(t, e, c, p)
	restartAll(t, e, p)
	acked := p.stop(t)

	read := consume(t, c, "events", "readers")
	compare(t, acked, read)
	caughtUp(t, tool(t, c, "", "kafka-consumer-groups", append(at, "--describe", "--group", "readers")...), 6)
	afterwards(t, c, at)
}

// caughtUp looks for a lag of 0 in each line of kafka-consumer-groups that tells of a partition.
func caughtUp(t *testing.T, described string, partitions int) {
	t.Helper()
	n := 0
	for line := range strings.Lines(described) { // group topic partition current end lag …
		if f := strings.Fields(line); len(f) > 5 && f[0] == "readers" && f[5] == "0" && f[3] == f[4] {
			n++
		}
	}
	if n != partitions {
		t.Errorf("%d of %d partitions are read to their end:\n%s", n, partitions, described)
	}
}

func createTopics(t *testing.T, c *Cluster, at []string) {
	tool(t, c, "", "kafka-topics", append(at, "--create", "--topic", "events", "--partitions", "6", "--replication-factor", "2")...)
	tool(t, c, "", "kafka-configs", append(at, "--alter", "--entity-type", "topics", "--entity-name", "events", "--add-config", "retention.ms=7200000")...)
	check(t, c.InSync(within(t, 20*time.Second), "events"))
	described := tool(t, c, "", "kafka-topics", append(at, "--describe", "--topic", "events")...)
	expect(t, described, "PartitionCount: 6", "ReplicationFactor: 2", "retention.ms=7200000", "Partition: 5")
}

// killController kills the controller's broker: its session ends, the other one takes over
// everything, and the killed one comes back in sync.
func killController(t *testing.T, c *Cluster, p *producer) {
	old, err := c.Controller(within(t, 20*time.Second))
	check(t, err)
	check(t, old.Kill())
	t.Logf("controller killed: acknowledged again after %v", p.more(t, 400, 60*time.Second).Round(time.Millisecond))
	next, err := c.Controller(within(t, 20*time.Second))
	check(t, err)
	if next == old {
		t.Errorf("the killed %s is the controller still", old.name())
	}
	check(t, c.StartAll(t.Context()))
	check(t, c.InSync(within(t, 60*time.Second), "events"))
	p.more(t, 200, 30*time.Second)
}

// killLeader kills the coordination leader. Brokers keep their sessions, so that nothing stops.
func killLeader(t *testing.T, e *ensemble.Ensemble, c *Cluster, p *producer) {
	before, err := c.Controller(within(t, 20*time.Second))
	check(t, err)
	leader := target.Leader(t, e)
	check(t, leader.Kill())
	stall := p.more(t, 1000, 60*time.Second)
	t.Logf("coordination leader killed: 1,000 more acknowledged within %v", stall.Round(time.Millisecond))
	target.Leader(t, e)
	tool(t, c, "", "kafka-topics", "--bootstrap-server", c.Bootstrap(), "--create", "--topic", "meanwhile", "--partitions", "2")
	check(t, c.InSync(within(t, 30*time.Second), "meanwhile", "events"))
	if after, err := c.Controller(within(t, 20*time.Second)); err != nil || after != before {
		t.Errorf("the controller moved from %s: %v", before.name(), err)
	}
	check(t, e.StartAll(t.Context()))
}

// restartAll restarts the coordination members one after another, as an upgrade does.
func restartAll(t *testing.T, e *ensemble.Ensemble, p *producer) {
	for _, m := range e.Members() {
		check(t, m.Stop())
		check(t, m.Start())
		check(t, m.Ready(within(t, 30*time.Second)))
		p.more(t, 200, 30*time.Second)
	}
}

// afterwards uses the cluster as a new one: records by the console tools, a look into the files,
// a topic deleted, a broker that is stopped in order.
func afterwards(t *testing.T, c *Cluster, at []string) {
	tool(t, c, "one\ntwo\nthree\n", "kafka-console-producer", append(at, "--topic", "meanwhile", "--compression-codec", "zstd")...)
	if got := consume(t, c, "meanwhile", "others"); len(got) != 3 || got["two"] != 1 {
		t.Errorf("read %v", got)
	}
	segments, err := filepath.Glob(filepath.Join(c.Brokers()[0].DataDir(), "events-0", "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments of events-0: %v", err)
	}
	expect(t, tool(t, c, "", "kafka-dump-log", "--print-data-log", "--files", segments[0]), "baseOffset: 0 ", "isvalid: true")
	tool(t, c, "", "kafka-topics", append(at, "--delete", "--topic", "meanwhile")...)
	began := time.Now()
	check(t, c.Brokers()[1].Stop())
	t.Logf("a broker stopped in %v", time.Since(began).Round(time.Millisecond))
	expect(t, tool(t, c, "", "kafka-topics", "--bootstrap-server", c.Brokers()[0].Addr(), "--list"), "events")
}
