package kafka

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/compat/target"
)

// readings is what all members of a group have seen.
type readings struct {
	mu    sync.Mutex
	times map[string]int  // guarded by mu: value and how often it came
	next  map[int32]int64 // guarded by mu: offset after the last one seen
	holes []string        // guarded by mu: jumps forward within a partition
}

func (r *readings) seen(partition int32, offset int64, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times[value]++
	if want := r.next[partition]; offset > want {
		r.holes = append(r.holes, fmt.Sprintf("partition %d: %d after %d", partition, offset, want-1))
	}
	r.next[partition] = max(r.next[partition], offset+1)
}

func (r *readings) distinct() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.times)
}

// until waits until n different values were read.
func (r *readings) until(t *testing.T, n int) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	for r.distinct() < n {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			t.Fatalf("%d of %d values read: %v", r.distinct(), n, err)
		}
	}
}

// writer produces "0", "1", … round robin, each acknowledged before the next batch.
type writer struct {
	client *kgo.Client
	n      int
}

func (w *writer) write(t *testing.T, topic string, count int) {
	t.Helper()
	var rs []*kgo.Record
	for range count {
		rs = append(rs, &kgo.Record{Topic: topic, Value: fmt.Append(nil, w.n)})
		w.n++
	}
	check(t, w.client.ProduceSync(within(t, 60*time.Second), rs...).FirstErr())
}

// TestOldConsumer: two members of a group share the partitions, offsets and owners are znodes of
// Holt, its leader is killed, one member dies, the other reads on where the group was.
func TestOldConsumer(t *testing.T) {
	e, c := start(t, 1)
	tool(t, c, "", "kafka-topics", "--bootstrap-server", c.Bootstrap(), "--create", "--topic", "old", "--partitions", "4")
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	check(t, err)
	defer client.Close()
	w, r := &writer{client: client}, &readings{times: map[string]int{}, next: map[int32]int64{}}
	conn, _, err := zk.Connect(e.Addrs(), oldSessionTimeout, zk.WithLogger(quiet{}))
	check(t, err)
	defer conn.Close()

	a := join(t, e.Addrs(), c.Addrs(), "g", "g_host-1-aaaaaaaa", "old", r.seen)
	w.write(t, "old", 400)
	r.until(t, 400)
	owners(t, conn, "aaaa")

	b := join(t, e.Addrs(), c.Addrs(), "g", "g_host-2-bbbbbbbb", "old", r.seen)
	owners(t, conn, "aabb")
	w.write(t, "old", 400)
	r.until(t, 800)

	leader := target.Leader(t, e)
	check(t, leader.Kill())
	w.write(t, "old", 400)
	r.until(t, 1200)
	owners(t, conn, "aabb") // sessions outlive a leader
	check(t, leader.Start())
	check(t, leader.Ready(within(t, 30*time.Second)))

	a.die()
	w.write(t, "old", 400)
	owners(t, conn, "bbbb")
	r.until(t, 1600)
	settled(t, conn, r)
	check(t, b.leave())
	report(t, r, w.n)
}

// owners waits until the four partitions are owned as said: one letter each.
func owners(t *testing.T, conn *zk.Conn, want string) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	for {
		var got strings.Builder
		for p := range 4 {
			data, _, err := conn.Get(fmt.Sprintf("%s/consumers/g/owners/old/%d", chroot, p))
			if err != nil || len(data) < 3 {
				got.WriteString("?")
				continue
			}
			got.WriteByte(data[len(data)-3]) // g_host-1-aaaaaaaa-0
		}
		if got.String() == want {
			return
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			t.Fatalf("owners are %q, want %q: %v", got.String(), want, err)
		}
	}
}

// settled waits until the offsets in the tree are those that were read.
func settled(t *testing.T, conn *zk.Conn, r *readings) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	for !sameOffsets(conn, r) {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			t.Fatalf("committed offsets are not those that were read: %v", err)
		}
	}
}

func sameOffsets(conn *zk.Conn, r *readings) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, next := range r.next {
		data, _, err := conn.Get(fmt.Sprintf("%s/consumers/g/offsets/old/%d", chroot, p))
		if err != nil || string(data) != fmt.Sprint(next) {
			return false
		}
	}
	return len(r.next) == 4
}

// report: each value was read, in order and without holes. What the dead member had read and not
// committed comes twice; nothing else does.
func report(t *testing.T, r *readings, written int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	twice := 0
	for _, n := range r.times {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d values read, %d of them twice", len(r.times), twice)
	if len(r.times) != written || len(r.holes) > 0 || twice > 400 {
		t.Errorf("%d of %d values read, %d twice, jumps: %v", len(r.times), written, twice, r.holes)
	}
}
