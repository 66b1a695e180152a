package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/group"
	"holt/broker/kerror"
)

// The classic group protocol: JoinGroup (11) versions 0 to 9, Heartbeat (12) 0 to 4,
// LeaveGroup (13) 0 to 5, SyncGroup (14) 0 to 5, DescribeGroups (15) 0 to 5, ListGroups
// (16) 0 to 5, DeleteGroups (42) 0 to 2, OffsetDelete (47) 0. What they do is the
// business of package group; who may is judged here.

func (c *call) joinGroup(req *kmsg.JoinGroupRequest) kmsg.Response {
	if code := c.groupCode(auth.Read, req.Group); code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode, resp.Generation, resp.MemberID = int16(code), -1, req.MemberID
		return resp
	}
	from := group.Client{ID: c.r.ClientID, Host: "/" + c.host()}
	c.groups.Join(req, from, func(resp *kmsg.JoinGroupResponse) { c.reply(resp) })
	return nil
}

func (c *call) heartbeat(req *kmsg.HeartbeatRequest) kmsg.Response {
	if code := c.groupCode(auth.Read, req.Group); code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = int16(code)
		return resp
	}
	return c.groups.Heartbeat(req)
}

func (c *call) leaveGroup(req *kmsg.LeaveGroupRequest) kmsg.Response {
	if code := c.groupCode(auth.Read, req.Group); code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
		resp.ErrorCode = int16(code)
		return resp
	}
	return c.groups.Leave(req)
}

func (c *call) syncGroup(req *kmsg.SyncGroupRequest) kmsg.Response {
	if code := c.groupCode(auth.Read, req.Group); code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode, resp.MemberAssignment = int16(code), []byte{}
		return resp
	}
	c.groups.Sync(req, func(resp *kmsg.SyncGroupResponse) { c.reply(resp) })
	return nil
}

func (c *call) describeGroups(req *kmsg.DescribeGroupsRequest) kmsg.Response {
	var refused []kmsg.DescribeGroupsResponseGroup
	req.Groups = slices.DeleteFunc(req.Groups, func(name string) bool {
		if c.mayGroup(auth.Describe, name) {
			return false
		}
		rg := kmsg.NewDescribeGroupsResponseGroup()
		rg.Group, rg.ErrorCode = name, int16(kerror.GroupAuthorizationFailed)
		refused = append(refused, rg)
		return true
	})
	resp := c.groups.Describe(req)
	for i := range resp.Groups {
		g := &resp.Groups[i]
		g.AuthorizedOperations = operationsUnknown
		if req.IncludeAuthorizedOperations && req.Version >= 3 && g.ErrorCode == 0 {
			g.AuthorizedOperations = c.permitted(auth.Group, g.Group)
		}
	}
	resp.Groups = append(resp.Groups, refused...)
	return resp
}

func (c *call) listGroups(req *kmsg.ListGroupsRequest) kmsg.Response {
	resp := c.groups.List(req)
	if !c.mayCluster(auth.Describe) {
		resp.Groups = slices.DeleteFunc(resp.Groups, func(g kmsg.ListGroupsResponseGroup) bool { return !c.mayGroup(auth.Describe, g.Group) })
	}
	return resp
}

func (c *call) deleteGroups(req *kmsg.DeleteGroupsRequest) kmsg.Response {
	var refused []kmsg.DeleteGroupsResponseGroup
	req.Groups = slices.DeleteFunc(req.Groups, func(name string) bool {
		if c.mayGroup(auth.Delete, name) {
			return false
		}
		rg := kmsg.NewDeleteGroupsResponseGroup()
		rg.Group, rg.ErrorCode = name, int16(kerror.GroupAuthorizationFailed)
		refused = append(refused, rg)
		return true
	})
	c.groups.Delete(req, func(resp *kmsg.DeleteGroupsResponse) {
		resp.Groups = append(resp.Groups, refused...)
		c.reply(resp)
	})
	return nil
}

func (c *call) offsetDelete(req *kmsg.OffsetDeleteRequest) kmsg.Response {
	if code := c.groupCode(auth.Delete, req.Group); code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
		resp.ErrorCode = int16(code)
		return resp
	}
	access := topicAccess{call: c, op: auth.Read}
	var refused []kmsg.OffsetDeleteResponseTopic
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewOffsetDeleteResponseTopic()
		rt.Topic = t.Topic
		t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.OffsetDeleteRequestTopicPartition) bool {
			code := access.code(t.Topic, p.Partition)
			if code == kerror.OK {
				return false
			}
			rp := kmsg.NewOffsetDeleteResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, int16(code)
			rt.Partitions = append(rt.Partitions, rp)
			return true
		})
		if len(rt.Partitions) > 0 {
			refused = append(refused, rt)
		}
	}
	req.Topics = slices.DeleteFunc(req.Topics, func(t kmsg.OffsetDeleteRequestTopic) bool { return len(t.Partitions) == 0 })
	c.groups.DeleteOffsets(req, func(resp *kmsg.OffsetDeleteResponse) {
		resp.Topics = append(resp.Topics, refused...)
		c.reply(resp)
	})
	return nil
}
