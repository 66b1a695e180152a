package broker

import (
	"context"
	"time"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/protocol"
	"holt/broker/record"
)

// replicas is what a broker has of partitions.
type replicas interface {
	OnLeader(topic string, f func(partition, epoch int32, gained bool))
	Apply(*metadata.Delta)
	Append(a appendSpec, done func(protocol.ProducedPartition))
	Fetch(f fetchSpec, done func(resp *protocol.FetchResponse, release func()))
	ListOffset(tp metadata.TopicPartition, currentEpoch int32, timestamp int64, committed bool) listedOffset
	EpochEnd(tp metadata.TopicPartition, currentEpoch, epoch int32) (end protocol.EpochEnd, code kerror.Code)
	DeleteRecords(tp metadata.TopicPartition, before int64, timeout time.Duration, done func(low int64, code kerror.Code))
	Load(ctx context.Context, tp metadata.TopicPartition, leaderEpoch int32, visit func(record.Batch) error) error
	Drain()
	Close() error
}

type appendSpec struct {
	tp          metadata.TopicPartition
	records     []byte
	acks        int16
	timeout     time.Duration
	leaderEpoch int32 // -1: any
	origin      record.Origin
	version     int16
}

type fetchSpec struct {
	req      *protocol.FetchRequest
	readable func(topic string) bool
}

type listedOffset struct {
	offset, timestamp int64
	epoch             int32
	code              kerror.Code
}
