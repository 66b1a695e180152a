package broker

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"holt/broker/metadata/metadatatest"
)

// TestOddClients: what clients of others turned out to rely on.
func TestOddClients(t *testing.T) {
	b := startOne(t, metadatatest.NewTree(), map[string]string{"num.partitions": "2"})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cl := client(t, b)

	// kafkajs asks for the defaults in a version that has no word for it.
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "defaults", -1, -1
	create.Topics = append(create.Topics, topic)
	created, err := create.RequestWith(ctx, client(t, b, kgo.MaxVersions(kversion.V2_3_0())))
	if err != nil {
		t.Fatal(err)
	}
	if code := created.Topics[0].ErrorCode; created.Version != 3 || code != 0 {
		t.Fatalf("CreateTopics version %d: code %d", created.Version, code)
	}

	// Java's admin client walks these lists without a look whether they are there.
	describe := kmsg.NewPtrDescribeTopicPartitionsRequest()
	described, err := describe.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(described.Topics[0].Partitions); n != 2 {
		t.Fatalf("%d partitions", n)
	}
	for _, p := range described.Topics[0].Partitions {
		if p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil {
			t.Errorf("partition %d has lists that are null: %+v", p.Partition, p)
		}
	}
}
