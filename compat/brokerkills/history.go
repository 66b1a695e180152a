package brokerkills

import (
	"fmt"
	"time"
)

// ID names a record: the Seq-th of a producer, counted over all its partitions.
type ID struct {
	Producer int
	Seq      int64
}

func (id ID) String() string { return fmt.Sprintf("record %d/%d", id.Producer, id.Seq) }

// Write is one record that a producer sent.
type Write struct {
	ID
	Partition int32
	Txn       int64  // 0 outside a transaction
	Sum       uint32 // of key, value and headers
	Acked     bool   // otherwise its outcome is unknown
	Offset    int64  // where it was acknowledged
	Done      time.Duration
}

// Outcome is what a producer was told about the end of a transaction.
type Outcome int

// The outcomes. An unknown one is a commit or an abort, of the whole transaction.
const (
	Unknown Outcome = iota
	Committed
	Aborted
)

// Entry is one record in a log, or as a reader was given it.
type Entry struct {
	ID
	Offset  int64
	Sum     uint32
	Control bool  // a transaction marker; ID and Sum are void
	Epoch   int32 // leader epoch of its batch; not known to readers
	Time    int64 // ms
}

// Reader is what one reader was given of one partition, in that order, from the beginning.
type Reader struct {
	Name      string
	Committed bool // read_committed
	Partition int32
	Entries   []Entry
}

// Replica is one broker's log of a partition.
type Replica struct {
	Broker    int
	Partition int32
	Entries   []Entry
}

// Sample is what a client was told of the bounds of a partition's log. Samples are in the order
// in which one client took them; those of an epoch older than one seen before are not for it to
// believe (KIP-320) and not kept.
type Sample struct {
	Partition   int32
	Epoch       int32
	Start, High int64
}

// Commit is an offset that a member of a group committed.
type Commit struct {
	Group      string
	Member     string
	Generation int32
	Partition  int32
	Offset     int64
	Delivered  int64 // the offset after the last record that the member had been given
	Acked      bool
}

// Owner is a partition that a member had in a generation.
type Owner struct {
	Group      string
	Generation int32
	Partition  int32
	Member     string
}

// Probe is a question that has one right answer.
type Probe struct {
	Rule      string // of the rules of Check
	Question  string
	Got, Want string
}

// Outage is a broker that died or was paused beyond its session.
type Outage struct {
	Fault      string
	Ended      time.Duration // when its registration was gone
	Partitions []int32       // which it had led
	Limit      time.Duration // by which acknowledgements must have resumed after Ended
}

// History is all that Check judges.
type History struct {
	Writes   []Write
	Txns     map[int64]Outcome
	Readers  []Reader
	Replicas []Replica
	Samples  []Sample
	Commits  []Commit
	Owners   []Owner
	Final    map[string]map[int32]int64 // committed offsets of groups when all was over
	Probes   []Probe
	Outages  []Outage
	States   []State
}

// Violation is a property that does not hold.
type Violation struct {
	Rule string
	Text string
}

func (v Violation) String() string { return v.Rule + ": " + v.Text }
