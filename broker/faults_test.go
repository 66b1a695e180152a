package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/metadata"
)

// TestFaults: an idempotent producer goes on while brokers stop, lose their sessions, and are cut off
// from the tree while others take their place and clients still reach them. Every acknowledged record
// is there once, in order, and no offset is missing. (K1–K4, K10, K11)
func TestFaults(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	c := newCluster(t, 3, map[string]string{"min.insync.replicas": "2", "default.replication.factor": "3", "offsets.topic.replication.factor": "3",
		"replica.lag.time.max.ms": "1000"})
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	var told metadataAnswers
	cl := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(1000), kgo.RequestTimeoutOverhead(3*time.Second),
		kgo.ProduceRequestTimeout(3*time.Second), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }), kgo.WithHooks(&told))
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, 3, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	var acked, stop atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := int64(0); stop.Load() == 0; i++ {
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
				t.Errorf("record %d: %v", i, err)
				return
			}
			acked.Store(i + 1)
		}
	}()
	for range 8 {
		before := acked.Load()
		c.fault(rng)
		if err := c.progress(ctx, &acked, before+20); err != nil {
			t.Fatalf("%d records acknowledged: %v", acked.Load(), err)
		}
		c.await(ctx, "orders", 3)
		c.found(ctx, cl, &told)
	}
	stop.Store(1)
	<-done
	n := int(acked.Load())
	t.Logf("%d records", n)
	reader := c.client(kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(ctx, t, reader, n); !slices.Equal(got[:n], sequence(n)) {
		for i, v := range got {
			if v != fmt.Sprint(i) {
				t.Fatalf("offset %d has record %s", i, v)
			}
		}
	}
}

// fault does something bad to the leader, or to another broker, and mends it.
func (c *cluster) fault(rng *rand.Rand) {
	id := c.leader("orders", 0)
	if rng.IntN(3) == 0 {
		id = 1 + rng.Int32N(3)
	}
	kind := rng.IntN(3)
	c.t.Logf("fault %d of broker %d", kind, id)
	switch kind {
	case 0:
		c.stop(id)
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		c.start(id)
	case 1:
		c.tree.Expire(c.session[id])
	case 2:
		s := c.session[id]
		s.Disconnect()
		time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
		c.tree.Expire(s)
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		s.Reconnect()
	}
}

// metadataAnswers counts what a client was told of the cluster.
type metadataAnswers struct{ n atomic.Int64 }

// OnBrokerE2E is of kgo.HookBrokerE2E.
func (m *metadataAnswers) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
	if key == int16(kmsg.Metadata) && e.Err() == nil {
		m.n.Add(1)
	}
}

// found returns when a client knows where all brokers are. One that starts again has another port, so that a client
// which has not heard of it would find nobody once all have.
func (c *cluster) found(ctx context.Context, cl *kgo.Client, told *metadataAnswers) {
	c.t.Helper()
	c.awaitAll(ctx, func(i *metadata.Image) bool {
		for id, b := range c.brokers {
			if at := i.Broker(id); at == nil || at.Endpoints[0].Port != int32(b.Addr("PLAINTEXT").(*net.TCPAddr).Port) {
				return false
			}
		}
		return true
	})
	for until := told.n.Load() + 2; told.n.Load() < until; { // the first may have been asked for before
		cl.ForceMetadataRefresh()
		select {
		case <-ctx.Done():
			c.t.Fatal(ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// progress returns when so many records are acknowledged.
func (c *cluster) progress(ctx context.Context, acked *atomic.Int64, n int64) error {
	for acked.Load() < n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
