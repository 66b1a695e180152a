package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
)

// heartbeat serves Heartbeat: the member lives, and hears whether it has to join again.
// (Kafka: handleHeartbeat)
func (c *core) heartbeat(now journal.Instant, req *kmsg.HeartbeatRequest) kerror.Code {
	g := c.lookup(req.Group)
	switch {
	case g == nil:
		return kerror.UnknownMemberID
	case g.state == Dead:
		return kerror.CoordinatorNotAvailable
	}
	m, code := g.check(req.MemberID, req.InstanceID)
	switch {
	case code != kerror.OK:
		return code
	case req.Generation != g.generation:
		return kerror.IllegalGeneration
	}
	c.beat(now, m)
	if g.state == PreparingRebalance {
		return kerror.RebalanceInProgress
	}
	return kerror.OK
}
