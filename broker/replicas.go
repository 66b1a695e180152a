package broker

import (
	"context"
	"time"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/partition"
	"holt/broker/protocol"
	"holt/broker/record"
	"holt/broker/replica"
)

// replicas is what a broker has of partitions; *replica.Set is one, and tests have another in memory.
type replicas interface {
	OnLeader(topic string, f func(partition, epoch int32, gained bool))
	Apply(*metadata.Delta)
	Registered(epoch int64)
	Append(a replica.Append, done func(protocol.ProducedPartition))
	Verify(tp metadata.TopicPartition, producerID int64, producerEpoch int16) uint64
	Fetch(f replica.Fetch, done func(resp *protocol.FetchResponse, release func()))
	ListOffset(tp metadata.TopicPartition, currentEpoch int32, timestamp int64, committed bool) replica.Offset
	EpochEnd(tp metadata.TopicPartition, currentEpoch, epoch int32) (end protocol.EpochEnd, code kerror.Code)
	DeleteRecords(tp metadata.TopicPartition, before int64, timeout time.Duration, done func(low int64, code kerror.Code))
	Load(ctx context.Context, tp metadata.TopicPartition, leaderEpoch int32, visit func(record.Batch) error) error
	LogDirs(want func(metadata.TopicPartition) bool) []replica.LogDir
	Place(tp metadata.TopicPartition, path string) kerror.Code
	Producers(tp metadata.TopicPartition) ([]partition.ProducerState, kerror.Code)
	Metrics() *replica.Metrics
	Counts() replica.Counts
	Offline() map[string][]int32
	Missing(*metadata.Image)
	Failed() <-chan struct{}
	Err() error
	Retire()
	Drain()
	Close() error
}
