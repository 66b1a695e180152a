package group

import (
	"bytes"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocol is one of the ways to assign that a member supports, with what its assignor wants to know
// of the member.
type protocol struct {
	name     string
	metadata []byte
}

// member is one member of a group.
type member struct {
	id              string
	instance        *string // of a static member
	client          Client
	sessionMillis   int32
	rebalanceMillis int32      // how long it may take to join again
	protocols       []protocol // in the member's order of preference
	assignment      []byte
	timer           timer // of its session
	bytes           int   // what the member brought, for GroupBytesMax
	isNew           bool  // has never been in a generation
	awaitsSync      bool  // the generation waits for its SyncGroup
	join            joinWaiter
	sync            syncWaiter
}

// joinWaiter is a JoinGroup that is not answered yet.
type joinWaiter struct {
	reply   func(*kmsg.JoinGroupResponse)
	version int16
	seq     uint64 // tells it from the member's other ones
}

// syncWaiter is a SyncGroup that is not answered yet.
type syncWaiter struct {
	reply   func(*kmsg.SyncGroupResponse)
	version int16
}

func (m *member) joining() bool { return m.join.reply != nil }
func (m *member) syncing() bool { return m.sync.reply != nil }

// waiting reports whether the coordinator owes the member an answer, so that its silence is not
// its own. A new member's is limited by newMemberTimeout.
func (m *member) waiting() bool { return !m.isNew && (m.joining() || m.syncing()) }

// metadata returns what the member says to the assignor of a protocol.
func (m *member) metadata(name string) []byte {
	for i := range m.protocols {
		if m.protocols[i].name == name {
			return m.protocols[i].metadata
		}
	}
	return nil
}

// matches reports whether the member brings the same protocols as before.
func (m *member) matches(protocols []protocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b protocol) bool {
		return a.name == b.name && bytes.Equal(a.metadata, b.metadata)
	})
}

// vote returns the first of the member's protocols that all support.
func (m *member) vote(all func(string) bool) string {
	for i := range m.protocols {
		if all(m.protocols[i].name) {
			return m.protocols[i].name
		}
	}
	return "" // not reached: joining requires one
}

// protocolsOf copies a request's protocols. Of two with the same name the first counts: the
// numbers of supporters depend on a member having each once. One without a name is none.
func protocolsOf(req *kmsg.JoinGroupRequest) []protocol {
	ps := make([]protocol, 0, len(req.Protocols))
	for i := range req.Protocols {
		p := &req.Protocols[i]
		if p.Name == "" || slices.ContainsFunc(ps, func(q protocol) bool { return q.name == p.Name }) {
			continue
		}
		ps = append(ps, protocol{strings.Clone(p.Name), slices.Clone(p.Metadata)})
	}
	return ps
}

// bytesOf returns what a request brings into the group.
func bytesOf(req *kmsg.JoinGroupRequest, from Client) int {
	n := len(req.MemberID) + len(from.ID) + len(from.Host)
	if req.InstanceID != nil {
		n += len(*req.InstanceID)
	}
	for i := range req.Protocols {
		n += len(req.Protocols[i].Name) + len(req.Protocols[i].Metadata) + 48
	}
	return n
}
