package journal

import (
	"context"
	"math"

	"holt/broker/kerror"
	"holt/broker/record"
)

// Log is the partitions of one internal topic, as far as this broker leads them.
type Log interface {
	// Append appends a batch as the partition's leader and calls done once, from any goroutine,
	// also from within Append: with the batch's base offset once all in-sync replicas have it
	// (acks=all), or with a code. NotLeaderOrFollower says that the epoch is not the
	// leader's any more. After another code the batch may or may not be in the log.
	//
	// done may append again, so it is called without any lock that Append takes, unless within
	// Append itself. Appends to one partition are written in the order of the calls, but for those of
	// a transaction, which may wait for its coordinator.
	Append(w Write, done func(offset int64, code kerror.Code))

	// Load reads a partition from its first batch to the end that it has when this leader's
	// term begins. A batch's memory is good during visit only. The error is visit's,
	// the context's, or that the log could not be read.
	Load(ctx context.Context, partition, leaderEpoch int32, visit func(record.Batch) error) error
}

// Write is a batch on its way into a Log. The Log owns its memory and may stamp it.
type Write struct {
	Partition int32
	// LeaderEpoch is the term in which the write was decided; in another it must not be appended.
	LeaderEpoch int32
	Batch       record.Batch
	// TransactionalID is, for a transactional batch, whose transaction it belongs to, so that the
	// Log can ask the transaction coordinator before it appends (KIP-890).
	TransactionalID string
}

// PartitionFor returns which of a topic's partitions a group or a transactional id belongs to. It
// is Kafka's Utils.abs(name.hashCode()) % partitions: Java's hash over UTF-16 units, whose least
// value counts as 0. Clients' tools and other brokers compute it too.
func PartitionFor(name string, partitions int32) int32 {
	var h int32
	for _, r := range name {
		if r >= 0x10000 {
			r -= 0x10000
			h = 31*h + 0xd800 + r>>10
			r = 0xdc00 + r&0x3ff
		}
		h = 31*h + r
	}
	if h == math.MinInt32 {
		return 0
	}
	return max(h, -h) % partitions
}
