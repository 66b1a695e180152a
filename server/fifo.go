package server

import (
	"bytes"
	"net"

	"holt/server/apply"
	"holt/wire"
)

// A session's requests take effect in the order they were sent. While nothing
// of a connection is on its way, reads are answered by the reader goroutine.
// Once a write is, everything behind it joins the connection's fifo:
//
//	reader ──push──▶ [write 7][read][read][write 8][sync][write 9 held] ──pop──▶ apply goroutine
//	                    │                    │          │
//	                 committed?       never in the   submitted when
//	                                  entry of 7     the sync is done
//
// Writes are submitted as soon as they arrive, also behind reads that still
// wait, so that a pipelining client is not slowed to one write per commit. The
// reads between two writes must not see the second: that is why a write behind
// a waiting read carries apply.AfterRead, which keeps it out of the Raft entry
// of the session's earlier writes, and why the apply goroutine answers the reads
// at the head of a fifo before it applies the next entry.

// pushRead queues a request that has to wait for the session's earlier ones.
// It returns false if all of them were answered meanwhile: the caller then
// answers this one itself, as the apply goroutine looks at a fifo only when it
// has completed something in it.
func (c *conn) pushRead(h wire.RequestHeader, payload []byte) (queued bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.waitRoomLocked(); err != nil {
		return false, err
	}
	if c.fifo.len() == 0 {
		return false, nil
	}
	c.pushLocked(&request{kind: kindRead, op: h.Op, xid: h.Xid, payload: bytes.Clone(payload), arrived: c.arrived})
	return true, nil
}

// refuse answers a request with an error, in its turn: clients take replies in another order than that of
// their requests for the end of the connection.
func (c *conn) refuse(h wire.RequestHeader, code wire.ErrCode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.waitRoomLocked(); err != nil {
		return err
	}
	if c.fifo.len() > 0 {
		c.pushLocked(&request{kind: kindRead, op: h.Op, xid: h.Xid, refused: code, arrived: c.arrived})
		return nil
	}
	c.replyAside(h.Xid, c.srv.machine.LastZxid(), code, nil)
	return nil
}

// pushWrite submits a command, or holds it while a barrier is in front of it.
func (c *conn) pushWrite(h wire.RequestHeader, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.waitRoomLocked(); err != nil {
		return err
	}
	r := &request{kind: kindWrite, op: h.Op, xid: h.Xid, arrived: c.arrived}
	if t := c.srv.cfg.LargeRequestThreshold; t > 0 && len(payload) > t {
		r.large = len(payload)
		c.srv.largeBytes.Add(int64(r.large))
	}
	if last := c.fifo.last(); last != nil && last.kind == kindRead {
		r.flags = apply.AfterRead
	}
	if h.Op == wire.OpReconfig {
		r.flags |= apply.Admit
	}
	if c.barrier > 0 {
		r.kind, r.payload = kindHeld, bytes.Clone(payload)
		c.pushLocked(r)
		return nil
	}
	c.pushLocked(r)
	return c.submitLocked(r, payload[requestHeaderSize:])
}

const requestHeaderSize = 8

func (c *conn) submitLocked(r *request, body []byte) error {
	if c.local.Load() {
		r.flags |= apply.Local
	}
	return c.srv.pipeline.submit(c, r, &apply.Command{
		Session:    c.sessionID(),
		Xid:        r.xid,
		Op:         r.op,
		Flags:      r.flags | c.srv.commandFlags,
		Identities: c.ids(),
		Body:       body,
	})
}

// pushBarrier queues a sync: a read barrier through the leader, after which
// this member's state includes every write acknowledged before.
func (c *conn) pushBarrier(h wire.RequestHeader, payload []byte) error {
	c.mu.Lock()
	if err := c.waitRoomLocked(); err != nil {
		c.mu.Unlock()
		return err
	}
	r := &request{kind: kindBarrier, op: h.Op, xid: h.Xid, payload: bytes.Clone(payload), arrived: c.arrived}
	c.pushLocked(r)
	c.barrier++
	c.mu.Unlock()
	c.srv.peers.ReadBarrier(func(err error) {
		if err != nil {
			c.out.closeNow() // the member is stopping
			return
		}
		c.mu.Lock()
		r.done = true
		c.mu.Unlock()
		c.srv.advanceConn(c)
		c.srv.answers.end()
		c.srv.flushDirty()
	})
	return nil
}

func (c *conn) pushLocked(r *request) {
	c.srv.waiting.Add(1)
	c.fifo.push(r)
	c.queued.Store(int32(c.fifo.len()))
}

// waitRoomLocked blocks the reader, and with it the client, while too much is
// on its way: of this connection, or of all together while it has a part in that.
func (c *conn) waitRoomLocked() error {
	for !c.ended && (c.fifo.len() >= connOutstandingMax || c.fifo.len() > 0 && c.srv.inProgress() > c.srv.outstandingMax) {
		c.stall(true)
		c.room.Wait()
		c.stall(false)
		c.arrived = c.srv.uptime() // what is behind it in memory may as well come now
	}
	if c.ended {
		return net.ErrClosed
	}
	return nil
}

// stall notes that the reader begins or ends to wait for this server. Meanwhile the session counts as
// heard of, and at the end it is once more, until what was sent is read.
func (c *conn) stall(begins bool) {
	c.touched.Store(true)
	c.stalled.Store(begins)
}

// completeWrite answers the write at the head of the fifo. Called by the apply
// goroutine under the machine's write lock, in the order of submission.
func (c *conn) completeWrite(r *request, res *apply.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.fifo.first() != r {
		return // the connection ended and its fifo with it
	}
	if r.result != nil {
		c.connectedLocked(r, res)
		return
	}
	if res.Drop {
		c.out.closeNow()
		return
	}
	c.reply(r.xid, res.Zxid, res.Err, res.Body)
	c.srv.answers.add(c, r)
	if r.op == wire.OpCloseSession {
		c.out.closeAfterFlush()
	}
	c.popLocked()
	c.srv.markDirty(c)
	if next := c.fifo.first(); next != nil && next.kind != kindWrite {
		c.srv.markAdvance(c)
	}
}

func (c *conn) popLocked() {
	c.srv.waiting.Add(-1)
	if large := c.fifo.first().large; large > 0 {
		c.srv.largeBytes.Add(-int64(large))
	}
	c.fifo.pop()
	c.queued.Store(int32(c.fifo.len()))
	c.room.Signal()
}

// fifo is the queue itself. It gives its space back when it is empty and was
// large.
type fifo struct {
	items []*request
	head  int
}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(r *request) { f.items = append(f.items, r) }

// first returns the oldest request, nil if there is none.
func (f *fifo) first() *request {
	if f.len() == 0 {
		return nil
	}
	return f.items[f.head]
}

// last returns the newest request, nil if there is none.
func (f *fifo) last() *request {
	if f.len() == 0 {
		return nil
	}
	return f.items[len(f.items)-1]
}

func (f *fifo) pop() {
	f.items[f.head] = nil
	f.head++
	switch {
	case f.head < len(f.items):
	case cap(f.items) > 64:
		*f = fifo{}
	default:
		f.items, f.head = f.items[:0], 0
	}
}

// all returns the requests, oldest first, valid until the next push or pop.
func (f *fifo) all() []*request { return f.items[f.head:] }

// advanceConn answers the reads and finished barriers at the head of the fifo
// and submits the writes they held. Called by the apply goroutine between two
// entries; no other goroutine pops.
func (s *Server) advanceConn(c *conn) {
	for {
		c.mu.Lock()
		r := c.fifo.first()
		if c.ended || r == nil {
			c.mu.Unlock()
			return
		}
		if r.kind == kindWrite || r.kind == kindConnect || r.kind == kindBarrier && !r.done {
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		s.takeHead(c, r)
	}
}

// takeHead answers the head of the fifo and takes it off.
func (s *Server) takeHead(c *conn, r *request) {
	// Popped only after the answer is in the output, since the reader
	// serves inline as soon as it finds the fifo empty.
	s.answerHead(c, r)
	c.mu.Lock()
	ended := c.ended
	if !ended {
		c.finishHeadLocked(r)
	}
	c.mu.Unlock()
	if ended {
		s.watches.RemoveAll(c) // the reader may have done so before the answer set one
	}
	s.markDirty(c)
}

func (s *Server) answerHead(c *conn, r *request) {
	if r.refused != wire.OK {
		c.replyAside(r.xid, s.machine.LastZxid(), r.refused, nil)
		return
	}
	d := wire.NewDecoder(r.payload)
	var h wire.RequestHeader
	h.Decode(d)
	if !s.serveRead(c, h, d) {
		s.markDirty(c) // flushed, and with that closed
	}
	s.answers.add(c, r)
}

// finishHeadLocked takes an answered request off the fifo; behind a barrier the
// held writes up to the next one are submitted.
func (c *conn) finishHeadLocked(r *request) {
	c.popLocked()
	if r.kind != kindBarrier {
		return
	}
	c.barrier--
	for _, q := range c.fifo.all() {
		switch q.kind {
		case kindBarrier:
			return
		case kindHeld:
			q.kind = kindWrite
			if err := c.submitLocked(q, q.payload[requestHeaderSize:]); err != nil {
				c.out.closeNow()
				return
			}
			q.payload = nil
		}
	}
}

// connectedLocked hands the outcome of the handshake to the reader. The session
// is bound here and not by the reader, so that its close or move, which may come
// with the very next command, finds the connection.
func (c *conn) connectedLocked(r *request, res *apply.Result) {
	c.popLocked()
	f := &res.Facts
	if res.Err == wire.OK {
		c.timeout.Store(f.TimeoutMillis)
		c.touched.Store(true)
		c.session.Store(int64(f.ID))
		c.srv.bind(c)
	}
	r.result <- connectResult{Code: res.Err, Session: f.ID, Timeout: f.TimeoutMillis, Passwd: f.Passwd}
}
