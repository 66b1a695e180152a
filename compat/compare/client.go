package compare

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"holt/wire"
)

// client is one client of a running script: its connection, if it has one, and its session.
type client struct {
	name   string
	conn   net.Conn // nil when closed
	frames *wire.FrameReader
	xid    int32      // of the last request
	await  []expected // replies that have not come, in order
	out    []byte     // to be sent
	ticket ticket     // of its latest session
	login  challenge
}

// writeTimeout bounds sending to a server that does not read.
const writeTimeout = 5 * time.Second

// expected is a reply that is to come.
type expected struct {
	xid  int32
	op   wire.OpCode
	end  bool // its being there is not recorded as a Reply: it ends the turn
	note string
}

// request appends a request to what will be sent.
func (cl *client) request(s *Step, canon *Canon, end bool) {
	xid := s.Xid
	if xid == 0 {
		cl.xid++
		xid = cl.xid
	}
	var mark int
	cl.out, mark = wire.BeginFrame(cl.out)
	cl.out = wire.EndFrame(cl.login.filled(s).appendPayload(cl.out, xid, canon.real), mark)
	if s.Code == wire.OpPing {
		xid = int32(wire.XidPing)
	}
	cl.await = append(cl.await, expected{xid, s.Code, end, ""})
}

// ping appends the ping that ends a turn.
func (cl *client) ping() {
	var mark int
	cl.out, mark = wire.BeginFrame(cl.out)
	cl.out = (&wire.RequestHeader{Xid: wire.XidPing, Op: wire.OpPing}).AppendTo(cl.out)
	cl.out = wire.EndFrame(cl.out, mark)
	cl.await = append(cl.await, expected{int32(wire.XidPing), wire.OpPing, true, ""})
}

// flush sends what is to be sent. An error shows when the answer is read.
func (cl *client) flush() {
	const inline = 32 << 10 // fits into the buffers of the socket whatever the server does
	out := cl.out
	write := func() {
		_ = cl.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, _ = cl.conn.Write(out)
	}
	if len(out) <= inline {
		write()
		cl.out = out[:0]
		return
	}
	// The server may stop reading until its answers are read.
	cl.out = nil
	go write()
}

// close closes the connection from this end.
func (cl *client) close() {
	_ = cl.conn.Close()
	cl.conn, cl.await = nil, nil
}

// batch sends the steps at once, with the ping that ends the turn behind them.
func (r *Run) batch(cl *client, steps Script) {
	cl.out = cl.out[:0]
	for i := range steps {
		cl.request(&steps[i], r.canon, false)
	}
	cl.ping()
	cl.flush()
	r.drain(cl)
}

// single sends one step alone: nothing follows it before it is known whether the server closes
// the connection, because bytes that a server did not read turn its close into a reset, which
// may destroy the answer on its way.
func (r *Run) single(cl *client, s *Step) {
	cl.out = cl.out[:0]
	switch s.Action {
	case ActBytes:
		cl.out = append(cl.out, s.Raw...)
	case ActFrame:
		var mark int
		cl.out, mark = wire.BeginFrame(cl.out)
		cl.out = wire.EndFrame(append(cl.out, s.Raw...), mark)
		if len(s.Raw) >= 8 {
			xid, op := int32(binary.BigEndian.Uint32(s.Raw)), wire.OpCode(binary.BigEndian.Uint32(s.Raw[4:]))
			if op == wire.OpPing {
				xid = int32(wire.XidPing)
			}
			cl.await = append(cl.await, expected{xid, op, false, ""})
		}
	default:
		cl.request(s, r.canon, false)
	}
	cl.flush()
	if len(cl.await) == 0 || r.drain(cl) && cl.conn != nil && r.closes() {
		if r.drainUntilClosed(cl) {
			return
		}
	}
	// Whoever demands a login refuses a ping before it.
	if cl.conn != nil && !cl.login.pending {
		r.sendEnd(cl)
		r.drain(cl)
	}
}

// closes reports whether the last reply is one after which servers close the connection.
func (r *Run) closes() bool {
	f := &r.out[len(r.out)-1]
	if f.Kind != Reply || len(f.Data) < replyHeaderSize {
		return false
	}
	switch code := wire.ErrCode(binary.BigEndian.Uint32(f.Data[12:])); code {
	case wire.ErrAuthFailed, wire.ErrSessionClosedRequireSaslAuth, wire.ErrUnimplemented:
		return true
	default:
		if f.Op == wire.OpCloseSession && code == wire.OK {
			r.sortAt = int64(binary.BigEndian.Uint64(f.Data[4:]))
			r.closed(r.clients[f.Client].ticket.id)
			return true
		}
		return false
	}
}

// drain reads until every reply that cl waits for has come. It returns false if that did not
// happen, which it records.
func (r *Run) drain(cl *client) bool {
	_ = cl.conn.SetReadDeadline(time.Now().Add(r.side.answerTimeout()))
	for len(cl.await) > 0 {
		payload, err := cl.frames.Next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			r.record(Frame{Client: cl.name, Kind: Silent, Op: cl.await[0].op})
			cl.await = cl.await[:0]
			return false
		case err != nil:
			r.record(Frame{Client: cl.name, Kind: Closed})
			cl.close()
			return false
		}
		r.frame(cl, payload)
	}
	return true
}

// drainUntilClosed reads until the server closes the connection, which it records, or a while has
// passed.
func (r *Run) drainUntilClosed(cl *client) bool {
	_ = cl.conn.SetReadDeadline(time.Now().Add(r.side.answerTimeout() / 5))
	for {
		payload, err := cl.frames.Next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false
		case err != nil:
			r.record(Frame{Client: cl.name, Kind: Closed})
			cl.close()
			return true
		}
		r.frame(cl, payload)
	}
}

// frame records one frame of the server.
func (r *Run) frame(cl *client, payload []byte) {
	f := Frame{Client: cl.name, Kind: Stray, Data: r.copyOf(payload)}
	if len(payload) < replyHeaderSize {
		r.record(f)
		return
	}
	xid := int32(binary.BigEndian.Uint32(payload))
	if xid == int32(wire.XidNotification) {
		f.Kind = Event
		r.canon.header(f.Data)
		r.record(f)
		return
	}
	for i, e := range cl.await {
		if e.xid != xid {
			continue
		}
		for _, skipped := range cl.await[:i] {
			r.record(Frame{Client: cl.name, Kind: Missing, Op: skipped.op})
		}
		cl.await = append(cl.await[:0], cl.await[i+1:]...)
		f.Kind, f.Op, f.Note = Reply, e.op, e.note
		if e.end {
			f.Kind = Pong
		}
		break
	}
	switch {
	case f.Kind != Stray:
		if f.Op == wire.OpSASL {
			cl.login.hear(f.Data)
		}
		r.canon.reply(f.Op, f.Data)
	case len(cl.await) > 0 && cl.await[0].op == wire.OpCreateSession:
		// The original answers it with a ConnectResponse, which has no xid.
		f.Kind, cl.await = Connected, cl.await[1:]
		r.canon.connect(f.Data)
	default:
		r.canon.header(f.Data)
	}
	r.record(f)
}

// connect opens a connection for the client of s, in place of one it may have.
func (r *Run) connect(s *Step) error {
	cl := r.clients[s.Client]
	if cl == nil {
		cl = &client{name: s.Client}
		r.clients[s.Client] = cl
		r.names = append(r.names, s.Client)
	}
	if cl.conn != nil {
		cl.close()
	}
	err := r.dial(cl, cmp.Or(s.At, cl.name), s.Via)
	if errors.Is(err, errNoHandshake) {
		r.record(Frame{Client: cl.name, Kind: Refused})
		return nil
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		// Taken and closed, as one too many is, before connect had returned.
		r.record(Frame{Client: cl.name, Kind: Closed})
		return nil
	}
	if err != nil {
		return err
	}
	payload := r.connectPayload(s)
	if s.Connect.cut >= 0 && s.Connect.cut < len(payload) {
		payload = payload[:s.Connect.cut]
	}
	var mark int
	cl.out, mark = wire.BeginFrame(cl.out[:0])
	cl.out = wire.EndFrame(append(cl.out, payload...), mark)
	cl.flush()
	r.handshake(cl)
	return nil
}

func (r *Run) dial(cl *client, member string, v via) error {
	c, err := r.side.open(r.ctx, member, v)
	if err != nil {
		return fmt.Errorf("%s: %w", cl.name, err)
	}
	cl.login = challenge{}
	cl.conn, cl.frames, cl.xid, cl.await = c, wire.NewFrameReader(c, frameMax), 0, cl.await[:0]
	return nil
}

// handshake reads the answer to a ConnectRequest.
func (r *Run) handshake(cl *client) {
	_ = cl.conn.SetReadDeadline(time.Now().Add(r.side.answerTimeout()))
	payload, err := cl.frames.Next()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.record(Frame{Client: cl.name, Kind: Silent})
	case isAlert(err):
		r.record(Frame{Client: cl.name, Kind: Refused})
		cl.close()
	case err != nil:
		r.record(Frame{Client: cl.name, Kind: Closed})
		cl.close()
	default:
		var resp wire.ConnectResponse
		resp.Decode(wire.NewDecoder(payload))
		if resp.TimeoutMillis > 0 {
			cl.ticket = ticket{int64(resp.SessionID), append([]byte(nil), resp.Passwd...)}
			r.opened(cl.ticket)
		}
		f := Frame{Client: cl.name, Kind: Connected, Data: r.copyOf(payload)}
		r.canon.connect(f.Data)
		r.record(f)
		if resp.TimeoutMillis <= 0 {
			r.drainUntilClosed(cl)
		}
	}
}

// connectPayload returns the ConnectRequest of s.
func (r *Run) connectPayload(s *Step) []byte {
	a := &s.Connect
	req := wire.ConnectRequest{
		LastZxidSeen: wire.Zxid(r.canon.real(a.zxid)), TimeoutMillis: a.timeout, SessionID: wire.SessionID(a.id),
		Passwd: make([]byte, wire.PasswdSize), ReadOnly: a.readOnly, HasReadOnly: !a.old,
	}
	if a.session != "" {
		if of := r.clients[a.session]; of != nil {
			req.SessionID, req.Passwd = wire.SessionID(of.ticket.id), of.ticket.passwd
		}
	}
	switch a.passwd {
	case "wrong":
		req.Passwd = []byte("not the password")
	case "null":
		req.Passwd = nil
	case "short":
		req.Passwd = req.Passwd[:min(len(req.Passwd), 7)]
	}
	return req.AppendTo(nil)
}
