package txn

import (
	"maps"
	"time"
)

// State is the state of a transactional id, with the number that the log has for it.
type State int8

// The states; see the package. Dead and PrepareEpochFence are Kafka's, in memory only: a
// transactional id being removed, and an abort with the next epoch, which is one step here.
const (
	Empty             State = 0
	Ongoing           State = 1
	PrepareCommit     State = 2
	PrepareAbort      State = 3
	CompleteCommit    State = 4
	CompleteAbort     State = 5
	Dead              State = 6
	PrepareEpochFence State = 7
)

var stateNames = [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

// String returns the state's name in the protocol.
func (s State) String() string { return stateNames[s] }

// offsetsTopic is where groups keep offsets, also those of transactions.
const offsetsTopic = "__consumer_offsets"

type topicPartition struct {
	topic     string
	partition int32
}

type partitionSet map[topicPartition]struct{}

// facts are what the log has of a transactional id.
type facts struct {
	producerID int64
	epoch      int16
	timeout    int32 // milliseconds
	state      State
	partitions partitionSet
	lastUpdate int64 // wall clock, milliseconds
	start      int64 // of the transaction, -1: there was none yet

	// These two are not in the log, so a new coordinator does not know them: a retry of an
	// InitProducerId over a change of coordinator is fenced, as with Kafka.
	lastProducerID int64
	lastEpoch      int16
}

// transaction is a transactional id and its last transaction.
type transaction struct {
	id string
	facts
	pending  bool          // a change is on its way into the log
	deadline time.Duration // of an ongoing transaction
	// fenced: the epoch was raised for an abort that did not get into the log. It need not be raised
	// again for the next, so that a log in trouble does not use up the epochs.
	fenced bool
	// unmarked are, in PrepareX, the partitions that have no marker yet; true: one is under way, and
	// another must not be sent, since it might come late and end the producer's next transaction.
	unmarked map[topicPartition]bool
	retrying bool // it is in core.retries
}

// with returns the partitions and those of ps.
func (f *facts) with(ps []topicPartition) partitionSet {
	n := maps.Clone(f.partitions)
	if n == nil {
		n = make(partitionSet, len(ps))
	}
	for _, p := range ps {
		n[p] = struct{}{}
	}
	return n
}

func (f *facts) has(ps []topicPartition) bool {
	for _, p := range ps {
		if _, ok := f.partitions[p]; !ok {
			return false
		}
	}
	return true
}

// preparing reports whether the transaction is decided and not complete.
func (f *facts) preparing() bool { return f.state == PrepareCommit || f.state == PrepareAbort }

// exhausted reports whether the epoch is the last that a producer gets.
func exhausted(epoch int16) bool { return epoch >= epochLastUsed }
