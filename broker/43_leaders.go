package broker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/controller"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// What only the controller can do, on every broker: ElectLeaders (43) versions 0 to 2,
// AlterPartitionReassignments (45) 0, ControlledShutdown (7) 0 to 3, which brokers send.
// A broker that is not the controller asks it, with its own identity, after it has judged
// whether the client may. ListPartitionReassignments (46) 0 is in every broker's image.

func (c *call) electLeaders(req *kmsg.ElectLeadersRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	if code := c.clusterCode(auth.Alter); code != kerror.OK {
		resp.ErrorCode = int16(code)
		return resp
	}
	if req.ElectionType != 0 && req.ElectionType != 1 {
		resp.ErrorCode = int16(kerror.InvalidRequest)
		return resp
	}
	var tps []metadata.TopicPartition // nil: all
	if req.Topics != nil {
		tps = []metadata.TopicPartition{}
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			tps = append(tps, metadata.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	ctx, cancel := c.within(max(req.TimeoutMillis, 0))
	defer cancel()
	outcomes, code, err := c.controller.Elect(ctx, controller.ElectionType(req.ElectionType), tps)
	if code == kerror.NotController && err == nil {
		return c.forward(ctx, req, func(code kerror.Code) kmsg.Response {
			resp.ErrorCode = int16(code)
			return resp
		})
	}
	if code = orTimeout(code, err); code != kerror.OK {
		resp.ErrorCode = int16(code)
		return resp
	}
	byTopic := map[string]int{}
	for _, o := range outcomes {
		if req.Topics == nil && o.Code == kerror.ElectionNotNeeded {
			continue
		}
		i, ok := byTopic[o.Topic]
		if !ok {
			i = len(resp.Topics)
			byTopic[o.Topic] = i
			rt := kmsg.NewElectLeadersResponseTopic()
			rt.Topic = o.Topic
			resp.Topics = append(resp.Topics, rt)
		}
		rp := kmsg.NewElectLeadersResponseTopicPartition()
		rp.Partition, rp.ErrorCode = o.Partition, int16(o.Code)
		if o.Code == kerror.UnknownTopicOrPartition { // of others clients know better words
			rp.ErrorMessage = kmsg.StringPtr("The partition does not exist.")
		}
		resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, rp)
	}
	return resp
}

// orTimeout is the code of a request to the controller that may have taken too long.
func orTimeout(code kerror.Code, err error) kerror.Code {
	if err != nil {
		return kerror.RequestTimedOut
	}
	return code
}

func (c *call) alterPartitionReassignments(req *kmsg.AlterPartitionAssignmentsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	if code := c.clusterCode(auth.Alter); code != kerror.OK {
		resp.ErrorCode = int16(code)
		return resp
	}
	var wishes []metadata.Reassignment
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			wishes = append(wishes, metadata.Reassignment{Topic: t.Topic, Partition: p.Partition, Replicas: p.Replicas})
		}
	}
	ctx, cancel := c.within(max(req.TimeoutMillis, 0))
	defer cancel()
	outcomes, code, err := c.controller.Reassign(ctx, wishes)
	if code == kerror.NotController && err == nil {
		return c.forward(ctx, req, func(code kerror.Code) kmsg.Response {
			resp.ErrorCode = int16(code)
			return resp
		})
	}
	if code = orTimeout(code, err); code != kerror.OK {
		resp.ErrorCode = int16(code)
		return resp
	}
	next := 0
	for _, t := range req.Topics {
		rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			rp.Partition = p.Partition
			if o := outcomes[next]; o.Code != kerror.OK {
				rp.ErrorCode, rp.ErrorMessage = int16(o.Code), kmsg.StringPtr(o.Code.String())
			}
			next++
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (c *call) listPartitionReassignments(req *kmsg.ListPartitionReassignmentsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	if code := c.clusterCode(auth.Describe); code != kerror.OK {
		resp.ErrorCode = int16(code)
		return resp
	}
	if req.Topics == nil {
		for t := range c.image.Topics() {
			rt := kmsg.NewListPartitionReassignmentsResponseTopic()
			rt.Topic = t.Name
			for i, p := range t.Partitions {
				addReassignment(&rt, int32(i), p)
			}
			if len(rt.Partitions) > 0 {
				resp.Topics = append(resp.Topics, rt)
			}
		}
		return resp
	}
	for _, t := range req.Topics {
		rt := kmsg.NewListPartitionReassignmentsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			if partition := c.image.Partition(t.Topic, p); partition != nil {
				addReassignment(&rt, p, partition)
			}
		}
		if len(rt.Partitions) > 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	return resp
}

func addReassignment(rt *kmsg.ListPartitionReassignmentsResponseTopic, number int32, p *metadata.Partition) {
	if !p.Reassigning() {
		return
	}
	rp := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
	rp.Partition, rp.Replicas, rp.AddingReplicas, rp.RemovingReplicas = number, p.Replicas, orNone(p.Adding), orNone(p.Removing)
	rt.Partitions = append(rt.Partitions, rp)
}

func (c *call) controlledShutdown(req *kmsg.ControlledShutdownRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ControlledShutdownResponse)
	if code := c.clusterCode(auth.ClusterAction); code != kerror.OK {
		resp.ErrorCode = int16(code)
		return resp
	}
	epoch := req.BrokerEpoch
	if req.Version < 2 {
		epoch = -1
	}
	ctx, cancel := context.WithTimeout(c.ctx, treeWait)
	defer cancel()
	left, code, err := c.controller.Shutdown(ctx, req.BrokerID, epoch)
	resp.ErrorCode = int16(orTimeout(code, err))
	for _, tp := range left {
		rp := kmsg.NewControlledShutdownResponsePartitionsRemaining()
		rp.Topic, rp.Partition = tp.Topic, tp.Partition
		resp.PartitionsRemaining = append(resp.PartitionsRemaining, rp)
	}
	return resp
}

// forward asks the controller instead, once; refused makes the answer if that fails.
func (c *call) forward(ctx context.Context, req kmsg.Request, refused func(kerror.Code) kmsg.Response) kmsg.Response {
	id := c.applied.get().Controller().ID
	if id < 0 || id == c.id {
		return refused(kerror.NotController)
	}
	resp, err := c.peers.Do(ctx, id, req)
	if err != nil {
		c.log.Debug("controller not reached", peerField(id), errField(fmt.Errorf("forward %s: %w", kmsg.NameForKey(req.Key()), err)))
		return refused(kerror.NotController)
	}
	return resp
}
