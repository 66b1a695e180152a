package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
)

// joinResponse returns the answer to a member's JoinGroup in the current generation. Only the leader
// learns who the members are.
func (g *group) joinResponse(m *member, version int16) *kmsg.JoinGroupResponse {
	resp := newJoinResponse(version)
	resp.Generation = g.generation
	protocolType, protocol := g.protocolType, g.protocol // as they are now
	resp.ProtocolType, resp.Protocol = &protocolType, &protocol
	resp.LeaderID, resp.MemberID = g.leader.id, m.id
	if g.leader != m {
		return resp
	}
	resp.Members = make([]kmsg.JoinGroupResponseMember, len(g.members))
	for i, o := range g.members {
		r := &resp.Members[i]
		r.MemberID, r.InstanceID = o.id, o.instance
		r.ProtocolMetadata = orEmpty(o.metadata(g.protocol))
	}
	return resp
}

func newJoinResponse(version int16) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Version = version
	resp.Generation = -1
	return resp
}

func joinError(version int16, memberID string, code kerror.Code) *kmsg.JoinGroupResponse {
	resp := newJoinResponse(version)
	resp.MemberID, resp.ErrorCode = memberID, int16(code)
	return resp
}

func (c *core) refuseJoin(j *joining, memberID string, code kerror.Code) {
	resp, reply := joinError(j.req.Version, memberID, code), j.waiter.reply
	c.out.Do(func() { reply(resp) })
}

// answerJoin answers a member's JoinGroup, if one waits.
func (c *core) answerJoin(g *group, m *member, resp *kmsg.JoinGroupResponse) {
	if !m.joining() {
		return
	}
	reply := m.join.reply
	m.join = joinWaiter{}
	g.joined--
	c.out.Do(func() { reply(resp) })
}

func (g *group) syncResponse(m *member, version int16) *kmsg.SyncGroupResponse {
	resp := syncError(version, kerror.OK)
	protocolType, protocol := g.protocolType, g.protocol
	resp.ProtocolType, resp.Protocol = &protocolType, &protocol
	resp.MemberAssignment = orEmpty(m.assignment)
	return resp
}

func syncError(version int16, code kerror.Code) *kmsg.SyncGroupResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.Version = version
	resp.ErrorCode = int16(code)
	resp.MemberAssignment = []byte{}
	return resp
}

// answerSync answers a member's SyncGroup, if one waits.
func (c *core) answerSync(m *member, resp *kmsg.SyncGroupResponse) {
	if !m.syncing() {
		return
	}
	reply := m.sync.reply
	m.sync = syncWaiter{}
	c.out.Do(func() { reply(resp) })
}

// orEmpty returns bytes that are written as none, not as null.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
