package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"holt/wire"
)

// Times of a Client.
const (
	dialTimeout      = time.Second
	handshakeTimeout = 5 * time.Second  // a member without a leader may let a client wait
	replyTimeout     = 20 * time.Second // after which a connection is given up
	reconnectPause   = 20 * time.Millisecond
)

// errExpired is a member's refusal to take up a session again.
var errExpired = errors.New("session expired")

// Client does Ops at an ensemble and has them recorded. It keeps one session for as long as the
// ensemble lets it, moving to another member when its connection breaks, and opens a new one
// when the session has expired.
type Client struct {
	id      int
	rec     *Recorder
	addrs   []string
	timeout time.Duration // asked for
	rng     *rand.Rand

	conn       net.Conn // nil while not connected
	frames     *wire.FrameReader
	connection int // number of the present one
	xid        wire.Xid
	session    Session // ID 0 while there is none
	passwd     []byte
	lastZxid   wire.Zxid
	contact    time.Duration // when the last request was sent that was answered
}

// NewClient returns a client, not connected, that takes the members of addrs in random order,
// the first of them first.
func NewClient(rec *Recorder, id int, timeout time.Duration, addrs ...string) *Client {
	return &Client{id: id, rec: rec, addrs: addrs, timeout: timeout, rng: rand.New(rand.NewPCG(uint64(id), 0))}
}

// Do sends the Ops together and reads their replies, after connecting if need be, which goes on
// until ctx ends. When the connection breaks, the Ops without a reply stay unknown and Do
// returns the reason; the next Do connects again. Data and paths of the Ops are the caller's; Do
// fills in the rest.
func (c *Client) Do(ctx context.Context, ops ...*Op) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	var b []byte
	first := c.xid + 1
	for _, o := range ops {
		o.Client, o.Session, o.Connection = c.id, c.session.ID, c.connection
		c.xid++
		b = appendRequest(b, c.xid, o)
		o.Invoked = c.rec.now()
		c.rec.sent(o)
	}
	err := c.exchange(b, func(h wire.ReplyHeader, d *wire.Decoder) (done bool, err error) {
		o := ops[h.Xid-first]
		if err := o.reply(h, d); err != nil {
			return false, err
		}
		o.Returned = c.rec.now()
		c.contact = max(c.contact, o.Invoked)
		return h.Xid == c.xid, nil
	})
	if err != nil {
		c.drop()
	}
	return err
}

// exchange writes requests and hands the replies to take, until it says that it has all.
func (c *Client) exchange(b []byte, take func(wire.ReplyHeader, *wire.Decoder) (done bool, err error)) error {
	if _, err := c.conn.Write(b); err != nil {
		return err
	}
	deadline := time.Now().Add(replyTimeout)
	for {
		payload, err := c.next(deadline)
		if err != nil {
			return err
		}
		d := wire.NewDecoder(payload)
		var h wire.ReplyHeader
		if h.Decode(d); d.Err() != nil {
			return d.Err()
		}
		if h.Xid < 0 {
			continue // the answer to a ping
		}
		c.lastZxid = max(c.lastZxid, h.Zxid)
		if done, err := take(h, d); done || err != nil {
			return err
		}
	}
}

// next reads a frame, sending pings while it waits.
func (c *Client) next(deadline time.Time) ([]byte, error) {
	for {
		until := time.Now().Add(c.session.Timeout / 3)
		if until.After(deadline) {
			until = deadline
		}
		if err := c.conn.SetReadDeadline(until); err != nil {
			return nil, err
		}
		payload, err := c.frames.Next()
		if !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(deadline) {
			return payload, err
		}
		if _, err := c.conn.Write(ping()); err != nil {
			return nil, err
		}
	}
}

func ping() []byte {
	b, mark := wire.BeginFrame(nil)
	return wire.EndFrame((&wire.RequestHeader{Xid: wire.XidPing, Op: wire.OpPing}).AppendTo(b), mark)
}

// connect makes sure there is a connection with a session.
func (c *Client) connect(ctx context.Context) error {
	for i := 0; c.conn == nil; i++ {
		if i > 0 || c.connection > 0 {
			i := c.rng.IntN(len(c.addrs))
			c.addrs[0], c.addrs[i] = c.addrs[i], c.addrs[0]
		}
		err := c.connectTo(ctx, c.addrs[0])
		switch {
		case errors.Is(err, errExpired):
			c.rec.expire(Expiry{c.session.ID, c.session.Timeout, c.contact, c.rec.now()})
			c.session, c.passwd = Session{}, nil
		case err != nil:
			select {
			case <-ctx.Done():
				return fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
			case <-time.After(reconnectPause):
			}
		}
	}
	return nil
}

func (c *Client) connectTo(ctx context.Context, addr string) error {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return err
	}
	frames := wire.NewFrameReader(conn, 64<<20)
	began := c.rec.now()
	response, err := c.handshake(conn, frames)
	if err != nil {
		conn.Close()
		return err
	}
	c.conn, c.frames, c.xid = conn, frames, 0
	c.connection++
	c.session = Session{ID: response.SessionID, Timeout: time.Duration(response.TimeoutMillis) * time.Millisecond}
	c.passwd = append([]byte(nil), response.Passwd...)
	c.contact = max(c.contact, began)
	c.rec.session(c.session)
	return nil
}

func (c *Client) handshake(conn net.Conn, frames *wire.FrameReader) (*wire.ConnectResponse, error) {
	passwd := c.passwd
	if passwd == nil {
		passwd = make([]byte, wire.PasswdSize)
	}
	request := wire.ConnectRequest{
		LastZxidSeen: c.lastZxid, TimeoutMillis: int32(c.timeout.Milliseconds()),
		SessionID: c.session.ID, Passwd: passwd, HasReadOnly: true,
	}
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, err
	}
	b, mark := wire.BeginFrame(nil)
	if _, err := conn.Write(wire.EndFrame(request.AppendTo(b), mark)); err != nil {
		return nil, err
	}
	payload, err := frames.Next()
	if err != nil {
		return nil, err
	}
	d := wire.NewDecoder(payload)
	var response wire.ConnectResponse
	response.Decode(d)
	switch {
	case d.Err() != nil:
		return nil, d.Err()
	case response.TimeoutMillis <= 0:
		return nil, errExpired
	case c.session.ID != 0 && response.SessionID != c.session.ID:
		return nil, fmt.Errorf("asked for session %v, got %v", c.session.ID, response.SessionID)
	}
	return &response, conn.SetDeadline(time.Time{})
}

// drop forgets the connection; the session lives on.
func (c *Client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// Abandon leaves without a word, as a client that was killed.
func (c *Client) Abandon() {
	c.drop()
	if c.session.ID != 0 {
		c.session.Fate = Abandoned
		c.rec.session(c.session)
	}
}

// Close closes the session. If its outcome stays unknown the session counts as abandoned.
func (c *Client) Close(ctx context.Context) error {
	if c.session.ID == 0 {
		return nil
	}
	err := c.connect(ctx)
	if err == nil {
		c.xid++
		b, mark := wire.BeginFrame(nil)
		b = (&wire.RequestHeader{Xid: c.xid, Op: wire.OpCloseSession}).AppendTo(b)
		err = c.exchange(wire.EndFrame(b, mark), func(h wire.ReplyHeader, _ *wire.Decoder) (bool, error) {
			return true, nil
		})
	}
	if err != nil {
		c.Abandon()
		return err
	}
	c.drop()
	c.session.Fate = Closed
	c.rec.session(c.session)
	return nil
}

// openACL lets everybody do everything.
func openACL() []wire.ACL {
	return []wire.ACL{{Perms: wire.PermAll, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}
}

// appendRequest appends the request of o as a frame.
func appendRequest(b []byte, xid wire.Xid, o *Op) []byte {
	op, record := o.request()
	b, mark := wire.BeginFrame(b)
	b = (&wire.RequestHeader{Xid: xid, Op: op}).AppendTo(b)
	return wire.EndFrame(record.AppendTo(b), mark)
}

func (o *Op) request() (wire.OpCode, wire.Record) {
	create := func(path string) *wire.CreateRequest {
		r := &wire.CreateRequest{Path: path, Data: []byte(o.Token), ACL: openACL()}
		if o.Ephemeral {
			r.Flags |= int32(wire.ModeEphemeral)
		}
		if o.Kind == CreateSeq {
			r.Flags |= int32(wire.ModePersistentSequential)
		}
		return r
	}
	switch o.Kind {
	case CreatePair:
		paths := o.paths()
		return wire.OpMulti, &wire.MultiRequest{Ops: []wire.MultiOp{
			{Op: wire.OpCreate, Record: create(paths[0])}, {Op: wire.OpCreate, Record: create(paths[1])},
		}}
	case Set:
		return wire.OpSetData, &wire.SetDataRequest{Path: o.Path, Data: []byte(o.Token), Version: o.Version}
	case Delete:
		return wire.OpDelete, &wire.DeleteRequest{Path: o.Path, Version: -1}
	case Get:
		return wire.OpGetData, &wire.GetDataRequest{Path: o.Path}
	case Sync:
		return wire.OpSync, &wire.SyncRequest{Path: o.Path}
	}
	return wire.OpCreate, create(o.Path)
}

// reply takes the outcome from the reply.
func (o *Op) reply(h wire.ReplyHeader, d *wire.Decoder) error {
	o.Zxid, o.Err = h.Zxid, h.Err
	if h.Err == wire.OK {
		switch o.Kind {
		case Create, CreateSeq:
			var r wire.CreateResponse
			r.Decode(d)
			o.Created = strings.Clone(r.Path)
		case CreatePair:
			var first wire.MultiHeader
			if first.Decode(d); first.Type == wire.OpError {
				o.Err = wire.ErrCode(d.Int32())
			}
		case Set:
			var r wire.SetDataResponse
			r.Decode(d)
			o.Stat = r.Stat
		case Get:
			var r wire.GetDataResponse
			r.Decode(d)
			o.Data, o.Stat = string(r.Data), r.Stat
		}
	}
	if err := d.Err(); err != nil {
		return fmt.Errorf("reply to %v: %w", o, err)
	}
	o.Known = true
	return nil
}
