package broker

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/broker/replica"
)

// TestReadFromFollower: consumers in a follower's rack read from it, committed records or all; when it stops they
// read from the leader, and from the follower again when it is back.
func TestReadFromFollower(t *testing.T) {
	c := newCluster(t, 3, map[string]string{"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
		"transaction.state.log.replication.factor": "3", "transaction.state.log.min.isr": "1", "transaction.state.log.num.partitions": "1"})
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	plain := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if _, err := kadm.NewClient(plain).CreateTopic(ctx, 1, 3, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	c.await(ctx, "orders", 3)
	leader := c.leader("orders", 0)
	near := leader%3 + 1
	n := &nearbyReaders{t: t, c: c, near: near}
	n.start(kgo.ReadUncommitted())
	n.start(kgo.ReadCommitted())

	produce(ctx, t, plain, "orders", 0, 10)
	txn := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("t"))
	n.transact(ctx, txn, 10, 5, kgo.TryAbort)
	n.transact(ctx, txn, 15, 5, kgo.TryCommit)
	n.await(ctx, []int{0, 20}, []int{0, 10, 15, 20})
	n.nobodyElse(leader)

	c.stop(near)
	produce(ctx, t, plain, "orders", 20, 10)
	n.await(ctx, []int{0, 30}, []int{0, 10, 15, 30})

	c.start(near)
	c.await(ctx, "orders", 3)
	for next := 30; c.metrics(near).FollowedOut.Load() == 0; next++ {
		produce(ctx, t, plain, "orders", next, 1)
		n.await(ctx, []int{0, next + 1}, []int{0, 10, 15, next + 1})
	}
}

func (c *cluster) metrics(id int32) *replica.Metrics { return c.brokers[id].replicas.Metrics() }

// nearbyReaders are consumers in the rack of a follower: one of all records, and one of committed ones.
type nearbyReaders struct {
	t      *testing.T
	c      *cluster
	near   int32
	all    []*kgo.Client
	values [][]string // by reader
}

func (n *nearbyReaders) start(level kgo.IsolationLevel) {
	n.all = append(n.all, n.c.client(kgo.Rack(fmt.Sprint("rack", n.near)), kgo.RecheckPreferredReplicaInterval(time.Second), kgo.ConsumeTopics("orders"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(level)))
	n.values = append(n.values, nil)
}

// transact produces records from a number on in a transaction, and ends it.
func (n *nearbyReaders) transact(ctx context.Context, cl *kgo.Client, from, count int, end kgo.TransactionEndTry) {
	n.t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		n.t.Fatal(err)
	}
	produce(ctx, n.t, cl, "orders", from, count)
	if err := cl.EndTransaction(ctx, end); err != nil {
		n.t.Fatal(err)
	}
}

// await has the readers read until each has what it is to have in all, in order: the numbers from the first of a
// pair to the second.
func (n *nearbyReaders) await(ctx context.Context, pairs ...[]int) {
	n.t.Helper()
	for i, cl := range n.all {
		var want []string
		for p := pairs[i]; len(p) > 0; p = p[2:] {
			for v := p[0]; v < p[1]; v++ {
				want = append(want, fmt.Sprint(v))
			}
		}
		for len(n.values[i]) < len(want) {
			cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { n.values[i] = append(n.values[i], string(r.Value)) })
			if ctx.Err() != nil {
				break
			}
		}
		if !slices.Equal(n.values[i], want) {
			n.t.Fatalf("reader %d was given %v, want %v", i, n.values[i], want)
		}
	}
}

// nobodyElse checks that the leader has sent consumers away, and that the follower alone has given them records.
func (n *nearbyReaders) nobodyElse(leader int32) {
	n.t.Helper()
	for id := range n.c.brokers {
		m := n.c.metrics(id)
		if got := m.FollowedOut.Load(); (got > 0) != (id == n.near) {
			n.t.Errorf("broker %d, of which %d leads and %d is near, has given consumers %d bytes as a follower", id, leader, n.near, got)
		}
		if all, got := m.BytesOut.Load(), m.FollowedOut.Load(); all != got {
			n.t.Errorf("broker %d has given consumers %d bytes, %d of them as a follower", id, all, got)
		}
		if got := m.SentNear.Load(); (got > 0) != (id == leader) {
			n.t.Errorf("broker %d, of which %d leads, has sent consumers away %d times", id, leader, got)
		}
	}
}
