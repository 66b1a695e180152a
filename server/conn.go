package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"holt/server/apply"
	"holt/server/auth"
	"holt/server/secure"
	"holt/server/watch"
	"holt/wire"
)

// connOutstandingMax bounds the requests of one connection that wait for a
// commit or behind one. A connection that reaches it is not read until replies
// have drained; the client's own window is normally far smaller.
const connOutstandingMax = 1024

var (
	errLargeRequests = errors.New("too many bytes of large requests in progress")
	errIdentities    = errors.New("the connection has too many identities")
	errOtherEnsemble = errors.New("the client looks for another ensemble")
)

// conn is one client connection. Its reader goroutine (serve) owns the socket's
// input, the handshake and the reads that need not wait; the apply goroutine
// owns what was committed: replies to writes, the reads behind them, events.
//
// Lock order: conn.mu before pipeline.mu; Machine's lock before conn.mu; output.mu
// last. The reader never takes Machine's lock while holding conn.mu.
type conn struct {
	srv     *Server
	nc      net.Conn // the reader's; with TLS replaced before the first request
	port    portKind
	subject string // of the client's certificate, "" without one; the reader's
	remote  string // address text as operators see it
	host    string // its IP, the identity of the ip scheme
	frames  *wire.FrameReader
	out     output
	decoder wire.Decoder // the reader's, reused

	// identities is replaced, never changed, by auth packets; commands and
	// event filters take it as they find it.
	identities atomic.Pointer[[]wire.Identity]
	session    atomic.Int64 // 0 until the handshake ended
	timeout    atomic.Int32 // negotiated, ms
	touched    atomic.Bool  // something arrived, or was taken, since the last report
	stalled    atomic.Bool  // the reader waits for the server: nobody sees what the client sends
	secured    atomic.Bool  // by TLS
	local      atomic.Bool  // the session is known here alone, see localSessions
	// arrived is when the requests did that the reader has in hand, since the
	// server's start. The reader's own.
	arrived  time.Duration
	readOnly bool      // served in read-only mode; set by the handshake, under Server.mu
	asked    bool      // for a session of the ensemble; set by the handshake, under Server.mu
	login    saslLogin // the reader's own

	queued  atomic.Int32 // length of fifo, readable without mu
	mu      sync.Mutex
	room    sync.Cond // signalled when fifo shrinks or the connection ends
	fifo    fifo
	ended   bool
	gone    chan struct{} // closed when ended, for the handshake that waits
	barrier int           // barriers in fifo; writes behind one are not submitted yet

	// Of the apply goroutine alone.
	dirty   bool // in Server.dirty
	advance bool // in Server.advance

	established time.Time
	word        atomic.Bool // a four-letter word, after which nothing is read
}

// request is one that could not be answered at once: a write on its way, or
// whatever a client sent behind it.
type request struct {
	kind    requestKind
	op      wire.OpCode
	xid     wire.Xid
	refused wire.ErrCode       // read: the whole answer, unless it is OK
	payload []byte             // read: a copy of the frame; held write: likewise
	large   int                // bytes counted in Server.largeBytes
	done    bool               // barrier: the state machine has caught up
	flags   apply.Flags        // write
	arrived time.Duration      // since the server's start
	result  chan connectResult // connect: where the reader waits
}

type requestKind uint8

const (
	kindRead    requestKind = iota // answered when it is first
	kindWrite                      // submitted, waits for its result
	kindHeld                       // a write behind a barrier, not submitted yet
	kindBarrier                    // sync
	kindConnect                    // createSession or attach
)

func newConn(s *Server, nc net.Conn, port portKind) *conn {
	c := &conn{srv: s, nc: nc, port: port, remote: nc.RemoteAddr().String()}
	c.host = c.remote
	if host, _, err := net.SplitHostPort(c.remote); err == nil {
		c.host = host
	}
	c.frames = wire.NewFrameReader(nc, s.cfg.MaxFrame)
	c.out.init(nc, &s.buffers, s.metrics)
	c.room.L = &c.mu
	c.gone = make(chan struct{})
	ids := []wire.Identity{{Scheme: "ip", ID: c.host}}
	c.identities.Store(&ids)
	c.established = time.Now()
	return c
}

func (c *conn) ids() []wire.Identity { return *c.identities.Load() }

func (c *conn) sessionID() wire.SessionID { return wire.SessionID(c.session.Load()) }

// serve runs the connection to its end.
func (c *conn) serve() {
	defer c.end()
	// A connection that does not introduce itself must not stay.
	c.setHandshakeDeadline()
	first, err := c.frames.Peek4()
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.srv.metrics.SessionlessExpired.Inc()
		}
		return
	}
	if c.port != portPlain || secure.Hello(first) {
		if first, err = c.secure(first); err != nil {
			c.logEnd(err)
			return
		}
	}
	if c.srv.fourLetterWord(c, first) {
		return
	}
	ok, err := c.handshake()
	if err != nil || !ok {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.srv.metrics.SessionlessExpired.Inc()
		}
		c.logEnd(err)
		c.out.closeAfterFlush()
		c.out.flush()
		return
	}
	c.logEnd(c.readLoop())
}

func (c *conn) setHandshakeDeadline() {
	if d := c.srv.cfg.HandshakeTimeoutMillis; d > 0 {
		if err := c.nc.SetReadDeadline(time.Now().Add(time.Duration(d) * time.Millisecond)); err != nil {
			c.srv.log.Debug("set handshake deadline", zap.String("remote", c.remote), zap.Error(err))
		}
	}
}

func (c *conn) logEnd(err error) {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return
	}
	c.srv.log.Debug("connection ended", zap.String("remote", c.remote),
		zap.Stringer("session", c.sessionID()), zap.Error(err))
}

// readLoop takes requests until the socket ends. Replies to what arrived
// together leave together: the output is flushed when no complete further
// request is in memory.
func (c *conn) readLoop() error {
	b := batch{c: c}
	for {
		payload, err := c.frames.Next()
		if err != nil {
			c.out.flushBatch(&b, nil)
			c.srv.metrics.ConnectionsDropped.Inc() // by the client, or for it
			return err
		}
		b.begin(len(payload))
		more, err := c.handle(payload, &b)
		if err != nil || !more {
			c.out.flushBatch(&b, nil)
			return err
		}
		if !c.frames.Buffered() {
			c.out.flushBatch(&b, &c.touched)
		} else if c.out.full.Load() {
			c.out.flushHearing(&c.touched)
		}
		if c.out.full.Load() {
			c.out.waitDrained(&c.touched)
		}
	}
}

// handle takes one request. It returns false when the connection is to end
// after what was already queued for it.
func (c *conn) handle(payload []byte, b *batch) (bool, error) {
	d := &c.decoder
	d.Reset(payload)
	var h wire.RequestHeader
	h.Decode(d)
	if d.Err() != nil {
		return false, d.Err()
	}
	if !c.touched.Load() {
		c.touched.Store(true)
	}
	b.header(h)
	switch {
	case h.Op == wire.OpAuth:
		return c.handleAuth(h, d)
	case h.Op == wire.OpSASL:
		return c.handleSASL(h, d)
	case !c.srv.authEnforced(c, h):
		return false, nil
	case c.readOnly && h.Op == wire.OpCloseSession:
		// The session is known to nobody else, and there is no leader to close it.
		c.srv.readOnlys.forget(c.sessionID())
		c.replyAside(h.Xid, c.srv.machine.LastZxid(), wire.OK, nil)
		return false, nil
	case c.srv.readOnlyRefuses(c, h.Op):
		c.replyAside(h.Xid, c.srv.machine.LastZxid(), wire.ErrNotReadOnly, nil)
		return true, nil
	case c.srv.tooLarge(len(payload)):
		return false, errLargeRequests
	case !c.throttle(h):
		return true, c.refuse(h, wire.ErrThrottledOp)
	case h.Op == wire.OpSync:
		return true, c.pushBarrier(h, payload)
	case isCommand(h.Op):
		if c.local.Load() {
			if done, err := c.handleLocal(h, payload); done || err != nil {
				return true, err
			}
		}
		return true, c.pushWrite(h, payload)
	case c.queued.Load() > 0:
		if queued, err := c.pushRead(h, payload); queued || err != nil {
			return true, err
		}
	}
	b.count(h.Op)
	return c.srv.serveRead(c, h, d), nil
}

// handleAuth adds the identities of an auth packet, at once and for all later
// requests. ZooKeeper: ZooKeeperServer.processPacket.
func (c *conn) handleAuth(h wire.RequestHeader, d *wire.Decoder) (bool, error) {
	var p wire.AuthPacket
	p.Decode(d)
	if d.Err() != nil {
		return false, d.Err() // without a reply, as the original
	}
	ids, code := c.authenticate(&p)
	if code == wire.ErrBadArguments {
		return false, errOtherEnsemble
	}
	cause, remedy := "", ""
	if code != wire.OK {
		cause, remedy = c.srv.auth.Refusal(p.Scheme)
	} else if !c.addIdentities(ids) {
		code, cause, remedy = wire.ErrAuthFailed, errIdentities.Error(), "have it log in once and not with each request"
	}
	c.replyAside(h.Xid, 0, code, nil)
	if code == wire.OK {
		return true, nil
	}
	c.srv.metrics.AuthFailed.Inc()
	c.srv.security.complaints.Tell("login failed", c.nc.RemoteAddr(), cause, remedy)
	c.srv.auditLogin(c, p.Scheme, cause)
	c.out.closeAfterFlush()
	c.out.flush()
	return false, nil
}

func (c *conn) authenticate(p *wire.AuthPacket) ([]wire.Identity, wire.ErrCode) {
	if p.Scheme == "x509" {
		return c.srv.auth.Certificate(c.subject)
	}
	return c.srv.auth.Authenticate(p.Scheme, p.Auth)
}

// addIdentities reports false if the connection would have too many.
func (c *conn) addIdentities(ids []wire.Identity) bool {
	all, ok := auth.Merge(c.ids(), ids)
	c.identities.Store(&all)
	return ok
}

// reply queues a reply that carries no record, or an encoded one. It is counted by
// batch or answers.
func (c *conn) reply(xid wire.Xid, zxid wire.Zxid, code wire.ErrCode, body []byte) {
	c.out.reply(func(b []byte) []byte { return appendReply(b, xid, zxid, code, body) })
}

// replyAside is reply for what is measured by nobody else.
func (c *conn) replyAside(xid wire.Xid, zxid wire.Zxid, code wire.ErrCode, body []byte) {
	c.out.replyAside(func(b []byte) []byte { return appendReply(b, xid, zxid, code, body) })
}

func appendReply(b []byte, xid wire.Xid, zxid wire.Zxid, code wire.ErrCode, body []byte) []byte {
	b, mark := wire.BeginFrame(b)
	b = (&wire.ReplyHeader{Xid: xid, Zxid: zxid, Err: code}).AppendTo(b)
	b = append(b, body...)
	return wire.EndFrame(b, mark)
}

// Notify queues a watch event, unless the connection may not read the node that
// it tells of (CVE-2024-23944). Called by the watch table in the order of
// zxids, under the machine's write lock.
func (c *conn) Notify(e *watch.Event) {
	if !c.srv.cfg.SkipACL && !c.srv.commandFlags.Schemes().AllowedBy(e.ACL, wire.PermRead, c.ids()) {
		return
	}
	c.out.event(func(b []byte) []byte { return appendEvent(b, e) })
	if e.Zxid > 0 {
		c.srv.markDirty(c)
	}
}

func appendEvent(b []byte, e *watch.Event) []byte {
	b, mark := wire.BeginFrame(b)
	b = (&wire.ReplyHeader{Xid: wire.XidNotification, Zxid: e.Zxid}).AppendTo(b)
	b = (&wire.WatcherEvent{Type: e.Type, State: wire.StateSyncConnected, Path: e.Path}).AppendTo(b)
	return wire.EndFrame(b, mark)
}

// end releases what the connection holds. Commands already submitted go on
// without it.
func (c *conn) end() {
	c.out.flush()
	c.out.waitClosed()
	c.out.closeNow()
	c.stop()
	c.srv.watches.RemoveAll(c)
	c.srv.forget(c)
}

// stop takes the connection out of the way of the apply goroutine and wakes a
// reader that waits for something other than its socket.
func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	close(c.gone)
	for _, r := range c.fifo.all() {
		c.srv.waiting.Add(-1)
		c.srv.largeBytes.Add(-int64(r.large))
	}
	c.fifo = fifo{}
	c.queued.Store(0)
	c.room.Broadcast()
}
