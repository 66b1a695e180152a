package client

import (
	"fmt"

	"holt/wire"
)

// read is the reader goroutine.
func (c *Conn) read() {
	var d wire.Decoder
	for {
		payload, err := c.frames.Next()
		if err == nil {
			d.Reset(payload)
			err = c.receive(&d)
		}
		if err != nil {
			c.fail(err)
			break
		}
	}
	c.failCalls()
	close(c.readerEnd)
}

// receive handles one frame.
func (c *Conn) receive(d *wire.Decoder) error {
	var h wire.ReplyHeader
	h.Decode(d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("reply header: %w", err)
	}
	c.received.Add(1)
	if h.Xid == wire.XidNotification {
		return c.notify(h, d)
	}
	call, err := c.take(h.Xid)
	if err != nil {
		return err
	}
	if h.Zxid > 0 {
		c.lastZxid.Store(int64(h.Zxid))
	}
	if call != nil {
		call.finish(h, d)
	}
	return nil
}

func (c *Conn) notify(h wire.ReplyHeader, d *wire.Decoder) error {
	e := Event{Zxid: h.Zxid}
	e.Decode(d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("notification: %w", err)
	}
	c.events.Add(1)
	if c.options.OnEvent != nil {
		e.Path = string([]byte(e.Path)) // a copy: it aliases the read buffer
		c.options.OnEvent(e)
	}
	return nil
}

// take finds the call that a reply with this xid completes; nil for our own pings.
func (c *Conn) take(xid wire.Xid) (*Call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case xid == wire.XidPing && c.pings.n > 0:
		return c.pings.pop(), nil
	case xid == wire.XidAuth && c.auths.n > 0:
		return c.auths.pop(), nil
	case c.pending.n == 0:
		return nil, fmt.Errorf("reply with xid %d to no request", xid)
	case c.pending.front().xid == xid:
		return c.pending.pop(), nil
	}
	// SASL steps have xids like any other request, but the original answers them out of turn.
	for i := 1; i < c.pending.n; i++ {
		if call := *c.pending.at(i); call.xid == xid && call.Op == wire.OpSASL {
			return c.pending.remove(i), nil
		}
	}
	return nil, fmt.Errorf("reply with xid %d, expected %d", xid, c.pending.front().xid)
}

// failCalls completes what is outstanding when the connection has ended.
func (c *Conn) failCalls() {
	for {
		c.mu.Lock()
		var call *Call
		switch {
		case c.pending.n > 0:
			call = c.pending.pop()
		case c.auths.n > 0:
			call = c.auths.pop()
		case c.pings.n > 0:
			call = c.pings.pop()
		default:
			c.mu.Unlock()
			return
		}
		err := c.err
		c.mu.Unlock()
		if call != nil {
			call.complete(err)
		}
	}
}
