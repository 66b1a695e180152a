package quorum

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Of a change in two halves the second one brings what the state machine is told.
func TestEntryData(t *testing.T) {
	change := MembershipChange{Add: []MemberConfig{{ID: 4, Addr: "m4:1"}}, Remove: []uint64{1}, Data: []byte("told")}
	enter := change.confChange()
	enter.Transition = raftpb.ConfChangeTransition_ConfChangeTransitionJointExplicit.Enum()
	leave := &raftpb.ConfChangeV2{Context: append(encodeMembers(nil), "told"...)}
	learner := MembershipChange{Add: []MemberConfig{{ID: 4, Addr: "m4:1", Learner: true}}, Data: []byte("told")}
	for _, c := range []struct {
		name string
		cc   *raftpb.ConfChangeV2
		want string
	}{{"first half", enter, ""}, {"second half", leave, "told"}, {"at once", learner.confChange(), "told"}} {
		data, err := proto.Marshal(c.cc)
		if err != nil {
			t.Fatal(err)
		}
		got, err := EntryData(&raftpb.Entry{Type: raftpb.EntryConfChangeV2.Enum(), Data: data})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	if got, err := EntryData(&raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Data: []byte("x")}); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := EntryData(&raftpb.Entry{Type: raftpb.EntryConfChange.Enum()}); err == nil {
		t.Error("an entry of a type that is not used: no error")
	}
}
