package group

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// joining is a JoinGroup being judged.
type joining struct {
	now       journal.Instant
	req       *kmsg.JoinGroupRequest
	from      Client
	protocols []protocol
	bytes     int
	waiter    joinWaiter
}

func (j *joining) session() time.Duration { return millis(j.req.SessionTimeoutMillis) }

// rebalanceMillis is the session timeout where the version has no other (v0).
func (j *joining) rebalanceMillis() int32 {
	if j.req.Version < 1 || j.req.RebalanceTimeoutMillis < 0 {
		return j.req.SessionTimeoutMillis
	}
	return j.req.RebalanceTimeoutMillis
}

func millis(n int32) time.Duration { return time.Duration(n) * time.Millisecond }

// join serves JoinGroup. (Kafka: GroupCoordinator.handleJoinGroup)
func (c *core) join(now journal.Instant, req *kmsg.JoinGroupRequest, from Client, reply func(*kmsg.JoinGroupResponse)) {
	c.seq++
	j := &joining{now: now, req: req, from: from, bytes: bytesOf(req, from),
		waiter: joinWaiter{reply: reply, version: req.Version, seq: c.seq}}
	if code := c.checkJoin(j); code != kerror.OK {
		c.refuseJoin(j, req.MemberID, code)
		return
	}
	g := c.lookup(req.Group)
	switch {
	case g == nil && req.MemberID != "":
		c.refuseJoin(j, req.MemberID, kerror.UnknownMemberID)
		return
	case g == nil:
		if g = c.create(now, req.Group); g == nil {
			c.refuseJoin(j, req.MemberID, kerror.CoordinatorNotAvailable)
			return
		}
	case g.state == Dead: // being deleted: gone in a moment, or back
		c.refuseJoin(j, req.MemberID, kerror.CoordinatorNotAvailable)
		return
	}
	c.joinGroup(j, g)
	c.maybeCompleteJoin(now, g)
	c.forgetIfUnused(g)
}

// checkJoin judges what does not depend on the group.
func (c *core) checkJoin(j *joining) kerror.Code {
	if s := j.session(); s < c.c.SessionTimeoutMin || s > c.c.SessionTimeoutMax {
		return kerror.InvalidSessionTimeout
	}
	long := len(j.req.MemberID) > nameMax || len(j.req.ProtocolType) > nameMax ||
		len(j.from.ID) > nameMax || j.req.InstanceID != nil && len(*j.req.InstanceID) > nameMax
	for i := range j.req.Protocols {
		long = long || len(j.req.Protocols[i].Name) > nameMax
	}
	if long || j.bytes > c.c.MemberBytesMax {
		return kerror.InvalidRequest
	}
	j.protocols = protocolsOf(j.req)
	return kerror.OK
}

func (c *core) joinGroup(j *joining, g *group) {
	m := g.byID[j.req.MemberID]
	bytes := g.bytes + j.bytes
	if m != nil {
		bytes -= m.bytes
	}
	switch {
	case !c.accepts(g, m) || bytes > c.c.GroupBytesMax:
		if m != nil {
			c.removeMember(j.now, g, m)
		}
		c.refuseJoin(j, "", kerror.GroupMaxSizeReached)
	case !g.supports(j.req.ProtocolType, j.protocols):
		c.refuseJoin(j, j.req.MemberID, kerror.InconsistentGroupProtocol)
	case j.req.MemberID == "":
		c.joinNew(j, g)
	case g.pending[j.req.MemberID] != nil && j.req.InstanceID == nil:
		c.addMember(j, g, j.req.MemberID)
	default:
		c.joinAgain(j, g)
	}
}

// accepts reports whether there is room for who joins; m is nil for a newcomer. In a rebalance the
// members that have joined count, so that a group that is too large (the limit was lowered) sheds
// those who come last. (Kafka: acceptJoiningMember)
func (c *core) accepts(g *group, m *member) bool {
	switch g.state {
	case PreparingRebalance:
		return m != nil && m.joining() || g.joined < c.c.GroupSizeMax
	case CompletingRebalance, Stable:
		return m != nil || len(g.members) < c.c.GroupSizeMax
	}
	return true
}

// joinNew handles who has no member id.
func (c *core) joinNew(j *joining, g *group) {
	id := c.newMemberID(j)
	switch instance := j.req.InstanceID; {
	case instance != nil && g.static[*instance] != nil:
		c.replaceStatic(j, g, g.static[*instance], id)
	case instance == nil && j.req.Version >= 4: // KIP-394
		c.addPending(j, g, id)
	default:
		c.addMember(j, g, id)
	}
}

// newMemberID returns an id as Kafka's look. Of a long client or instance id it takes the beginning,
// so that the id is not too long for anything.
func (c *core) newMemberID(j *joining) string {
	prefix := j.from.ID
	if j.req.InstanceID != nil {
		prefix = *j.req.InstanceID
	}
	if len(prefix) > 255 {
		prefix = prefix[:255]
		for !utf8.ValidString(prefix) && len(prefix) > 252 {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix + "-" + c.c.NewID()
}

// addPending gives out an id to join with, so that a client that gives up before it learns its id
// leaves no member behind.
func (c *core) addPending(j *joining, g *group, id string) {
	if len(g.pending) >= c.c.PendingMembersMax {
		c.refuseJoin(j, "", kerror.GroupMaxSizeReached)
		return
	}
	if g.pending == nil {
		g.pending = make(map[string]*timer)
	}
	t := &timer{index: -1, group: g, pending: id}
	g.pending[id] = t
	c.timers.set(t, j.now.Up+j.session())
	c.refuseJoin(j, id, kerror.MemberIDRequired)
}

func (c *core) removePending(g *group, id string) {
	if t := g.pending[id]; t != nil {
		c.timers.stop(t)
		delete(g.pending, id)
	}
}

func (c *core) pendingExpired(now journal.Instant, g *group, id string) {
	c.removePending(g, id)
	c.maybeCompleteJoin(now, g)
	c.forgetIfUnused(g)
}

// addMember makes who joins a member, which begins a rebalance. (Kafka: addMemberAndRebalance)
func (c *core) addMember(j *joining, g *group, id string) {
	m := &member{id: strings.Clone(id), isNew: true, join: j.waiter}
	if j.req.InstanceID != nil {
		instance := strings.Clone(*j.req.InstanceID)
		m.instance = &instance
	}
	m.timer = timer{index: -1, group: g, member: m}
	j.describe(m)
	c.removePending(g, id)
	if g.state == PreparingRebalance && g.generation == 0 {
		g.newcomers = true
	}
	g.add(m, strings.Clone(j.req.ProtocolType))
	c.timers.set(&m.timer, j.now.Up+newMemberTimeout)
	c.maybePrepareRebalance(j.now, g)
}

// describe gives a member what the request says of it.
func (j *joining) describe(m *member) {
	m.client = Client{ID: strings.Clone(j.from.ID), Host: strings.Clone(j.from.Host)}
	m.sessionMillis, m.rebalanceMillis = j.req.SessionTimeoutMillis, j.rebalanceMillis()
	m.protocols, m.bytes = j.protocols, j.bytes
}

// update gives a member of the group what a further request says of it, and has the request wait.
func (c *core) update(j *joining, g *group, m *member) {
	g.support(m.protocols, -1)
	g.bytes -= m.bytes
	j.describe(m)
	g.bytes += m.bytes
	g.support(m.protocols, 1)
	if m.joining() {
		c.answerJoin(g, m, joinError(m.join.version, m.id, kerror.RebalanceInProgress))
	}
	m.join = j.waiter
	g.joined++
}

// joinAgain handles who has a member id already. (Kafka: doCurrentMemberJoinGroup)
func (c *core) joinAgain(j *joining, g *group) {
	m, code := g.check(j.req.MemberID, j.req.InstanceID)
	if code != kerror.OK {
		c.refuseJoin(j, j.req.MemberID, code)
		return
	}
	same := m.matches(j.protocols)
	switch {
	case g.state == PreparingRebalance:
		c.update(j, g, m)
	case g.state == CompletingRebalance && same, g.state == Stable && same && g.leader != m:
		// The answer to its JoinGroup got lost, or it asks for no reason: no rebalance for that.
		resp := g.joinResponse(m, j.req.Version)
		c.out.Do(func() { j.waiter.reply(resp) })
	default:
		// Something about the member changed, or the leader wants to assign anew.
		c.update(j, g, m)
		c.maybePrepareRebalance(j.now, g)
	}
}

// check returns the member of an id, or UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID when its instance
// id belongs to a younger one. (Kafka: validateCurrentMember)
func (g *group) check(id string, instance *string) (*member, kerror.Code) {
	m := g.byID[id]
	if instance != nil {
		switch owner := g.static[*instance]; {
		case owner == nil:
			return nil, kerror.UnknownMemberID
		case owner.id != id:
			return nil, kerror.FencedInstanceID
		}
	}
	if m == nil {
		return nil, kerror.UnknownMemberID
	}
	return m, kerror.OK
}
