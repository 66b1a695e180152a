package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// Client is who sends a request, as groups are described with it.
type Client struct {
	ID   string // client id of the request's header
	Host string // Kafka writes "/" and the address
}

// Coordinator coordinates the groups of the partitions it leads. Methods that take a reply call it
// exactly once, from any goroutine, also before they return; reply must not wait. They may keep
// the request until then, and nothing of its memory afterwards.
type Coordinator struct {
	c      Config
	shards *journal.Shards[*core]
}

// New returns a Coordinator that leads no partition yet. Close ends it.
func New(c Config) *Coordinator {
	c = c.withDefaults()
	return &Coordinator{c: c, shards: journal.NewShards(journal.Config[*core]{
		Log: c.Log, Partitions: c.Partitions, OnLoad: c.OnLoad,
		New: func(_, _ int32, out *journal.Outbox) *core { return newCore(c, out) },
	})}
}

// SetPartitions says how many partitions __consumer_offsets really has, before the first is Gained.
func (c *Coordinator) SetPartitions(n int32) { c.shards.SetPartitions(n) }

// PartitionFor returns the partition of __consumer_offsets that a group belongs to.
func (c *Coordinator) PartitionFor(group string) int32 { return c.shards.PartitionFor(group) }

// Gained tells that this broker leads a partition of __consumer_offsets from leaderEpoch on.
func (c *Coordinator) Gained(partition, leaderEpoch int32) { c.shards.Gained(partition, leaderEpoch) }

// Lost tells that it does not any more. All requests that wait are answered with NOT_COORDINATOR.
func (c *Coordinator) Lost(partition, leaderEpoch int32) { c.shards.Lost(partition, leaderEpoch) }

// Close answers all requests that wait and ends the goroutines. It may be called twice.
func (c *Coordinator) Close() { c.shards.Close() }

// Join serves JoinGroup, versions 0 to 9.
func (c *Coordinator) Join(req *kmsg.JoinGroupRequest, from Client, reply func(*kmsg.JoinGroupResponse)) {
	refuse := func(code kerror.Code) { reply(joinError(req.Version, req.MemberID, code)) }
	if code := groupName(req.Group); code != kerror.OK {
		refuse(code)
		return
	}
	code := c.shards.Do(req.Group, func(co *core, now journal.Instant) { co.join(now, req, from, reply) })
	if code != kerror.OK {
		refuse(code)
	}
}

// Sync serves SyncGroup, versions 0 to 5. While the partition loads, the round that the member is
// in is lost anyway, so it is told to join again (Kafka: handleSyncGroup).
func (c *Coordinator) Sync(req *kmsg.SyncGroupRequest, reply func(*kmsg.SyncGroupResponse)) {
	refuse := func(code kerror.Code) { reply(syncError(req.Version, code)) }
	if code := groupName(req.Group); code != kerror.OK {
		refuse(code)
		return
	}
	code := c.shards.Do(req.Group, func(co *core, now journal.Instant) { co.sync(now, req, reply) })
	switch code {
	case kerror.OK:
	case kerror.CoordinatorLoadInProgress:
		refuse(kerror.RebalanceInProgress)
	default:
		refuse(code)
	}
}

// Heartbeat serves Heartbeat, versions 0 to 4. While the partition loads nobody is missing.
func (c *Coordinator) Heartbeat(req *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse {
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	code := groupName(req.Group)
	if code == kerror.OK {
		var beat kerror.Code
		code = c.shards.Do(req.Group, func(co *core, now journal.Instant) { beat = co.heartbeat(now, req) })
		if code == kerror.OK {
			code = beat
		}
	}
	if code == kerror.CoordinatorLoadInProgress {
		code = kerror.OK
	}
	resp.ErrorCode = int16(code)
	return resp
}

// Leave serves LeaveGroup, versions 0 to 5: one member, or from version 3 on several, each with an
// outcome of its own.
func (c *Coordinator) Leave(req *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	code := groupName(req.Group)
	if code == kerror.OK {
		code = c.shards.Do(req.Group, func(co *core, now journal.Instant) { co.leave(now, req, resp) })
	}
	if code != kerror.OK {
		resp.ErrorCode = int16(code)
	}
	return resp
}

// Commit serves OffsetCommit, versions 0 to 9. Partitions that do not exist, or that the client may
// not read, are not among its topics: the caller answers for those.
func (c *Coordinator) Commit(req *kmsg.OffsetCommitRequest, reply func(*kmsg.OffsetCommitResponse)) {
	code := groupNameOrEmpty(req.Group)
	if code == kerror.OK {
		code = c.shards.Do(req.Group, func(co *core, now journal.Instant) { co.commit(now, req, reply) })
	}
	if code != kerror.OK {
		reply(commitError(req, code))
	}
}

// TxnCommit serves TxnOffsetCommit, versions 0 to 4: offsets that count once their transaction is
// committed. That the transaction is under way in the partition is the Log's to check (KIP-890).
func (c *Coordinator) TxnCommit(req *kmsg.TxnOffsetCommitRequest, reply func(*kmsg.TxnOffsetCommitResponse)) {
	code := groupName(req.Group)
	if code == kerror.OK {
		code = c.shards.Do(req.Group, func(co *core, now journal.Instant) { co.txnCommit(now, req, reply) })
	}
	if code != kerror.OK {
		reply(txnCommitError(req, code))
	}
}

// TxnEnd is the end of a producer's transaction in a partition of __consumer_offsets.
type TxnEnd struct {
	ProducerID int64
	// Offset is where the marker is in the partition. The marker ends what is before it.
	Offset int64
	Commit bool
}

// TxnEnded tells that a marker has been appended to a partition and that its replicas have it, in
// the order of the markers. A partition that is not led, or loading, needs no telling: it reads its
// log.
func (c *Coordinator) TxnEnded(partition int32, end TxnEnd) {
	// A refusal is what the comment says.
	_ = c.shards.At(partition, func(co *core, _ journal.Instant) { co.txnEnded(end) })
}

// Fetch serves OffsetFetch, versions 0 to 9. Versions from 8 on ask for several groups, of which
// each may be refused by itself. What the client may not see of all topics of a group (null topics)
// is the caller's to take out of the answer.
func (c *Coordinator) Fetch(req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version < 8 {
		g := c.fetchGroup(&kmsg.OffsetFetchRequestGroup{Group: req.Group, Topics: groupTopics(req.Topics)}, req.RequireStable)
		singleGroup(resp, g)
		return resp
	}
	for i := range req.Groups {
		resp.Groups = append(resp.Groups, c.fetchGroup(&req.Groups[i], req.RequireStable))
	}
	return resp
}

func (c *Coordinator) fetchGroup(req *kmsg.OffsetFetchRequestGroup, stable bool) kmsg.OffsetFetchResponseGroup {
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = req.Group
	code := groupNameOrEmpty(req.Group)
	if code == kerror.OK {
		code = c.shards.Do(req.Group, func(co *core, _ journal.Instant) { co.fetch(req, stable, &resp) })
	}
	resp.ErrorCode = int16(code)
	return resp
}

// Describe serves DescribeGroups, versions 0 to 5. The authorized operations are the caller's to
// fill in.
func (c *Coordinator) Describe(req *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, name := range req.Groups {
		g := kmsg.NewDescribeGroupsResponseGroup()
		g.Group = name
		code := groupNameOrEmpty(name)
		if code == kerror.OK {
			code = c.shards.Do(name, func(co *core, _ journal.Instant) { co.describe(name, &g) })
		}
		g.ErrorCode = int16(code)
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}

// List serves ListGroups, versions 0 to 5: the groups of this broker, by states and types if the
// request names some. The error is COORDINATOR_LOAD_IN_PROGRESS when the list is not whole.
func (c *Coordinator) List(req *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse {
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	f := newFilter(req)
	resp.ErrorCode = int16(c.shards.Each(func(_ int32, co *core, _ journal.Instant) { co.list(f, resp) }))
	return resp
}

// Delete serves DeleteGroups, versions 0 to 2. It replies when the log has what was deleted.
func (c *Coordinator) Delete(req *kmsg.DeleteGroupsRequest, reply func(*kmsg.DeleteGroupsResponse)) {
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	resp.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(req.Groups))
	all := journal.NewCountdown(len(req.Groups), func() { reply(resp) })
	for i, name := range req.Groups {
		g := &resp.Groups[i]
		g.Default()
		g.Group = name
		done := func(code kerror.Code) {
			g.ErrorCode = int16(code)
			all.Done()
		}
		code := groupNameOrEmpty(name)
		if code == kerror.OK {
			code = c.shards.Do(name, func(co *core, now journal.Instant) { co.deleteGroup(now, name, done) })
		}
		if code != kerror.OK {
			done(code)
		}
	}
}

// DeleteOffsets serves OffsetDelete, version 0. It replies when the log has what was deleted.
func (c *Coordinator) DeleteOffsets(req *kmsg.OffsetDeleteRequest, reply func(*kmsg.OffsetDeleteResponse)) {
	code := groupName(req.Group)
	if code == kerror.OK {
		code = c.shards.Do(req.Group, func(co *core, now journal.Instant) { co.deleteOffsets(now, req, reply) })
	}
	if code != kerror.OK {
		resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
		resp.ErrorCode = int16(code)
		reply(resp)
	}
}

// TopicDeleted forgets what groups have committed for a topic that is no more.
func (c *Coordinator) TopicDeleted(topic string) {
	// Partitions that load later read the offsets again, and let them expire.
	_ = c.shards.Each(func(_ int32, co *core, now journal.Instant) { co.topicDeleted(now, topic) })
}

// Counts says how much the coordinator holds.
type Counts struct {
	Groups  map[State]int
	Members int
	Offsets int
}

// Counts counts what the owned partitions hold.
func (c *Coordinator) Counts() Counts {
	n := Counts{Groups: make(map[State]int)}
	_ = c.shards.Each(func(_ int32, co *core, _ journal.Instant) { co.count(&n) }) // those that load hold nothing yet
	return n
}

// groupName judges the name of a group whose members Kafka coordinates.
func groupName(name string) kerror.Code {
	if name == "" {
		return kerror.InvalidGroupID
	}
	return groupNameOrEmpty(name)
}

// groupNameOrEmpty judges the name of a group that may be nothing but offsets. Old clients without
// a group id commit for the group "".
func groupNameOrEmpty(name string) kerror.Code {
	if len(name) > nameMax {
		return kerror.InvalidGroupID
	}
	return kerror.OK
}
