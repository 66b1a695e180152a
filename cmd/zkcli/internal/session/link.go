package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"holt/wire"
	"holt/wire/client"
)

// link is one connection to one server, with the session attached.
type link struct {
	conn    *client.Conn
	refused atomic.Bool // the server did not accept our credentials
}

// closeWait bounds how long the end of a session is waited for.
const closeWait = 5 * time.Second

// dial makes a link to a server for the session that who describes.
func (s *Session) dial(ctx context.Context, address string, who identity) (*link, error) {
	nc, err := s.cfg.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	o := client.Options{
		SessionTimeout: s.cfg.Timeout, LastZxid: who.zxid, ReadOnly: s.cfg.ReadOnly,
		OnEvent: func(e client.Event) { s.notified(e.Zxid, &e.WatcherEvent) },
	}
	if who.writable {
		o.Session = who.session
	}
	conn, err := client.New(ctx, nc, o)
	if err != nil {
		return nil, err
	}
	return &link{conn: conn}, nil
}

// identity is what the next link needs, given what this one was made for.
func (l *link) identity(before identity) identity {
	return identity{
		session: l.conn.Session(), timeout: l.conn.Timeout(),
		zxid: before.zxid, writable: before.writable || !l.conn.ReadOnly(),
	}
}

// authenticate hands credentials in. What comes of it shows at the end of the link.
func (l *link) authenticate(p *wire.AuthPacket) {
	l.conn.Go(&client.Call{Op: wire.OpAuth, Request: p, Done: func(c *client.Call) {
		if c.Err == nil && c.Header.Err == wire.ErrAuthFailed {
			l.refused.Store(true)
		}
	}})
}

// rearm sends a request whose reply has nothing to tell.
func (l *link) rearm(op wire.MultiOp) {
	l.conn.Go(&client.Call{Op: op.Op, Request: op.Record, Done: func(*client.Call) {}})
}

// do sends a request, decodes the body of the reply into resp unless that is nil, and waits for
// it. replied, if not nil, is called with the outcome before anything that the server sent
// later is looked at. The error is an *Error without a path, or that of ctx.
func (l *link) do(ctx context.Context, op wire.OpCode, req, resp wire.Record, replied func(wire.ErrCode)) error {
	var body client.Body
	done := make(chan error, 1)
	l.conn.Go(&client.Call{Op: op, Request: req, Reply: &body, Done: func(c *client.Call) {
		err := c.Err
		if err == nil && c.Header.Err == wire.OK && resp != nil {
			d := wire.NewDecoder(bytes.Clone(body)) // it holds no longer than this function
			resp.Decode(d)
			err = d.Err()
		}
		if err == nil && replied != nil {
			replied(c.Header.Err)
		}
		done <- outcome(op, err, c.Header.Err)
	}})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// outcome is the error of a request that failed on the way, or was answered with code.
func outcome(op wire.OpCode, err error, code wire.ErrCode) error {
	switch {
	case errors.Is(err, wire.ErrConnectionLoss):
		return &Error{Code: wire.ErrConnectionLoss}
	case err != nil:
		return fmt.Errorf("reply to %v: %w", op, err)
	case code != wire.OK:
		return &Error{Code: code}
	}
	return nil
}

// end asks the server to end the session and waits for that, but not for long.
func (l *link) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	// Without a reply the session expires in its time, so an error changes nothing.
	_ = l.conn.CloseSession(ctx)
}
