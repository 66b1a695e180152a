package txn

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
)

// ProducerIDs hands out blocks of producer ids that nobody else gets, now or later: by compare and
// set in the tree.
type ProducerIDs interface {
	// Block calls done once, from any goroutine, with the first and last id of a block.
	Block(done func(first, last int64, err error))
}

// Peers is the other brokers, and this one, as where markers go.
type Peers interface {
	// Leader returns who leads a partition, -1 if nobody does now. exists is false only if the
	// partition certainly is no more, for then it needs no marker.
	Leader(topic string, partition int32) (broker int32, exists bool)
	// WriteTxnMarkers sends a request to a broker and calls done once, from any goroutine, with the
	// answer or an error; it gives up after some time.
	WriteTxnMarkers(broker int32, req *kmsg.WriteTxnMarkersRequest, done func(*kmsg.WriteTxnMarkersResponse, error))
}

// Config is what a Coordinator needs and how it behaves. The zero value of a field means its
// default.
type Config struct {
	// Log is __transaction_state, ProducerIDs and Peers what their types say. Required.
	Log         journal.Log
	ProducerIDs ProducerIDs
	Peers       Peers
	// OnLoad, if set, is told when a partition has been loaded, or could not be.
	OnLoad func(journal.LoadResult)

	// Partitions is transaction.state.log.num.partitions. Default 50. See Coordinator.SetPartitions.
	Partitions int32
	// TimeoutMax is transaction.max.timeout.ms. Default 15 min.
	TimeoutMax time.Duration
	// AbortScan is transaction.abort.timed.out.transaction.cleanup.interval.ms. Default 10 s.
	AbortScan time.Duration
	// Expiration is transactional.id.expiration.ms. Default 7 days.
	Expiration time.Duration
	// ExpirationScan is transaction.remove.expired.transaction.cleanup.interval.ms. Default 1 h.
	ExpirationScan time.Duration
	// RetryMarkers is how long after a marker could not be written it is sent again. Default 100 ms.
	RetryMarkers time.Duration
	// IDsMax bounds the transactional ids of a partition. Default 100,000. One too many gets
	// COORDINATOR_NOT_AVAILABLE. A partition that holds more when it is loaded keeps them.
	IDsMax int
}

func (c Config) withDefaults() Config {
	def(&c.Partitions, 50)
	def(&c.TimeoutMax, 15*time.Minute)
	def(&c.AbortScan, 10*time.Second)
	def(&c.Expiration, 7*24*time.Hour)
	def(&c.ExpirationScan, time.Hour)
	def(&c.RetryMarkers, 100*time.Millisecond)
	def(&c.IDsMax, 100_000)
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// idMax is the longest transactional id, and topic, that the records can carry.
const idMax = 1<<15 - 1
