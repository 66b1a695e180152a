package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holt/broker/metadata"
)

// nodes is what the controller does about the nodes that others leave for it.
type nodes struct {
	dirty bool // to be looked at

	reassign, election, isr, logDir, orphan claim

	// begun are the wishes of the reassignment node that were taken up: when the
	// partition has another target later, somebody else has overruled it.
	begun     map[metadata.TopicPartition]struct{}
	begunNode metadata.Zxid // the node that begun is about

	elected   metadata.Zxid // the election node that elections were begun for
	electDone bool          // and all have an outcome

	logDirs map[string]struct{} // notifications that were read

	orphans map[string]time.Time // requests to delete unknown topics: since when
}

func (n *nodes) init() {
	n.begun, n.orphans, n.logDirs = map[metadata.TopicPartition]struct{}{}, map[string]time.Time{}, map[string]struct{}{}
}

// claim keeps the controller from writing the same thing again before an image shows
// the first time's effect.
type claim struct {
	busy  bool
	about string    // what was last written about
	until time.Time // when to write about the same again
}

func (k *claim) free(about string, now time.Time) bool {
	return !k.busy && (k.about != about || !now.Before(k.until))
}

func (k *claim) release(now time.Time) { k.busy, k.until = false, now.Add(retryAfter) }

func about(n metadata.NodeVersion) string { return fmt.Sprint(n.Created, n.Version) }

func (c *Core) updateNodes() {
	c.reassignNode()
	c.electionNode()
	c.isrNotifications()
	c.logDirEvents()
	c.deleteRequests()
}

// nodeWrite is a Write about such a node.
func (c *Core) nodeWrite(k *claim, about, what string, ops ...metadata.Op) {
	k.busy, k.about = true, about
	c.add(&Write{What: what, Ops: ops, claim: k})
}

// reassignNode begins the reassignments of the node, and takes those out of it that
// are done, or impossible, or overruled.
func (c *Core) reassignNode() {
	a, n := c.image.Admin(), &c.nodes
	if !a.ReassignNode.Exists || !n.reassign.free(about(a.ReassignNode), c.now) {
		return
	}
	if n.begunNode != a.ReassignNode.Created {
		n.begunNode = a.ReassignNode.Created
		clear(n.begun)
	}
	var left []metadata.Reassignment
	for _, r := range a.Reassignments {
		if c.wanted(r) {
			left = append(left, r)
		}
	}
	switch {
	case len(left) == len(a.Reassignments) && len(left) > 0:
	case len(left) == 0:
		c.nodeWrite(&n.reassign, about(a.ReassignNode), "reassign node", metadata.Delete(metadata.ReassignPath, a.ReassignNode.Version))
	default:
		c.nodeWrite(&n.reassign, about(a.ReassignNode), "reassign node", metadata.Set(metadata.ReassignPath, metadata.EncodeReassignments(left), a.ReassignNode.Version))
	}
}

// wanted begins a reassignment of the node, and tells whether it is still to be
// waited for.
func (c *Core) wanted(r metadata.Reassignment) bool {
	tp := metadata.TopicPartition{Topic: r.Topic, Partition: r.Partition}
	p := c.partition(tp)
	if p == nil || p.topic.deleting || len(r.Replicas) == 0 {
		return false
	}
	if slices.Equal(p.Target(), r.Replicas) {
		c.nodes.begun[tp] = struct{}{}
		return p.Reassigning()
	}
	if _, wished := p.topic.wishes[r.Partition]; wished || p.topic.busy {
		return true
	}
	if _, begun := c.nodes.begun[tp]; begun || c.judge(p.topic, r.Partition, r.Replicas) != 0 {
		return false
	}
	p.topic.wishes[r.Partition] = wish{target: r.Replicas}
	c.touchTopic(p.topic)
	return true
}

// electionNode elects the preferred leaders that the node asks for, and then
// deletes it.
func (c *Core) electionNode() {
	a, n := c.image.Admin(), &c.nodes
	if !a.ElectionNode.Exists || !n.election.free(about(a.ElectionNode), c.now) {
		return
	}
	if n.elected != a.ElectionNode.Created {
		n.elected, n.electDone = a.ElectionNode.Created, false
		id, t := c.issue(a.Elections)
		created := n.elected
		t.done = func() { n.electDone, n.dirty = n.electDone || n.elected == created, true }
		c.elect(Preferred, id, a.Elections)
		c.close(id, t)
	}
	if n.electDone {
		c.nodeWrite(&n.election, about(a.ElectionNode), "election node", metadata.Delete(metadata.PreferredElectionPath, a.ElectionNode.Version))
	}
}

// isrNotifications deletes what leaders leave for tools: the image knows already.
func (c *Core) isrNotifications() {
	names := c.image.Admin().ISRChanges
	c.deleteAll(&c.nodes.isr, "isr notifications", metadata.ISRChangesPath, names)
}

// LogDirFailed takes a notification of a failed log directory that was read: broker is
// -1 if it could not be. Brokers of Holt do not leave any: their registrations say which
// replicas are offline. What another's directory had is not known, so the broker's
// replicas all are doubted as if it had restarted: those that still work return to
// their ISRs by fetching.
func (c *Core) LogDirFailed(notification string, broker int32) {
	if _, read := c.nodes.logDirs[notification]; read {
		return
	}
	c.nodes.logDirs[notification] = struct{}{}
	if b := c.image.Broker(broker); b != nil {
		for _, t := range c.topics {
			for _, p := range t.partitions {
				if slices.Contains(p.ISR, broker) {
					p.bounce(broker, b.Epoch)
					c.touch(p)
				}
			}
		}
	}
	c.nodes.dirty = true
	c.work()
}

// UnreadLogDirEvents are the notifications that LogDirFailed waits for.
func (c *Core) UnreadLogDirEvents() []string {
	var unread []string
	for _, name := range c.image.Admin().LogDirEvents {
		if _, read := c.nodes.logDirs[name]; !read {
			unread = append(unread, name)
		}
	}
	return unread
}

func (c *Core) logDirEvents() {
	n := &c.nodes
	there := c.image.Admin().LogDirEvents
	for name := range n.logDirs {
		if !slices.Contains(there, name) {
			delete(n.logDirs, name)
		}
	}
	c.deleteAll(&n.logDir, "log dir events", metadata.LogDirEventsPath, slices.Sorted(maps.Keys(n.logDirs)))
}

// deleteRequests has topics removed, and drops requests for topics that are not there.
func (c *Core) deleteRequests() {
	n := &c.nodes
	requests := c.image.Admin().Deleting
	var drop []string
	for _, name := range requests {
		t := c.topics[name]
		switch {
		case c.cfg.NoDelete:
			drop = append(drop, name)
		case t != nil:
			delete(n.orphans, name)
			c.touchTopic(t)
		default:
			if since, ok := n.orphans[name]; !ok {
				n.orphans[name] = c.now
			} else if c.now.Sub(since) >= orphanAfter {
				drop = append(drop, name)
			}
		}
	}
	for name := range n.orphans {
		if !slices.Contains(requests, name) {
			delete(n.orphans, name)
		}
	}
	c.deleteAll(&n.orphan, "delete requests", metadata.DeleteTopicsPath, drop)
	for t := range c.deleting {
		c.touchTopic(t) // to be tried again, or the request was taken back
	}
}

// deletesAtOnce bounds the notifications that are deleted at a time.
const deletesAtOnce = 200

// deleteAll deletes children of dir, each in a write of its own: one that somebody
// else has deleted does not keep the others.
func (c *Core) deleteAll(k *claim, what, dir string, names []string) {
	names = names[:min(len(names), deletesAtOnce)]
	if about := strings.Join(names, " "); len(names) > 0 && k.free(about, c.now) {
		for _, name := range names {
			c.nodeWrite(k, about, what, metadata.Delete(dir+"/"+name, metadata.AnyVersion))
		}
	}
}
