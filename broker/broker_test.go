package broker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"holt/broker/metadata"
	"holt/broker/metadata/metadatatest"
	"holt/broker/network"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startOne(t *testing.T, tree *metadatatest.Tree, settings map[string]string) *Broker {
	t.Helper()
	all := map[string]string{"group.initial.rebalance.delay.ms": "0"}
	for k, v := range settings {
		all[k] = v
	}
	b, err := Start(t.Context(), Config{
		ID: 1, LogDirs: []string{"data"}, Listeners: []Listener{{Name: "PLAINTEXT", Protocol: network.Plaintext, Address: "127.0.0.1:0"}},
		Coordinator: func(context.Context) (metadata.Coordinator, error) { return tree.Open(), nil },
		Settings:    all, Logger: zaptest.NewLogger(t), openReplicas: openMem,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr("PLAINTEXT").String())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestFirst(t *testing.T) {
	b := startOne(t, metadatatest.NewTree(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cl := client(t, b, kgo.AllowAutoTopicCreation(), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"))
	for i := range 10 {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n < 10; {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		n += f.NumRecords()
	}
	if err := cl.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	adm := kadm.NewClient(cl)
	lags, err := adm.Lag(ctx, "g")
	if err != nil {
		t.Fatal(err)
	}
	g := lags["g"]
	if offset := g.Lag["orders"][0].Commit.At; g.Error() != nil || g.Lag.Total() != 0 || offset != 10 {
		t.Errorf("committed %d, behind by %d: %v", offset, g.Lag.Total(), g.Error())
	}
}

// TestMutationQuota: who has used up controller_mutation_rate is refused until time has passed,
// and nothing is made.
func TestMutationQuota(t *testing.T) {
	b := startOne(t, metadatatest.NewTree(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	kind, name := "client-id", "greedy"
	set := kadm.AlterClientQuotaEntry{
		Entity: kadm.ClientQuotaEntity{{Type: kind, Name: &name}},
		Ops:    []kadm.AlterClientQuotaOp{{Key: "controller_mutation_rate", Value: 1}},
	}
	altered, err := kadm.NewClient(client(t, b)).AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{set})
	if err != nil || altered[0].Err != nil {
		t.Fatal(err, altered)
	}
	// Each by a connection of its own, since the one that went over is muted.
	admin := func() *kadm.Client { return kadm.NewClient(client(t, b, kgo.ClientID(name))) }
	if _, err := admin().CreateTopic(ctx, 30, 1, nil, "large"); err != nil {
		t.Fatal(err)
	}
	_, err = admin().CreateTopic(ctx, 1, 1, nil, "late")
	if !errors.Is(err, kerr.ThrottlingQuotaExceeded) {
		t.Errorf("a topic over the quota: %v", err)
	}
	if _, err = admin().CreatePartitions(ctx, 1, "large"); err != nil {
		t.Fatal(err)
	}
	topics, err := admin().ListTopics(ctx)
	if err != nil || topics.Has("late") || len(topics["large"].Partitions) != 30 {
		t.Errorf("%d partitions, late: %v, %v", len(topics["large"].Partitions), topics.Has("late"), err)
	}
}
