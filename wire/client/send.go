package client

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"holt/wire"
)

// outSpareMax is how large a write buffer may be to be kept for the next write.
const outSpareMax = 256 << 10

// Send sends a request and returns at once. req may be nil. The reply is decoded into
// a record of the operation's type, see wire.NewResponse.
func (c *Conn) Send(op wire.OpCode, req wire.Record) *Call {
	call := &Call{Op: op, Request: req, Reply: wire.NewResponse(op)}
	c.Go(call)
	return call
}

// Raw sends payload as a frame, whatever it holds. Its first four bytes are taken for
// the xid that the reply will carry; the reply's body arrives as *Body. Wait for
// other calls to end first if the xid might be one of theirs.
func (c *Conn) Raw(payload []byte) *Call {
	body := Body(payload)
	call := &Call{Request: &body, Reply: new(Body), raw: true}
	if len(payload) >= 4 {
		call.xid = wire.Xid(binary.BigEndian.Uint32(payload))
	}
	if len(payload) >= 8 {
		call.Op = wire.OpCode(binary.BigEndian.Uint32(payload[4:]))
	}
	c.Go(call)
	return call
}

// Go sends call. It does not block on the network; the writer takes together
// what has gathered.
func (c *Conn) Go(call *Call) {
	if c.enqueue(call) {
		c.wakeWriter()
	}
}

// enqueue encodes the request and remembers the call, or completes it with an error.
func (c *Conn) enqueue(call *Call) bool {
	call.begin()
	c.mu.Lock()
	err := c.err
	if err == nil && c.pending.n+c.auths.n+c.pings.n >= c.options.MaxOutstanding {
		err = ErrTooMany
	}
	if err != nil {
		c.mu.Unlock()
		call.complete(err)
		return false
	}
	c.appendLocked(call)
	c.mu.Unlock()
	return true
}

func (c *Conn) appendLocked(call *Call) {
	b, mark := wire.BeginFrame(c.out)
	if !call.raw {
		call.xid = c.xidLocked(call.Op)
		h := wire.RequestHeader{Xid: call.xid, Op: call.Op}
		b = h.AppendTo(b)
	}
	if call.Request != nil {
		b = call.Request.AppendTo(b)
	}
	c.out = wire.EndFrame(b, mark)
	switch call.xid {
	case wire.XidPing:
		c.pings.push(call)
	case wire.XidAuth:
		c.auths.push(call)
	default:
		c.pending.push(call)
	}
	c.sent.Add(1)
}

func (c *Conn) xidLocked(op wire.OpCode) wire.Xid {
	switch op {
	case wire.OpPing:
		return wire.XidPing
	case wire.OpAuth:
		return wire.XidAuth
	case wire.OpSetWatches, wire.OpSetWatches2:
		return wire.XidSetWatches
	}
	if c.xid == math.MaxInt32 {
		c.xid = 0
	}
	c.xid++
	return c.xid
}

func (c *Conn) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default: // it will wake anyway
	}
}

// flush writes what has gathered. If somebody is at it already, that one will.
// A caller that has better to do than to write for everybody sets once, and leaves to the writer what
// arrives meanwhile.
func (c *Conn) flush(once bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing {
		return
	}
	c.writing = true
	for len(c.out) > 0 && c.err == nil {
		out := c.out
		c.out, c.spare = c.spare[:0], nil
		c.mu.Unlock()
		_, err := c.nc.Write(out)
		if err != nil {
			c.fail(err)
		}
		c.mu.Lock()
		if cap(out) <= outSpareMax {
			c.spare = out[:0]
		}
		if once {
			break
		}
	}
	c.writing = false
	if len(c.out) > 0 {
		c.wakeWriter()
	}
}

// Looking six times per timeout, an idle session is refreshed every third of it at the latest.
const ticksPerTimeout, ticksSilentMax = 6, 4

// silenceMax is how long the server may be silent.
func (c *Conn) silenceMax() time.Duration { return c.timeout * ticksSilentMax / ticksPerTimeout }

// boundWrites keeps a server that does not read from holding up the writer for good.
func (c *Conn) boundWrites() error { return c.nc.SetWriteDeadline(time.Now().Add(c.silenceMax())) }

// write is the writer goroutine: it writes, pings when nothing else was sent, and gives the
// connection up when nothing arrives.
func (c *Conn) write() {
	defer close(c.writerEnd)
	var ticks <-chan time.Time
	if !c.options.NoPings {
		ticker := time.NewTicker(max(c.timeout/ticksPerTimeout, time.Millisecond))
		defer ticker.Stop()
		ticks = ticker.C
	}
	var sent, received int64
	silent := 0
	limit := c.silenceMax()
	for {
		select {
		case <-c.wake:
			c.flush(false)
		case <-ticks:
			if err := c.boundWrites(); err != nil {
				c.fail(err)
			}
			if n := c.sent.Load(); n == sent {
				c.ping()
			}
			sent = c.sent.Load()
			silent++
			if n := c.received.Load(); n != received {
				received, silent = n, 0
			}
			if silent >= ticksSilentMax {
				c.fail(fmt.Errorf("nothing received for %v", limit))
			}
		}
		if c.Err() != nil {
			return
		}
	}
}

// ping sends a ping of our own, whose reply nobody waits for.
func (c *Conn) ping() {
	c.mu.Lock()
	b, mark := wire.BeginFrame(c.out)
	h := wire.RequestHeader{Xid: wire.XidPing, Op: wire.OpPing}
	c.out = wire.EndFrame(h.AppendTo(b), mark)
	c.pings.push(nil)
	c.sent.Add(1)
	c.mu.Unlock()
	c.flush(false)
}
