package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"holt/wire"
)

var (
	// ErrClosed is, besides wire.ErrConnectionLoss, the cause of errors after
	// Close or Abort.
	ErrClosed = errors.New("connection closed by its owner")
	// ErrTooMany is the error of a call beyond Options.MaxOutstanding. It was not sent.
	ErrTooMany = errors.New("too many calls outstanding")
)

// Conn is a connection with a session. Use Dial or New.
type Conn struct {
	nc      net.Conn
	frames  *wire.FrameReader // the reader's
	options Options

	session  Session
	timeout  time.Duration
	readOnly bool

	wake      chan struct{} // cap 1: something to write
	readerEnd chan struct{} // closed when the reader ended, all calls completed
	writerEnd chan struct{}

	lastZxid atomic.Int64
	sent     atomic.Int64 // requests, pings included
	received atomic.Int64 // frames
	events   atomic.Int64

	mu      sync.Mutex
	xid     wire.Xid
	pending callQueue // in the order sent, apart from the two below
	auths   callQueue // auth packets; the original answers them out of turn
	pings   callQueue // calls, or nil for our own pings
	free    []*Call   // of do, to be used again
	out     []byte    // frames to be written
	spare   []byte    // the other buffer, while nobody writes from it
	writing bool      // somebody writes outside of mu
	err     error     // set once: why the connection ended
}

// Dial connects to addr by TCP, or TLS as Options say, and New does the rest. ctx bounds both.
func Dial(ctx context.Context, addr string, o Options) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err // has operation and address
	}
	if o.TLS == nil {
		return New(ctx, nc, o)
	}
	config := o.TLS
	if config.ServerName == "" {
		config = config.Clone()
		if config.ServerName, _, err = net.SplitHostPort(addr); err != nil {
			return nil, errors.Join(err, nc.Close())
		}
	}
	tc := tls.Client(nc, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS handshake with %s: %w", addr, err), nc.Close())
	}
	return New(ctx, tc, o)
}

// New shakes hands on nc, which it owns from now on and closes on error. ctx bounds
// the handshake only. The error wraps wire.ErrSessionExpired if the server
// refused the session, and io.EOF if it closed the connection, as it does for a
// client that has seen more than the server.
func New(ctx context.Context, nc net.Conn, o Options) (*Conn, error) {
	o = o.withDefaults()
	c := &Conn{
		nc:        nc,
		frames:    wire.NewFrameReader(nc, o.MaxFrame),
		options:   o,
		wake:      make(chan struct{}, 1),
		readerEnd: make(chan struct{}),
		writerEnd: make(chan struct{}),
	}
	c.lastZxid.Store(int64(o.LastZxid))
	// A deadline in the past ends reads and writes of nc, whatever kind it is.
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	err := c.handshake()
	if !stop() {
		err = context.Cause(ctx)
	}
	if err == nil && !o.NoPings {
		err = c.boundWrites()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("handshake with %v: %w", nc.RemoteAddr(), err), nc.Close())
	}
	go c.read()
	go c.write()
	return c, nil
}

func (c *Conn) handshake() error {
	request := wire.ConnectRequest{
		LastZxidSeen:  c.options.LastZxid,
		TimeoutMillis: int32(c.options.SessionTimeout.Milliseconds()),
		SessionID:     c.options.Session.ID,
		Passwd:        c.options.Session.Passwd[:],
		ReadOnly:      c.options.ReadOnly,
		HasReadOnly:   !c.options.OmitReadOnly,
	}
	b, mark := wire.BeginFrame(nil)
	if _, err := c.nc.Write(wire.EndFrame(request.AppendTo(b), mark)); err != nil {
		return err
	}
	payload, err := c.frames.Next()
	if err != nil {
		return err
	}
	var response wire.ConnectResponse
	d := wire.NewDecoder(payload)
	response.Decode(d)
	if err := d.Err(); err != nil {
		return notConnectResponse(payload, err)
	}
	if response.TimeoutMillis <= 0 {
		return wire.ErrSessionExpired
	}
	c.session.ID = response.SessionID
	copy(c.session.Passwd[:], response.Passwd)
	c.timeout = time.Duration(response.TimeoutMillis) * time.Millisecond
	c.readOnly = response.ReadOnly
	return nil
}

// notConnectResponse explains a first payload that is something else. A read-only server
// refuses a session by the header of a reply.
func notConnectResponse(payload []byte, err error) error {
	var h wire.ReplyHeader
	d := wire.NewDecoder(payload)
	h.Decode(d)
	if d.Err() == nil && d.Len() == 0 && h.Err != wire.OK {
		return h.Err
	}
	return fmt.Errorf("connect response: %w", err)
}

// Session returns what is needed to take up the session elsewhere.
func (c *Conn) Session() Session { return c.session }

// SessionID returns the id of the session.
func (c *Conn) SessionID() wire.SessionID { return c.session.ID }

// Timeout returns the session timeout that the server gave.
func (c *Conn) Timeout() time.Duration { return c.timeout }

// ReadOnly reports whether the server is cut off from the others.
func (c *Conn) ReadOnly() bool { return c.readOnly }

// LastZxid returns the zxid of the last reply, or of Options if there was none.
func (c *Conn) LastZxid() wire.Zxid { return wire.Zxid(c.lastZxid.Load()) }

// RemoteAddr and LocalAddr are those of the connection.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }
func (c *Conn) LocalAddr() net.Addr  { return c.nc.LocalAddr() }

// Counts of a connection since its start.
type Counts struct {
	Requests    int64 // sent, pings included
	Frames      int64 // received: replies and notifications
	Events      int64 // the notifications among them
	Outstanding int   // calls not answered yet
}

// Counts returns the present counts.
func (c *Conn) Counts() Counts {
	c.mu.Lock()
	outstanding := c.pending.n + c.auths.n + c.pings.n
	c.mu.Unlock()
	return Counts{Requests: c.sent.Load(), Frames: c.received.Load(), Events: c.events.Load(), Outstanding: outstanding}
}

// Done is closed when the connection has ended and every call is complete.
func (c *Conn) Done() <-chan struct{} { return c.readerEnd }

// Err returns why the connection ended, nil while it has not. It wraps
// wire.ErrConnectionLoss.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the session, then the connection. It waits for the server's reply for
// a session timeout at most. The error is nil if the server confirmed, or if the connection was
// closed before by Close or Abort.
func (c *Conn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	err := c.CloseSession(ctx)
	c.Abort()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// CloseSession asks the server to end the session and waits for the reply. The
// server closes the connection after it; Abort or Close is still to be called.
func (c *Conn) CloseSession(ctx context.Context) error {
	return c.do(ctx, wire.OpCloseSession, "", nil, nil)
}

// Abort closes the connection and leaves the session to expire or to be taken up
// elsewhere. Calls not complete fail.
func (c *Conn) Abort() {
	c.fail(ErrClosed)
	<-c.readerEnd
	<-c.writerEnd
}

// fail ends the connection; only the first cause counts.
func (c *Conn) fail(cause error) {
	if cause == io.EOF {
		cause = errors.New("connection closed by the server")
	}
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = fmt.Errorf("%w: %w", wire.ErrConnectionLoss, cause)
	}
	c.mu.Unlock()
	if !first {
		return
	}
	// Its error, if any, changes nothing: reader and writer find the connection unusable.
	_ = c.nc.Close()
	c.wakeWriter()
}
