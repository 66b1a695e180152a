package server

import (
	"time"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/server/apply"
	"holt/server/watch"
	"holt/session"
	"holt/wire"
	"holt/znode"
)

// stateMachine is what quorum applies committed entries to: the machine, with
// this member's connections as its sink. All methods of sink run on the apply
// goroutine.
type stateMachine struct{ s *Server }

// Apply applies entries one at a time: between two of them the reads that wait
// behind the first are answered.
func (m stateMachine) Apply(entries []quorum.Entry) error {
	s := m.s
	before := s.machine.Metrics().Commands.Load()
	for i := range entries {
		e := &entries[i]
		if err := s.machine.Apply(e.Index, e.Term, e.Data, sink{s}); err != nil {
			return err
		}
		if err := s.checkMembers(); err != nil {
			return err
		}
		s.answers.end()
		s.afterStaging()
		s.compareDigest(e.Index)
		if !s.cfg.Standalone() {
			s.pipeline.applied()
			s.observed.applied(e.Index, s.machine.LastZxid())
		}
		s.digests.record(s.machine.LastZxid(), s.machine.Tree().Counts().Digest)
		for _, c := range s.advance {
			c.advance = false
			s.advanceConn(c)
		}
		if len(s.advance) > 0 {
			s.answers.end()
			s.advance = s.advance[:0]
		}
	}
	now := s.uptime()
	s.measureApplied(s.machine.Metrics().Commands.Load()-before, now)
	if len(s.dirty) == 0 {
		return nil
	}
	s.flushDirty()
	s.metrics.ReplyNanos.Observe(int64(s.uptime() - now))
	return nil
}

// measureApplied counts commands that were applied together, at a time since the server's start.
func (s *Server) measureApplied(commands int64, now time.Duration) {
	if commands == 0 {
		return
	}
	count := &s.metrics.CommandsFollowed
	if s.leadership.Load().self {
		count = &s.metrics.CommandsLed
	}
	count.Add(commands)
	s.metrics.PropagationMillis.Observe((s.wall.Load()+int64(now))/int64(time.Millisecond) - s.machine.LastMillis())
}

func (m stateMachine) Applied() uint64 { return m.s.machine.Applied() }

// sink receives, under the machine's write lock, what an entry did.
type sink struct{ s *Server }

func (k sink) Change(c *watch.Change) {
	if c.Path == znode.ConfigPath {
		k.s.configured = true
	}
	k.s.watches.Trigger(c)
	if c.Ended != 0 {
		k.s.auditEnd(c)
	}
}

// checkMembers follows a change of /zookeeper/config by the entry just applied.
func (s *Server) checkMembers() error {
	if !s.configured {
		return nil
	}
	s.configured = false
	return s.membersChanged()
}

// Restored ends all connections before anybody reads the new state: when they come back, their watches
// are told of all that may have changed (read.lookup).
func (k sink) Restored() {
	k.s.restored = true
	k.s.dropClients(everyone)
}

func (k sink) Result(cmd *apply.Command, res *apply.Result) { k.s.pipeline.result(cmd, res) }

// SessionOpened tells the leader whom to track, whichever member it is of.
func (k sink) SessionOpened(f *session.Facts) { k.s.track(f) }

func (s *Server) track(f *session.Facts) {
	if !s.leadership.Load().self {
		return
	}
	s.trackerMu.Lock()
	s.tracker.Add(*f, s.sessionMillis())
	s.trackerMu.Unlock()
}

// SessionClosed ends the connection of a session that is no more. A client that
// closed it itself gets its reply first, by Result.
func (k sink) SessionClosed(id wire.SessionID) {
	s := k.s
	s.trackerMu.Lock()
	s.tracker.Remove(id)
	s.trackerMu.Unlock()
	if c := s.unbind(id); c != nil && !c.awaitsClose() {
		c.out.closeNow()
	}
}

// SessionMoved ends the connection of a session that another member, or a newer
// connection of this one, has now.
func (k sink) SessionMoved(f *session.Facts) {
	s := k.s
	s.track(f)
	if f.Owner == s.cfg.MemberID {
		return // the newer connection takes the place in bind
	}
	if c := s.unbind(f.ID); c != nil {
		s.log.Debug("session moved", zap.Stringer("session", f.ID), zap.Uint64("member", f.Owner))
		c.out.closeNow()
	}
}

// awaitsClose says whether the client's own closeSession is what is being
// applied.
func (c *conn) awaitsClose() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.fifo.first()
	return r != nil && r.kind == kindWrite && r.op == wire.OpCloseSession
}

// markDirty notes that c has output that the apply goroutine is to have written.
func (s *Server) markDirty(c *conn) {
	if !c.dirty {
		c.dirty = true
		s.dirty = append(s.dirty, c)
	}
}

// markAdvance notes that the head of c's fifo can be answered after this entry.
func (s *Server) markAdvance(c *conn) {
	if !c.advance {
		c.advance = true
		s.advance = append(s.advance, c)
	}
}

// flushDirectMax is the number of connections whose output the apply goroutine
// writes itself: for one or two that costs less than to wake others, for many
// the next entry would wait.
const flushDirectMax = 2

// flushDirty has the output of all dirty connections written: by the apply
// goroutine as far as the socket takes it at once, or each by a goroutine of its
// own, since a client that does not read must not stop the others.
func (s *Server) flushDirty() {
	direct := len(s.dirty) <= flushDirectMax
	for i, c := range s.dirty {
		c.dirty = false
		s.dirty[i] = nil
		if direct && c.out.tryFlush() {
			continue
		}
		s.wg.Add(1)
		go c.flushAsync()
	}
	s.dirty = s.dirty[:0]
}

func (c *conn) flushAsync() {
	defer c.srv.wg.Done()
	c.out.flush()
}
