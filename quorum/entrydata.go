package quorum

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// EntryData is what a state machine is given of a log's entry, for programs that read logs
// without running a member.
func EntryData(e *raftpb.Entry) ([]byte, error) {
	if e.GetType() == raftpb.EntryNormal {
		return e.GetData(), nil
	}
	if e.GetType() != raftpb.EntryConfChangeV2 {
		return nil, fmt.Errorf("entry %d of type %s", e.GetIndex(), e.GetType())
	}
	cc := &raftpb.ConfChangeV2{}
	if err := proto.Unmarshal(e.GetData(), cc); err != nil {
		return nil, fmt.Errorf("entry %d: %w", e.GetIndex(), err)
	}
	if _, joint := cc.EnterJoint(); joint || len(cc.GetContext()) == 0 {
		return nil, nil // the other half of the change brings it
	}
	_, data, err := splitMembers(cc.GetContext())
	return data, err
}
