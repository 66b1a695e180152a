package server

import (
	"crypto/rand"
	"errors"
	"time"

	"go.uber.org/zap"

	"holt/server/apply"
	"holt/session"
	"holt/wire"
)

var errConnTokens = errors.New("more connect requests than connection_throttle_tokens")

// connectResult is what the apply goroutine tells the reader that waits for its
// session.
type connectResult struct {
	Code    wire.ErrCode
	Session wire.SessionID
	Timeout int32
	Passwd  [16]byte
}

// handshake reads the ConnectRequest and answers it. It returns false when the
// connection is to be closed after what was queued.
// ZooKeeper: ZooKeeperServer.processConnectRequest.
func (c *conn) handshake() (bool, error) {
	payload, err := c.frames.Next()
	if err != nil {
		return false, err
	}
	var req wire.ConnectRequest
	d := wire.NewDecoder(payload)
	req.Decode(d)
	if d.Err() != nil {
		return false, d.Err()
	}
	s := c.srv
	s.metrics.ConnectRequests.Inc()
	if !s.connTokens.take(s.now()) {
		s.metrics.ConnectionsRejected.Inc()
		return false, errConnTokens
	}
	c.out.change(func(f *figures) { f.received++ })
	if s.readOnlyNow() {
		return c.handshakeReadOnly(&req)
	}
	s.mu.Lock()
	c.asked = true
	s.mu.Unlock()
	if err := c.awaitServing(); err != nil {
		return false, err
	}
	if last := s.machine.LastZxid(); req.LastZxidSeen > last {
		// It has seen a newer state: another member can serve it, this one
		// would take it back in time.
		s.log.Info("client is ahead of this member", zap.String("remote", c.remote),
			zap.Stringer("zxid", last), zap.Stringer("seen", req.LastZxidSeen))
		return false, nil
	}
	timeout := min(max(req.TimeoutMillis, int32(s.cfg.MinSessionTimeoutMillis)), int32(s.cfg.MaxSessionTimeoutMillis))
	res, err := c.openSession(&req, timeout)
	if err != nil {
		return false, err
	}
	if res.Code != wire.OK {
		c.answerConnect(&req, connectResult{})
		return false, nil // zeros: the session is no more
	}
	c.answerConnect(&req, res)
	c.out.flush()
	return true, nil
}

// awaitServing lets a client that comes while the member is starting wait for a
// while instead of having it come back again and again.
func (c *conn) awaitServing() error {
	s := c.srv
	select {
	case <-s.ready:
	default:
		limit := time.NewTimer(time.Duration(s.cfg.TickMillis) * time.Millisecond)
		defer limit.Stop()
		select {
		case <-s.ready:
		case <-limit.C:
			return errNotServing
		case <-s.stop:
			return errPipelineClosed
		case <-c.gone:
			return errNotServing
		}
	}
	if !s.serving() {
		return errNotServing
	}
	return nil
}

// openSession has the session created or, for a client that names one, attached
// to this member, and waits for the result. Nothing more is read from the
// connection meanwhile.
func (c *conn) openSession(req *wire.ConnectRequest, timeout int32) (connectResult, error) {
	if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
		return connectResult{}, err
	}
	if c.srv.cfg.LocalSessions {
		if res, ok, err := c.openLocal(c.srv.locals, req, timeout); ok || err != nil {
			c.local.Store(err == nil && res.Code == wire.OK)
			return res, err
		}
	}
	cmd := &apply.Command{Identities: c.ids()}
	if req.SessionID == 0 {
		cmd.Op, cmd.Session = wire.OpCreateSession, c.srv.nextSessionID()
		passwd, err := c.srv.newPasswd(cmd.Session)
		if err != nil {
			return connectResult{}, err
		}
		cmd.Body = apply.AppendConnect(nil, timeout, passwd)
	} else {
		var passwd [16]byte
		if copy(passwd[:], req.Passwd) != len(passwd) || len(req.Passwd) != len(passwd) {
			return connectResult{Code: wire.ErrSessionExpired}, nil
		}
		c.srv.metrics.Revalidations.Inc()
		cmd.Op, cmd.Session = apply.OpAttach, req.SessionID
		cmd.Body = apply.AppendConnect(nil, timeout, passwd)
	}
	r := &request{kind: kindConnect, op: cmd.Op, arrived: c.srv.uptime(), result: make(chan connectResult, 1)}
	c.mu.Lock()
	if c.ended { // by the server, just now: nobody would take the request off
		c.mu.Unlock()
		return connectResult{}, errNotServing
	}
	c.pushLocked(r)
	err := c.srv.pipeline.submit(c, r, cmd)
	c.mu.Unlock()
	if err != nil {
		return connectResult{}, err
	}
	select {
	case res := <-r.result:
		return res, nil
	case <-c.srv.stop:
		return connectResult{}, errPipelineClosed
	case <-c.gone:
		return connectResult{}, errNotServing
	}
}

// newPasswd is the password of a new session.
func (s *Server) newPasswd(id wire.SessionID) (passwd [wire.PasswdSize]byte, err error) {
	if s.cfg.ZooKeeperPasswords {
		return session.ZooKeeperPasswd(id), nil
	}
	_, err = rand.Read(passwd[:])
	return passwd, err
}

// answerConnect queues the ConnectResponse; the zero result says that the
// session is no more. The read-only flag is mirrored: clients before 3.4 do not
// know it.
func (c *conn) answerConnect(req *wire.ConnectRequest, res connectResult) {
	resp := wire.ConnectResponse{TimeoutMillis: res.Timeout, SessionID: res.Session, Passwd: res.Passwd[:],
		ReadOnly: c.readOnly, HasReadOnly: req.HasReadOnly}
	c.out.append(func(b []byte) []byte {
		b, mark := wire.BeginFrame(b)
		b = resp.AppendTo(b)
		return wire.EndFrame(b, mark)
	})
	last := c.srv.machine.LastZxid()
	c.out.change(func(f *figures) {
		f.sent++
		f.connected(last)
	})
}

// handshakeReadOnly serves a client that accepts a member without a leader. Its
// session is known here alone, while the mode lasts, and has no effect but an identity.
// ZooKeeper: ReadOnlyZooKeeperServer.
func (c *conn) handshakeReadOnly(req *wire.ConnectRequest) (bool, error) {
	s := c.srv
	if !req.ReadOnly || !req.HasReadOnly || req.LastZxidSeen > s.machine.LastZxid() {
		return false, nil
	}
	if req.SessionID != 0 && s.sessionKnown(req.SessionID) {
		return false, nil // a session of the ensemble must not be used here
	}
	s.mu.Lock()
	c.readOnly = true
	s.mu.Unlock()
	timeout := min(max(req.TimeoutMillis, int32(s.cfg.MinSessionTimeoutMillis)), int32(s.cfg.MaxSessionTimeoutMillis))
	res, ok, err := c.openLocal(s.readOnlys, req, timeout)
	if err != nil {
		return false, err
	}
	if !ok || res.Code != wire.OK {
		c.answerConnect(req, connectResult{}) // zeros: the session is no more
		return false, nil
	}
	c.answerConnect(req, res)
	c.out.flush()
	return true, c.nc.SetReadDeadline(time.Time{})
}
