package brokerkills

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// reader reads all partitions from the beginning.
type reader struct {
	name      string
	committed bool

	mu      sync.Mutex
	entries map[int32][]Entry // guarded by mu
	next    map[int32]int64   // the offset after the last one read; guarded by mu
	from    map[source]int    // batches that came; guarded by mu
}

// source is where batches come from.
type source struct{ broker, partition int32 }

// OnFetchBatchRead is called by the client.
func (r *reader) OnFetchBatchRead(b kgo.BrokerMetadata, _ string, partition int32, _ kgo.FetchBatchMetrics) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from[source{b.NodeID, partition}]++
}

// readAt tells of how many partitions a broker gave the reader something.
func (r *reader) readAt(broker int32) (n int) {
	for p := range int32(partitions) {
		if r.from[source{broker, p}] > 0 {
			n++
		}
	}
	return n
}

// byPartition is what Check wants of a reader. It is called when the reader has ended.
func (r *reader) byPartition() []Reader {
	var out []Reader
	for p := range int32(partitions) {
		out = append(out, Reader{Name: r.name, Committed: r.committed, Partition: p, Entries: r.entries[p]})
	}
	return out
}

// near has a consumer stand in the rack of a broker, and return to it soon when it is back.
func near(broker int) []kgo.Opt {
	return []kgo.Opt{kgo.Rack(rackOf(broker)), kgo.RecheckPreferredReplicaInterval(2 * time.Second)}
}

func rackOf(broker int) string { return fmt.Sprint("rack", broker) }

// startReader runs a reader until the consumers are to end.
func (c *crew) startReader(name string, committed bool, opts ...kgo.Opt) {
	r := &reader{name: name, committed: committed, entries: make(map[int32][]Entry), next: make(map[int32]int64), from: make(map[source]int)}
	c.readers = append(c.readers, r)
	offsets := make(map[int32]kgo.Offset)
	for p := range int32(partitions) {
		offsets[p] = kgo.NewOffset().AtStart()
	}
	level := kgo.ReadUncommitted()
	if committed {
		level = kgo.ReadCommitted()
	}
	client, err := c.client(append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}), kgo.FetchIsolationLevel(level),
		kgo.FetchMaxWait(500*time.Millisecond), kgo.WithHooks(r))...)
	if err != nil {
		c.fail("%s: %v", name, err)
		return
	}
	c.consumers.Go(func() {
		defer client.Close()
		for c.live.Err() == nil {
			client.PollFetches(c.live).EachRecord(func(record *kgo.Record) { r.take(record, c.fail) })
		}
	})
}

func (r *reader) take(record *kgo.Record, fail func(string, ...any)) {
	id, err := idOf(record.Value)
	if err != nil {
		fail("%s: offset %d of partition %d: %v", r.name, record.Offset, record.Partition, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[record.Partition] = append(r.entries[record.Partition], Entry{
		ID: id, Offset: record.Offset, Sum: sumOf(record.Key, record.Value, record.Headers),
	})
	r.next[record.Partition] = record.Offset + 1
}

// has tells whether the reader was given every record that was acknowledged and that it may see.
func (r *reader) has(writes []*Write, txns map[int64]Outcome) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range writes {
		visible := !r.committed || w.Txn == 0 || txns[w.Txn] == Committed
		if w.Acked && visible && r.next[w.Partition] <= w.Offset {
			return false
		}
	}
	return true
}

// drained waits until every reader was given all; what is missing then is for Check to say.
func (c *crew) drained(ctx context.Context) {
	for pause(ctx, 100*time.Millisecond) {
		all := true
		c.mu.Lock()
		for _, r := range c.readers {
			all = all && r.has(c.writes, c.txns)
		}
		c.mu.Unlock()
		if all {
			return
		}
	}
}

// startSampler asks for the ends of the log until the consumers are to end.
func (c *crew) startSampler() {
	client, err := c.client()
	if err != nil {
		c.fail("sampler: %v", err)
		return
	}
	c.consumers.Go(func() {
		defer client.Close()
		admin := kadm.NewClient(client)
		epochs := make(map[int32]int32)
		for pause(c.live, 200*time.Millisecond) {
			c.sample(admin, epochs)
		}
	})
}

// sample asks once; what a broker that is paused would have said is left out.
func (c *crew) sample(admin *kadm.Client, epochs map[int32]int32) {
	ctx, cancel := context.WithTimeout(c.live, 5*time.Second)
	defer cancel()
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return
	}
	ends.Each(func(end kadm.ListedOffset) {
		start, ok := starts.Lookup(topic, end.Partition)
		if end.Err != nil || !ok || start.Err != nil || end.LeaderEpoch < epochs[end.Partition] {
			return
		}
		epochs[end.Partition] = end.LeaderEpoch
		c.mu.Lock()
		c.samples = append(c.samples, Sample{Partition: end.Partition, Epoch: end.LeaderEpoch, Start: start.Offset, High: end.Offset})
		c.mu.Unlock()
	})
}

// startMember runs a member of the group that commits what it was given.
func (c *crew) startMember(number int, opts ...kgo.Opt) {
	m := &member{crew: c, name: fmt.Sprint("member ", number), delivered: make(map[int32]int64)}
	client, err := c.client(append(opts, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(8*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.Balancers(kgo.RangeBalancer()), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(m.assigned), kgo.FetchMaxWait(500*time.Millisecond))...)
	if err != nil {
		c.fail("%s: %v", m.name, err)
		return
	}
	c.consumers.Go(func() {
		defer client.CloseAllowingRebalance()
		for c.live.Err() == nil {
			m.poll(client)
			client.AllowRebalance()
		}
	})
}

// member is one member of the group. Its fields are its own goroutine's: rebalances happen
// between polls.
type member struct {
	crew      *crew
	name      string
	delivered map[int32]int64
}

func (m *member) assigned(_ context.Context, client *kgo.Client, assigned map[string][]int32) {
	_, generation := client.GroupMetadata()
	m.crew.mu.Lock()
	defer m.crew.mu.Unlock()
	for _, p := range assigned[topic] {
		m.crew.owners = append(m.crew.owners, Owner{Group: group, Generation: generation, Partition: p, Member: m.name})
	}
}

func (m *member) poll(client *kgo.Client) {
	ctx, cancel := context.WithTimeout(m.crew.live, time.Second)
	defer cancel()
	fetches := client.PollFetches(ctx)
	offsets := make(map[int32]kgo.EpochOffset)
	fetches.EachRecord(func(r *kgo.Record) {
		m.delivered[r.Partition] = r.Offset + 1
		offsets[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
	})
	if len(offsets) > 0 {
		m.commit(client, offsets)
	}
}
