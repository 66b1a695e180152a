package server

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.uber.org/zap"

	"holt/quorum"
	"holt/server/apply"
	"holt/wire"
)

// What only a leader does: stamp entries with its time, expire sessions, reap
// containers and TTL nodes. Its commands carry no number (Member 0): they are
// lost with the leadership, because a new leader judges anew.

// onLeadership is told by quorum, from its loop, who leads now. It only notes
// the fact: the loop must not wait.
func (s *Server) onLeadership(l quorum.Leadership) {
	now := s.now()
	s.measureLeadership(l, now)
	s.leadership.Store(&leadership{leader: l.Leader, term: l.Term, self: l.Self, since: now})
	s.pipeline.setLeader(l.Leader)
	select {
	case s.leaderChanged <- struct{}{}:
	default: // one change is already waiting; the ticker looks at the newest
	}
}

// measureLeadership measures the time without a leader, that before the first one included.
func (s *Server) measureLeadership(l quorum.Leadership, now time.Time) {
	switch before := s.leadership.Load(); {
	case l.Leader == 0 && before.leader != 0:
		s.metrics.LeaderLost.Inc()
	case l.Leader != 0 && before.leader == 0:
		since := before.since
		if since.IsZero() {
			since = s.started
		}
		s.metrics.LeaderlessNanos.Observe(int64(now.Sub(since)))
		if l.Self {
			s.metrics.ElectedNanos.Observe(int64(now.Sub(since)))
		}
	}
}

// catchUp makes the member serve once it has all that was committed when it came
// to know its first leader, by the log or by a snapshot: what it serves before
// would be old, and a snapshot ends connections.
func (s *Server) catchUp() {
	began := s.now()
	s.peers.ReadBarrier(func(err error) {
		if err == nil {
			s.metrics.CatchUpNanos.Observe(int64(s.now().Sub(began)))
			close(s.ready)
		}
	})
}

// leadership is the last that quorum told.
type leadership struct {
	leader, term uint64
	self         bool
	since        time.Time
}

// stamp returns the leader's wall time for an entry. The machine keeps it from
// going back.
func (s *Server) stamp() int64 { return s.now().UnixMilli() }

// runTicker is the goroutine behind everything periodic: touches to the leader,
// expiry, reaping, the loss of a leader, commands that made no progress.
func (s *Server) runTicker() {
	defer s.wg.Done()
	half := max(time.Duration(s.cfg.TickMillis)*time.Millisecond/2, time.Millisecond)
	touch := time.NewTicker(half)
	defer touch.Stop()
	quickly := min(half, 100*time.Millisecond)
	quick := time.NewTicker(quickly)
	defer quick.Stop()
	s.lastTick = s.uptimeMillis()
	caughtUp := false
	for {
		select {
		case <-s.stop:
			return
		case <-s.leaderChanged:
			s.noteStandstill(quickly)
			if s.leadership.Load().leader != 0 && !caughtUp {
				caughtUp = true
				s.catchUp()
			}
			s.leaderTick()
		case <-touch.C:
			s.noteStandstill(quickly)
			s.reportTouches(s.touchLocal(s.takeTouches()))
			s.expireLocal()
			s.tellDigest()
			s.leaderTick()
			s.formatTick()
			s.reap()
			s.dropAbandoned(abandonedAfter)
		case now := <-quick.C:
			s.noteStandstill(quickly)
			s.followClock()
			s.pipeline.tick(now)
			s.checkLeader()
			s.checkRemoved()
		}
	}
}

// noteStandstill finds out that the ticker, which looks at least that often, could not: the process was
// stopped, or the machine was. What clients and members said meanwhile waits in sockets that nobody has
// read, so that time counts for no session. (The original lets the sessions expire.)
func (s *Server) noteStandstill(often time.Duration) {
	now := s.uptimeMillis()
	stood := now - s.lastTick - often.Milliseconds()
	s.lastTick = now
	if stood < int64(s.cfg.TickMillis)/2 {
		return // the tracker's own ticks allow for that
	}
	s.stoodStill.Add(stood)
	s.log.Warn("stood still, sessions are given the time: was the process stopped, or the machine?", zap.Int64("millis", stood))
}

// sessionMillis is the time by which sessions expire, in ms: that of the clock less that in which this
// member stood still.
func (s *Server) sessionMillis() int64 { return s.uptimeMillis() - s.stoodStill.Load() }

// sessionDeadline is when sessionMillis will be millis, unless the member stands still again.
func (s *Server) sessionDeadline(millis int64) time.Time {
	return s.started.Add(time.Duration(millis+s.stoodStill.Load()) * time.Millisecond)
}

// checkLeader closes the clients of a member that has had no leader for
// SyncLimit ticks: they go elsewhere, and none goes on believing in a session
// that the majority may have expired. With read-only mode on that is when it
// begins, and its connections end when there is a leader again.
func (s *Server) checkLeader() {
	if s.leadership.Load().leader != 0 {
		s.lostSince.Store(0)
		if !s.cfg.ReadOnlyMode {
			return
		}
		s.readOnlyMode.Store(false)
		s.dropClients(func(c *conn) bool { return c.readOnly })
		s.readOnlys.clear()
		return
	}
	now := s.now().UnixMilli()
	since := s.lostSince.Load()
	if since == 0 {
		s.lostSince.Store(now)
		return
	}
	limit := int64(s.cfg.SyncLimit) * int64(s.cfg.TickMillis)
	readOnly := s.cfg.ReadOnlyMode && now-since >= max(readOnlyAfter, int64(s.cfg.TickMillis))
	if now-since < limit && !readOnly {
		return
	}
	// Who has not said yet what it wants stays: a client in its handshake, which may be one for
	// read-only mode, or an operator's word.
	if n := s.dropClients(func(c *conn) bool { return c.asked }); n > 0 {
		s.log.Warn("no leader for syncLimit ticks: closed clients", zap.Int("connections", n), zap.Int64("took", now-since))
	}
	s.readOnlyMode.Store(readOnly) // said once nobody is left whom it does not serve
}

// readOnlyAfter is how many milliseconds a member looks for a leader at least before it serves
// read-only clients, as in the original (ReadOnlyZooKeeperServer's sleep in QuorumPeer).
const readOnlyAfter = 2000

// reportTouches tells the leader which sessions were heard of here.
func (s *Server) reportTouches(touched []wire.SessionID) {
	l := s.leadership.Load()
	if len(touched) == 0 || l.leader == 0 {
		return
	}
	if l.self {
		s.touch(touched)
		return
	}
	msg := make([]byte, 1, 1+8*len(touched))
	msg[0] = byte(messageTouches)
	for _, id := range touched {
		msg = binary.BigEndian.AppendUint64(msg, uint64(id))
	}
	if err := s.peers.Send(l.leader, msg); err != nil {
		s.log.Debug("send touches", zap.Uint64("peer", l.leader), zap.Error(err))
	}
}

// takeTouches returns the sessions of this member's connections that sent
// something since the last call, and of those that are not read: their clients' pings are behind
// requests that this server makes wait, and load is to expire no session.
func (s *Server) takeTouches() []wire.SessionID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []wire.SessionID
	for id, c := range s.sessions {
		if c.touched.Swap(false) || c.stalled.Load() {
			ids = append(ids, id)
		}
	}
	return ids
}

// touch extends sessions on the leader.
func (s *Server) touch(ids []wire.SessionID) {
	now := s.sessionMillis()
	s.trackerMu.Lock()
	defer s.trackerMu.Unlock()
	for _, id := range ids {
		s.tracker.Touch(id, now)
	}
}

// onMessage takes a message of another member's server; from transport's
// goroutine for that peer.
func (s *Server) onMessage(from uint64, msg []byte) {
	if err := s.dispatchMessage(from, msg); err != nil {
		s.log.Error("message from a member", zap.Uint64("peer", from), zap.Error(err))
	}
}

func (s *Server) dispatchMessage(from uint64, msg []byte) error {
	if len(msg) == 0 {
		return fmt.Errorf("empty")
	}
	kind, msg := messageKind(msg[0]), msg[1:]
	switch kind {
	case messageCommands:
		// Also when this member does not know yet that it leads: whoever sends
		// has heard it from Raft, which is quicker than the notice to this
		// package. If it does not lead, the proposal says so.
		return s.pipeline.received(from, msg)
	case messageTouches:
		if len(msg)%8 != 0 {
			return fmt.Errorf("touches of %d bytes", len(msg))
		}
		ids := make([]wire.SessionID, 0, len(msg)/8)
		for ; len(msg) > 0; msg = msg[8:] {
			ids = append(ids, wire.SessionID(binary.BigEndian.Uint64(msg)))
		}
		s.touch(ids)
		return nil
	case messageFormat:
		return s.heardFormat(from, msg)
	case messageDigest:
		return s.heardDigest(from, msg)
	}
	return fmt.Errorf("unknown kind %d: is that member of a later version?", kind)
}

// leaderTick follows leadership: a new leader gives every session its full
// timeout, one that leads closes those whose time is up.
func (s *Server) leaderTick() {
	l := s.leadership.Load()
	if !l.self {
		s.leadingTerm = 0
		return
	}
	now := s.sessionMillis()
	if s.leadingTerm != l.term {
		s.leadingTerm = l.term
		s.rearm(now)
		s.proposeMembership()
		return
	}
	s.trackerMu.Lock()
	expired := s.tracker.Expired(now)
	s.trackerMu.Unlock()
	for _, x := range expired {
		s.log.Info("session expired", zap.Stringer("session", x.ID))
		s.metrics.SessionsExpired.Inc()
		s.proposeInternal(&apply.Command{Session: x.ID, Op: wire.OpCloseSession, Flags: apply.Expired, Body: apply.AppendExpire(nil, x.Attached)})
	}
}

// rearm starts to track every session of the ensemble from now. No session begins or ends meanwhile, or
// it would be missed, or tracked for ever: the sink takes the two locks in the same order.
func (s *Server) rearm(now int64) {
	s.machine.RLock()
	defer s.machine.RUnlock()
	s.trackerMu.Lock()
	defer s.trackerMu.Unlock()
	s.tracker.Reset()
	for _, f := range s.machine.Sessions().All() {
		s.tracker.Add(f, now)
	}
}

// reapLook bounds the candidates that are looked at in one round, since the
// tree does not change meanwhile; the next round goes on behind them.
const reapLook = 20_000

// reap proposes the removal of containers and TTL nodes whose time has come.
// ZooKeeper: ContainerManager.
func (s *Server) reap() {
	now := s.now()
	if !s.leadership.Load().self || now.Before(s.nextReap) {
		return
	}
	period := time.Duration(s.cfg.ContainerCheckMillis) * time.Millisecond
	s.nextReap = now.Add(period)
	limit := max(1, int(int64(s.cfg.ContainerMaxPerMinute)*int64(s.cfg.ContainerCheckMillis)/60_000))
	s.machine.RLock()
	paths, next, err := s.machine.Tree().Reap(now.UnixMilli(), int64(s.cfg.ContainerMaxNeverUsedMillis), s.reapAfter, limit, reapLook)
	s.machine.RUnlock()
	s.reapAfter = next
	if err != nil {
		s.failed(fmt.Errorf("look for containers and TTL nodes to reap: %w", err))
		return
	}
	for _, p := range paths {
		s.log.Debug("reap", zap.String("path", p))
		s.proposeInternal(&apply.Command{Op: wire.OpDeleteContainer, Body: apply.AppendReap(nil, p, int64(s.cfg.ContainerMaxNeverUsedMillis))})
	}
}

// proposeInternal puts a command of the leader's own into an entry.
func (s *Server) proposeInternal(cmd *apply.Command) {
	s.pipeline.add(0, [][]byte{cmd.AppendTo(nil)})
}
