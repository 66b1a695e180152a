package kafkaclients

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"holt/compat/kafka"
)

// codecs are the numbers of the codecs in a batch's attributes.
var codecs = map[string]uint8{"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}

// inspect looks at what the brokers hold of the checks that a client passed: a client that
// silently does not compress, or has no producer id, passes them too.
func inspect(t *testing.T, c *kafka.Cluster, name string, results map[string]result) {
	for codec, number := range codecs {
		if results[name+" "+codec].state != "ok" {
			continue
		}
		for _, r := range records(t, c, name+"-"+codec, 100) {
			if got := r.Attrs.CompressionType(); got != number {
				t.Errorf("%s-%s: offset %d lies in a batch with codec %d, want %d", name, codec, r.Offset, got, number)
				break
			}
		}
	}
	if results[name+" idempotent"].state == "ok" {
		for _, r := range records(t, c, name+"-idempotent", 500) {
			if r.ProducerID < 0 || r.ProducerEpoch < 0 {
				t.Errorf("%s-idempotent: offset %d has producer %d, epoch %d", name, r.Offset, r.ProducerID, r.ProducerEpoch)
				break
			}
		}
	}
	if results[name+" transaction"].state == "ok" {
		for _, r := range records(t, c, name+"-txn", 30) {
			if !r.Attrs.IsTransactional() {
				t.Errorf("%s-txn: offset %d is not of a transaction", name, r.Offset)
				break
			}
		}
	}
}

// records returns the first n records of a topic of one partition, of aborted transactions too.
func records(t *testing.T, c *kafka.Cluster, topic string, n int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	check(t, err)
	defer client.Close()
	ctx := within(t, 20*time.Second)
	var got []*kgo.Record
	for len(got) < n {
		fetches := client.PollRecords(ctx, n-len(got))
		if err := fetches.Err(); err != nil {
			t.Fatalf("%s: %d of %d records: %v", topic, len(got), n, err)
		}
		got = append(got, fetches.Records()...)
	}
	return got
}
