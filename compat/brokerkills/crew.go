package brokerkills

import (
	"context"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the clients work on.
const (
	topic      = "kills"
	partitions = 6
	group      = "kills-group"
)

// crew is the clients that put load on the cluster, and what they have recorded.
type crew struct {
	seeds []string
	began time.Time
	fail  func(format string, args ...any) // reports what makes the run void

	produce context.Context // ends when nothing more is to be sent
	live    context.Context // ends when the consumers are to end
	stop    context.CancelFunc
	end     context.CancelFunc

	producers, consumers sync.WaitGroup

	mu      sync.Mutex
	writes  []*Write
	txns    map[int64]Outcome
	samples []Sample
	commits []Commit
	owners  []Owner
	readers []*reader
	probes  []Probe
	outages []Outage
	states  []State
}

func newCrew(ctx context.Context, seeds []string, fail func(string, ...any)) *crew {
	c := &crew{seeds: seeds, began: time.Now(), fail: fail, txns: make(map[int64]Outcome)}
	c.live, c.end = context.WithCancel(ctx)
	c.produce, c.stop = context.WithCancel(c.live)
	return c
}

func (c *crew) now() time.Duration { return time.Since(c.began) }

// client returns a client that learns of a new leader within a fraction of a second, and waits
// for none that is paused.
func (c *crew) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.seeds...),
		kgo.MetadataMinAge(100 * time.Millisecond), kgo.MetadataMaxAge(3 * time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.RequestTimeoutOverhead(3 * time.Second), kgo.DialTimeout(time.Second),
		kgo.RetryTimeout(90 * time.Second), kgo.RequestRetries(1000),
	}, opts...)...)
}

// record returns the record of id, and enters it as written with an outcome that is not known
// yet.
func (c *crew) record(id ID, txn int64) (*kgo.Record, *Write) {
	r := &kgo.Record{
		Topic: topic, Partition: int32(id.Seq % partitions), Key: []byte(fmt.Sprint("key", id.Seq%100)),
		Value:     []byte(fmt.Sprintf("%d/%d/%s", id.Producer, id.Seq, strings.Repeat("x", int(id.Seq*7%400)))),
		Headers:   []kgo.RecordHeader{{Key: "producer", Value: []byte(fmt.Sprint(id.Producer))}},
		Timestamp: time.Now().Truncate(time.Millisecond),
	}
	w := &Write{ID: id, Partition: r.Partition, Txn: txn, Sum: sumOf(r.Key, r.Value, r.Headers)}
	c.mu.Lock()
	c.writes = append(c.writes, w)
	c.mu.Unlock()
	return r, w
}

// acked notes what became of w.
func (c *crew) acked(w *Write, r *kgo.Record, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Done = c.now()
	if err == nil {
		w.Acked, w.Offset = true, r.Offset
	}
}

// sumOf is the checksum of all that a producer gives.
func sumOf(key, value []byte, headers []kgo.RecordHeader) uint32 {
	sum := crc32.NewIEEE()
	for _, part := range [][]byte{key, value} {
		sum.Write(part)
		sum.Write([]byte{0})
	}
	for _, h := range headers {
		sum.Write([]byte(h.Key))
		sum.Write(h.Value)
	}
	return sum.Sum32()
}

// idOf reads the ID in a record's value.
func idOf(value []byte) (ID, error) {
	var id ID
	if _, err := fmt.Sscanf(string(value), "%d/%d/", &id.Producer, &id.Seq); err != nil {
		return id, fmt.Errorf("%.20q is no value of ours: %w", value, err)
	}
	return id, nil
}

// pause waits d or until ctx ends, and tells whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// history is all that was recorded; the clients have ended.
func (c *crew) history(replicas []Replica, final map[string]map[int32]int64) *History {
	h := &History{
		Txns: c.txns, Samples: c.samples, Commits: c.commits, Owners: c.owners, Final: final,
		Probes: c.probes, Outages: c.outages, Replicas: replicas, States: c.states,
	}
	for _, w := range c.writes {
		h.Writes = append(h.Writes, *w)
	}
	for _, r := range c.readers {
		h.Readers = append(h.Readers, r.byPartition()...)
	}
	return h
}
