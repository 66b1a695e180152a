package metadata

import (
	"encoding/json"
	"fmt"
	"slices"
)

// NoLeader is the leader of a partition without one.
const NoLeader int32 = -1

// Partition is a partition of an [Image]: the assignment from the topic's node and
// the state from the partition's own. It is not changed once it is in an Image.
type Partition struct {
	Assignment
	PartitionState

	// Version of the state's node: the partition epoch. -1: there is no state yet,
	// and no leader.
	Version int32

	// Modified is when the state was last written. A replica whose broker
	// registered later (its Epoch is greater) has restarted since.
	Modified Zxid
}

// HasState tells whether the controller has written a state yet.
func (p *Partition) HasState() bool { return p.Version >= 0 }

// PartitionState is the payload of a partition's state node.
// (Kafka: TopicPartitionStateZNode)
type PartitionState struct {
	Leader          int32
	LeaderEpoch     int32
	ISR             []int32
	ControllerEpoch int32
	Recovering      bool // the leader was elected from outside the ISR, and has lost records
}

type stateJSON struct {
	Version         int32   `json:"version"`
	Leader          int32   `json:"leader"`
	LeaderEpoch     int32   `json:"leader_epoch"`
	ControllerEpoch int32   `json:"controller_epoch"`
	ISR             []int32 `json:"isr"`
	Recovery        int32   `json:"leader_recovery_state,omitempty"`
}

// Encode writes the payload.
func (s *PartitionState) Encode() []byte {
	p := stateJSON{Version: 1, Leader: s.Leader, LeaderEpoch: s.LeaderEpoch, ControllerEpoch: s.ControllerEpoch, ISR: notNil(s.ISR)}
	if s.Recovering {
		p.Recovery = 1
	}
	return mustEncode(p)
}

// DecodePartitionState reads the payload.
func DecodePartitionState(data []byte) (PartitionState, error) {
	p := stateJSON{Leader: NoLeader}
	if err := json.Unmarshal(data, &p); err != nil {
		return PartitionState{}, fmt.Errorf("partition state: %w", err)
	}
	return PartitionState{Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, ISR: p.ISR, ControllerEpoch: p.ControllerEpoch, Recovering: p.Recovery == 1}, nil
}

// Equal compares two states, order of the ISR included.
func (s *PartitionState) Equal(o *PartitionState) bool {
	return s.Leader == o.Leader && s.LeaderEpoch == o.LeaderEpoch && s.ControllerEpoch == o.ControllerEpoch &&
		s.Recovering == o.Recovering && slices.Equal(s.ISR, o.ISR)
}

// noState is the state of a partition that has none.
var noState = PartitionState{Leader: NoLeader, LeaderEpoch: -1, ControllerEpoch: -1}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

func (tp TopicPartition) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }
