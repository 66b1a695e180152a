package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// leave serves LeaveGroup. (Kafka: handleLeaveGroup)
func (c *core) leave(now journal.Instant, req *kmsg.LeaveGroupRequest, resp *kmsg.LeaveGroupResponse) {
	g := c.lookup(req.Group)
	if g != nil && g.state == Dead {
		resp.ErrorCode = int16(kerror.CoordinatorNotAvailable)
		return
	}
	if req.Version < 3 {
		resp.ErrorCode = int16(c.leaveMember(now, g, req.MemberID, nil))
		return
	}
	for i := range req.Members {
		m := &req.Members[i]
		r := kmsg.NewLeaveGroupResponseMember()
		r.MemberID, r.InstanceID = m.MemberID, m.InstanceID
		r.ErrorCode = int16(c.leaveMember(now, g, m.MemberID, m.InstanceID))
		resp.Members = append(resp.Members, r)
	}
}

// leaveMember takes out a member, or a pending one. An operator names static members by their
// instance id alone.
func (c *core) leaveMember(now journal.Instant, g *group, id string, instance *string) kerror.Code {
	switch {
	case g == nil:
		return kerror.UnknownMemberID
	case id == "" && instance != nil && g.static[*instance] != nil:
		c.removeMember(now, g, g.static[*instance])
		return kerror.OK
	case g.pending[id] != nil:
		c.pendingExpired(now, g, id)
		return kerror.OK
	}
	m, code := g.check(id, instance)
	if code == kerror.OK {
		c.removeMember(now, g, m)
	}
	return code
}
