package server

import (
	"sync"

	"go.uber.org/zap"

	"holt/server/apply"
	"holt/session"
	"holt/wire"
)

// A local session is known to the member that its client came to, and to nobody else
// [localSessionsEnabled]: it costs no write, and is over when the member ends or the client goes
// elsewhere. It owns no ephemeral nodes: the first one makes it a session like any other, if
// LocalSessionsUpgrade, or is refused.
// ZooKeeper: LocalSessionTracker, UpgradeableSessionTracker.

// Sessions of read-only mode are local ones too, whatever LocalSessions says, in a table of their own: those
// of before the mode are unknown in it, and the mode's are unknown afterwards.
// ZooKeeper: ReadOnlyZooKeeperServer.createSessionTracker.

// localSessions are those of this member.
type localSessions struct {
	mu       sync.Mutex // guards what follows; taken before conn.mu and Server.mu, after nothing
	sessions map[wire.SessionID]session.Facts
	tracker  *session.Tracker
}

func newLocalSessions(tickMillis int64) *localSessions {
	return &localSessions{sessions: map[wire.SessionID]session.Facts{}, tracker: session.NewTracker(tickMillis)}
}

func (l *localSessions) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sessions)
}

// touch returns those of ids that are none of the table, and extends the others.
func (l *localSessions) touch(ids []wire.SessionID, now int64) (rest []wire.SessionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sessions) == 0 {
		return ids
	}
	for _, id := range ids {
		if _, ok := l.sessions[id]; ok {
			l.tracker.Touch(id, now)
		} else {
			rest = append(rest, id)
		}
	}
	return rest
}

// expire removes and returns those that were silent for their timeout.
func (l *localSessions) expire(now int64) []session.Expiry {
	l.mu.Lock()
	defer l.mu.Unlock()
	expired := l.tracker.Expired(now)
	for _, x := range expired {
		delete(l.sessions, x.ID)
		l.tracker.Remove(x.ID)
	}
	return expired
}

// forget removes one.
func (l *localSessions) forget(id wire.SessionID) (f session.Facts, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok = l.sessions[id]
	delete(l.sessions, id)
	l.tracker.Remove(id)
	return f, ok
}

// clear removes all.
func (l *localSessions) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sessions) > 0 {
		clear(l.sessions)
		l.tracker.Reset()
	}
}

// openLocal creates a session in l for c, or takes up the one that the request names. false: the
// session is none of l.
func (c *conn) openLocal(l *localSessions, req *wire.ConnectRequest, timeout int32) (connectResult, bool, error) {
	s := c.srv
	now := s.sessionMillis()
	l.mu.Lock()
	defer l.mu.Unlock()
	f := session.Facts{ID: req.SessionID, TimeoutMillis: timeout, Owner: s.cfg.MemberID}
	if req.SessionID == 0 {
		f.ID = s.nextSessionID()
		passwd, err := s.newPasswd(f.ID)
		if err != nil {
			return connectResult{}, true, err
		}
		f.Passwd = passwd
	} else {
		known, ok := l.sessions[f.ID]
		if !ok {
			return connectResult{}, false, nil
		}
		if string(known.Passwd[:]) != string(req.Passwd) {
			return connectResult{Code: wire.ErrSessionExpired}, true, nil
		}
		f.Passwd, f.Attached = known.Passwd, known.Attached
	}
	f.Attached++
	l.sessions[f.ID] = f
	l.tracker.Add(f, now)
	c.timeout.Store(timeout)
	c.session.Store(int64(f.ID))
	s.bind(c)
	return connectResult{Session: f.ID, Timeout: timeout, Passwd: f.Passwd}, true, nil
}

// touchLocal takes the local sessions out of those that were heard of.
func (s *Server) touchLocal(ids []wire.SessionID) (global []wire.SessionID) {
	now := s.sessionMillis()
	return s.locals.touch(s.readOnlys.touch(ids, now), now)
}

// expireLocal ends local sessions that were silent for their timeout.
func (s *Server) expireLocal() {
	now := s.sessionMillis()
	for _, x := range append(s.locals.expire(now), s.readOnlys.expire(now)...) {
		s.log.Info("local session expired", zap.Stringer("session", x.ID))
		s.metrics.SessionsExpired.Inc()
		if c := s.unbind(x.ID); c != nil {
			c.out.closeNow()
		}
	}
}

// closeLocal serves closeSession of a local session: false, since the connection ends.
func (s *Server) closeLocal(c *conn, h wire.RequestHeader) bool {
	s.locals.forget(c.sessionID())
	c.reply(h.Xid, s.machine.LastZxid(), wire.OK, nil)
	c.out.closeAfterFlush()
	return false
}

// upgrade makes a local session one of the ensemble, for the ephemeral node that its next
// request creates; false if that is not permitted. Commands that follow find it created.
// ZooKeeper: QuorumZooKeeperServer.checkUpgradeSession.
func (s *Server) upgrade(c *conn) (bool, error) {
	if !s.cfg.LocalSessionsUpgrade {
		return false, nil
	}
	f, ok := s.locals.forget(c.sessionID())
	if !ok {
		return false, errNotServing // it has expired just now
	}
	var flags apply.Flags
	c.mu.Lock()
	if last := c.fifo.last(); last != nil && last.kind == kindRead {
		flags = apply.AfterRead
	}
	c.mu.Unlock()
	err := s.pipeline.submit(nil, nil, &apply.Command{
		Op: wire.OpCreateSession, Session: f.ID, Flags: flags, Identities: c.ids(), Body: apply.AppendConnect(nil, f.TimeoutMillis, f.Passwd),
	})
	c.local.Store(false)
	return true, err
}

// createsEphemeral reports whether a request creates an ephemeral node, or would.
func createsEphemeral(op wire.OpCode, body []byte) bool {
	d := wire.NewDecoder(body)
	switch op {
	case wire.OpCreate, wire.OpCreate2:
		var r wire.CreateRequest
		r.Decode(d)
		return d.Err() == nil && wire.CreateMode(r.Flags).Ephemeral()
	case wire.OpMulti:
		var r wire.MultiRequest
		r.Decode(d)
		for _, o := range r.Ops {
			if c, ok := o.Record.(*wire.CreateRequest); ok && d.Err() == nil && wire.CreateMode(c.Flags).Ephemeral() {
				return true
			}
		}
	}
	return false
}

// handleLocal deals with what a local session must not do; false: with nothing.
func (c *conn) handleLocal(h wire.RequestHeader, payload []byte) (handled bool, err error) {
	if h.Op != wire.OpCloseSession {
		if !createsEphemeral(h.Op, payload[requestHeaderSize:]) {
			return false, nil
		}
		if ok, err := c.srv.upgrade(c); ok || err != nil {
			return false, err
		}
	}
	// Answered like a read, in its turn.
	if queued, err := c.pushRead(h, payload); queued || err != nil {
		return true, err
	}
	return true, c.answerLocal(h)
}

func (c *conn) answerLocal(h wire.RequestHeader) error {
	if !c.srv.serveRead(c, h, wire.NewDecoder(nil)) {
		c.out.flush()
	}
	return nil
}
