package network

import (
	"errors"
	"net"
	"sync"
	"syscall"

	"holt/broker/protocol"
)

const (
	// laterMax and laterBytesMax bound the requests of one connection that wait for
	// an answer. Past them no more is read.
	laterMax      = 64
	laterBytesMax = 32 << 20
	// outputHighWater is where a connection is no longer read until the client has
	// taken some of its replies.
	outputHighWater = 1 << 20
	// smallReply is what is copied behind the reply before rather than written as
	// a piece of its own.
	smallReply = 4 << 10
	// collectBytes is the size of the buffers that small replies are collected in.
	collectBytes = 8 << 10
	// tryWriteMax bounds what a late reply's goroutine writes itself, in bytes.
	tryWriteMax = 32 << 10
)

// chunk is a piece of output.
type chunk struct {
	protocol.Range
	pooled  *buffer // whose memory Range is, to be put back; may be nil
	collect bool    // small replies may be appended to it
	release func()  // to be called when the chunk is done with; may be nil
}

// output holds the replies of a connection: those that must wait for earlier ones, in
// their requests, and those that may leave. Whoever finds nobody writing writes, and
// takes along what others add meanwhile.
type output struct {
	c   *Conn
	nc  net.Conn        // what replies are written to
	raw syscall.RawConn // the socket if it is plain TCP, else nil

	mu      sync.Mutex
	changed sync.Cond // signalled when something was answered or written, or the output has failed

	pending      []*Request // in order of arrival; the first is not answered
	pendingBytes int        // of their frames
	current      *Request   // the one in Handler.Handle
	heldBytes    int        // of replies in pending

	chunks    []chunk // in order, what nobody writes yet
	spare     []chunk // memory for the next chunks
	bytes     int     // in chunks
	writing   bool
	closing   bool // close the socket once chunks is empty
	err       error
	mutedTill int64 // ms since the server's start

	w writer // of whoever set writing
}

func (o *output) init(c *Conn) {
	o.c = c
	o.changed.L = &o.mu
}

// use says where replies go. Called before the first, and nothing is being written.
func (o *output) use(nc net.Conn) {
	o.nc = nc
	if tcp, ok := nc.(*net.TCPConn); ok {
		o.raw, _ = tcp.SyscallConn() // without it replies are copied
	}
	o.w = writer{nc: nc, raw: o.raw, buffers: &o.c.srv.buffers, wrote: o.c.touch}
}

// push makes r the last in line.
func (o *output) push(r *Request) {
	o.mu.Lock()
	o.pending = append(o.pending, r)
	o.pendingBytes += r.size
	o.current = r
	o.mu.Unlock()
}

// encode answers r with what add appends: straight behind the replies before it, if it
// is their turn.
func (o *output) encode(r *Request, add func(b []byte) []byte) {
	o.mu.Lock()
	if len(o.pending) > 0 && o.pending[0] == r && o.err == nil && !o.closing {
		o.collectLocked(add)
		o.answerLocked(r)
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()
	b := o.c.srv.buffers.get(smallReply)
	b.b = add(b.b[:0])
	r.one[0] = chunk{Range: protocol.Range{Bytes: b.b}, pooled: b}
	o.answer(r, r.one[:])
}

// collectLocked appends to the last chunk, or to a new one.
func (o *output) collectLocked(add func(b []byte) []byte) {
	if n := len(o.chunks); n > 0 && o.chunks[n-1].collect {
		last := &o.chunks[n-1]
		before := len(last.Bytes)
		last.Bytes = add(last.Bytes)
		o.bytes += len(last.Bytes) - before
		last.pooled.b = last.Bytes
		last.collect = len(last.Bytes)+smallReply/8 < cap(last.Bytes)
		return
	}
	b := o.c.srv.buffers.get(collectBytes)
	b.b = add(b.b[:0])
	o.bytes += len(b.b)
	o.chunks = append(o.chunks, chunk{Range: protocol.Range{Bytes: b.b}, pooled: b, collect: len(b.b) < cap(b.b)})
}

// scatter answers r in pieces.
func (o *output) scatter(r *Request, resp Scatterer, release func()) {
	parts := o.c.srv.getParts()
	resp.AppendTo(parts, r.Version, r.CorrelationID)
	ranges := parts.Append(nil)
	chunks := make([]chunk, len(ranges))
	for i, run := range ranges {
		chunks[i].Range = run
	}
	chunks[len(chunks)-1].release = func() {
		o.c.srv.putParts(parts)
		if release != nil {
			release()
		}
	}
	o.answer(r, chunks)
}

// answer takes the reply to r.
func (o *output) answer(r *Request, chunks []chunk) {
	o.mu.Lock()
	r.chunks = chunks
	for i := range chunks {
		o.heldBytes += chunks[i].Len()
	}
	o.answerLocked(r)
	o.mu.Unlock()
}

func (o *output) closeAt(r *Request, err error) {
	o.c.ended(err)
	o.mu.Lock()
	r.closing = true
	o.answerLocked(r)
	o.mu.Unlock()
}

// answerLocked marks r answered, moves all replies whose turn it is to chunks, and sees
// that somebody writes them: the connection's goroutine if it is at hand, which it
// is while it handles r or waits for the answer.
func (o *output) answerLocked(r *Request) {
	if r.answered {
		panic("network: a request was answered twice: " + r.Key.String())
	}
	r.answered = true
	if r.ThrottleMillis > 0 {
		o.mutedTill = max(o.mutedTill, o.c.srv.now()+int64(r.ThrottleMillis))
	}
	o.c.srv.metrics.answered(r)
	n := 0
	for n < len(o.pending) && o.pending[n].answered {
		o.releaseLocked(o.pending[n])
		o.pending[n] = nil
		n++
	}
	if n == len(o.pending) {
		o.pending = o.pending[:0]
	} else {
		o.pending = o.pending[n:]
	}
	o.changed.Broadcast()
	if r.later && r != o.current && n > 0 {
		o.flushLateLocked()
	}
}

// releaseLocked adds the reply of a request whose turn it is to what may leave.
func (o *output) releaseLocked(r *Request) {
	o.pendingBytes -= r.size
	for i := range r.chunks {
		k := &r.chunks[i]
		o.heldBytes -= k.Len()
		switch {
		case o.err != nil || o.closing:
			o.c.srv.drop(k)
		case k.pooled != nil && len(k.Bytes) <= smallReply:
			o.collectLocked(func(b []byte) []byte { return append(b, k.Bytes...) })
			o.c.srv.drop(k)
		default:
			o.bytes += k.Len()
			o.chunks = append(o.chunks, *k)
		}
	}
	r.chunks, r.one = nil, [1]chunk{}
	if r.closing {
		o.closing = true
	}
}

// wait blocks until r is answered, writing meanwhile what may leave. It returns false
// when the connection has ended.
func (o *output) wait(r *Request) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.current = nil
	for !r.answered && !r.later && o.err == nil {
		if len(o.chunks) > 0 && !o.writing {
			o.writing = true
			o.writeLocked()
			continue
		}
		o.changed.Wait()
	}
	return o.err == nil && !o.closing
}

// ready blocks until another request may be taken: until there is room for it and
// the client takes its replies.
func (o *output) ready() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && !o.closing && o.fullLocked() {
		if len(o.chunks) > 0 && !o.writing {
			o.writing = true
			o.writeLocked()
			continue
		}
		o.changed.Wait()
	}
	return o.err == nil && !o.closing
}

func (o *output) fullLocked() bool {
	return len(o.pending) >= laterMax || o.pendingBytes > laterBytesMax || o.bytes+o.heldBytes > outputHighWater
}

// drain waits until all pending requests are answered and what they were answered is
// written, or the output fails.
func (o *output) drain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && (len(o.pending) > 0 || len(o.chunks) > 0 || o.writing) {
		if len(o.chunks) > 0 && !o.writing {
			o.writing = true
			o.writeLocked()
			continue
		}
		o.changed.Wait()
	}
}

// muted returns until when nothing is to be read, in ms since the server's start.
func (o *output) muted() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mutedTill
}

// fail closes the connection; what was not written is lost.
func (o *output) fail(err error) {
	o.mu.Lock()
	o.failLocked(err)
	o.mu.Unlock()
}

func (o *output) failLocked(err error) {
	if o.err != nil {
		return
	}
	o.err = err
	for i := range o.chunks {
		o.c.srv.drop(&o.chunks[i])
	}
	o.chunks, o.bytes = nil, 0
	for _, r := range o.pending {
		for i := range r.chunks {
			o.c.srv.drop(&r.chunks[i])
		}
		r.chunks = nil
	}
	// The socket is of no further use whatever Close says; its reader ends with an
	// error.
	if err := o.c.nc.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		o.c.log().Debug("close connection", errField(err))
	}
	o.changed.Broadcast()
}

// drop gives back what a chunk holds.
func (s *Server) drop(k *chunk) {
	if k.pooled != nil {
		s.buffers.put(k.pooled)
	}
	if k.release != nil {
		k.release()
	}
	*k = chunk{}
}
