package server

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"holt/wire"
	"holt/wire/socket"
)

const (
	// outputHighWater is where a reader stops taking requests until the
	// client has read some of its replies.
	outputHighWater = 1 << 20
	// outputMax is what may wait for a client that does not read while
	// others (events, replies to writes) go on adding to it. Past it the
	// connection is closed: a client is never served partly.
	outputMax = 16 << 20
	// pooledBufferMax keeps the buffer of one giant reply out of the pool.
	pooledBufferMax = 64 << 10
)

var errOutputOverflow = errors.New("client does not read its replies")

// bufferPool holds output buffers of connections that have nothing to send, so
// that an idle connection owns none.
type bufferPool struct{ p sync.Pool }

func (p *bufferPool) get() []byte {
	if b, ok := p.p.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 4096)
}

func (p *bufferPool) put(b []byte) {
	if cap(b) == 0 || cap(b) > pooledBufferMax {
		return
	}
	b = b[:0]
	p.p.Put(&b)
}

// output collects the frames for one connection. Frames are appended by the
// connection's reader (replies to reads) and by the apply goroutine (events and
// replies to writes); whoever finds nobody writing writes, and takes along what
// the other appends meanwhile.
type output struct {
	nc   net.Conn
	raw  syscall.RawConn // the socket, nil if it cannot be written to without waiting
	pool *bufferPool
	sent *Metrics // of all connections: sizes of replies and events

	full atomic.Bool // more than outputHighWater bytes are in buf, or were lately

	mu       sync.Mutex
	figures  figures   // of this one
	drained  sync.Cond // signalled when the socket has taken something
	buf      []byte    // complete frames that nobody writes yet
	held     []byte    // events that must come after the reply being built
	holding  bool
	flushing bool
	closing  bool  // close the socket once buf is empty
	sizes    sizes // not in sent yet
	err      error // first failure; nothing is accepted any more
}

func (o *output) init(nc net.Conn, pool *bufferPool, sent *Metrics) {
	o.nc, o.pool, o.sent = nc, pool, sent
	if c, ok := nc.(syscall.Conn); ok {
		o.raw, _ = c.SyscallConn() // without it flush writes
	}
	o.drained.L = &o.mu
}

// upgrade puts a connection that works on the socket of the present one in its place,
// before anything is written. It cannot be written to without waiting.
func (o *output) upgrade(nc net.Conn) {
	o.mu.Lock()
	o.nc, o.raw = nc, nil
	o.mu.Unlock()
}

// append adds what add appends to the buffer it is given: an answer that is no
// reply to a request. It does not write.
func (o *output) append(add func(b []byte) []byte) {
	o.mu.Lock()
	o.appendLocked(add)
	o.mu.Unlock()
}

// reply is append for one reply to a request. It is counted by batch or answers.
func (o *output) reply(add func(b []byte) []byte) {
	o.mu.Lock()
	o.sizes.frame(o.appendLocked(add))
	o.mu.Unlock()
}

// replyAside is reply for what is counted by nobody else.
func (o *output) replyAside(add func(b []byte) []byte) {
	o.mu.Lock()
	o.sizes.frame(o.appendLocked(add))
	o.figures.sent++
	o.mu.Unlock()
}

// change changes the connection's figures.
func (o *output) change(f func(*figures)) {
	o.mu.Lock()
	f(&o.figures)
	o.mu.Unlock()
}

// answered counts replies that were measured together, now since the server's start; last is the zxid they show.
func (o *output) answered(n int64, took, now time.Duration, last wire.Zxid) {
	o.mu.Lock()
	o.figures.sent += n
	o.figures.latency.observe(took, n)
	o.figures.seen(now, last)
	o.mu.Unlock()
}

// shown returns the connection's figures as they are.
func (o *output) shown() figures {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.figures
}

// appendLocked returns the number of bytes that were added.
func (o *output) appendLocked(add func(b []byte) []byte) int {
	b := o.lockedBuffer()
	if b == nil {
		return 0
	}
	o.buf = add(b)
	if len(o.buf) > outputHighWater {
		o.full.Store(true)
	}
	return len(o.buf) - len(b)
}

// lockedBuffer returns the buffer to append to, or nil when the connection
// takes nothing more.
func (o *output) lockedBuffer() []byte {
	if o.err != nil || o.closing {
		return nil
	}
	if len(o.buf) > outputMax {
		o.failLocked(errOutputOverflow)
		return nil
	}
	if o.buf == nil {
		o.buf = o.pool.get()
	}
	return o.buf
}

// event adds a notification. While a reply that was read before the event is
// still being built the notification waits behind it.
func (o *output) event(add func(b []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.figures.sent++
	if !o.holding {
		o.sizes.event(o.appendLocked(add))
		return
	}
	if len(o.held) > outputMax {
		o.failLocked(errOutputOverflow)
		return
	}
	had := len(o.held)
	o.held = add(o.held)
	o.sizes.event(len(o.held) - had)
}

// hold keeps events back until release; the caller is about to build a reply
// from a view that it has pinned.
func (o *output) hold() {
	o.mu.Lock()
	o.holding = true
	o.mu.Unlock()
}

// release adds the reply and then the events that were held back.
func (o *output) release(add func(b []byte) []byte) {
	o.mu.Lock()
	o.sizes.frame(o.appendLocked(add))
	if len(o.held) > 0 {
		held := o.held
		o.appendLocked(func(b []byte) []byte { return append(b, held...) })
	}
	o.held, o.holding = nil, false
	o.mu.Unlock()
}

// flush writes until nothing is left. If another goroutine is writing it
// returns at once: that one takes what was appended.
func (o *output) flush() {
	o.mu.Lock()
	o.flushLocked(nil)
	o.mu.Unlock()
}

// flushHearing is flush for the connection's reader, which hears of nothing that the client sends meanwhile.
// heard is set whenever the client has taken a part: one that reads its replies is not silent, however long they
// take.
func (o *output) flushHearing(heard *atomic.Bool) {
	o.mu.Lock()
	o.flushLocked(heard)
	o.mu.Unlock()
}

// flushBatch is flushHearing after a batch of requests, which is counted before its replies leave, and measured
// when they have.
func (o *output) flushBatch(b *batch, heard *atomic.Bool) {
	o.mu.Lock()
	b.tell(&o.figures)
	o.flushLocked(heard)
	b.settle(&o.figures)
	o.mu.Unlock()
	b.end()
}

// flushLocked lets the lock go while it writes.
func (o *output) flushLocked(heard *atomic.Bool) {
	if o.flushing {
		return
	}
	o.flushing = true
	for len(o.buf) > 0 && o.err == nil {
		o.sizes.report(o.sent, &o.figures)
		b := o.buf
		o.buf = nil
		o.roomLocked()
		o.mu.Unlock()
		err := o.write(b, heard)
		o.pool.put(b)
		o.mu.Lock()
		if err != nil {
			o.failLocked(err)
		}
		o.drained.Broadcast()
	}
	if o.buf != nil && len(o.buf) == 0 {
		o.pool.put(o.buf)
		o.buf = nil
	}
	o.flushing = false
	if o.closing && o.err == nil {
		o.failLocked(net.ErrClosed)
	}
}

// roomLocked notes that buf was taken.
func (o *output) roomLocked() {
	if o.full.Load() {
		o.full.Store(false)
	}
}

// writeMax bounds one write to the socket, in bytes. It says how often it is seen that a slow client goes on reading.
const writeMax = 64 << 10

func (o *output) write(b []byte, heard *atomic.Bool) error {
	for {
		part := b[:min(len(b), writeMax)]
		if _, err := o.nc.Write(part); err != nil {
			return err
		}
		if heard != nil && !heard.Load() {
			heard.Store(true)
		}
		if b = b[len(part):]; len(b) == 0 {
			return nil
		}
		o.drained.Broadcast()
	}
}

// tryFlush writes what the socket takes without waiting, and reports whether that
// was all. For the apply goroutine, which must not wait for a client.
func (o *output) tryFlush() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.flushing || o.err != nil || len(o.buf) == 0 && !o.closing:
		return true // somebody else writes, or nothing is to be done
	case o.raw == nil || o.closing || len(o.buf) > tryFlushMax:
		return false
	}
	o.sizes.report(o.sent, &o.figures)
	n := socket.TryWrite(o.raw, o.buf)
	if n < len(o.buf) {
		o.buf = append(o.buf[:0], o.buf[n:]...)
		return false
	}
	o.pool.put(o.buf)
	o.buf = nil
	return true
}

// tryFlushMax bounds what tryFlush writes, in bytes: it holds the lock meanwhile.
const tryFlushMax = 32 << 10

// waitDrained blocks while more than outputHighWater bytes wait and somebody is
// writing them. heard is as in flushHearing.
func (o *output) waitDrained(heard *atomic.Bool) {
	o.mu.Lock()
	for len(o.buf) > outputHighWater && o.flushing && o.err == nil {
		o.drained.Wait()
		heard.Store(true)
	}
	o.mu.Unlock()
}

// closeAfterFlush closes the socket once all that was appended is written.
// The caller flushes afterwards.
func (o *output) closeAfterFlush() {
	o.mu.Lock()
	o.closing = true
	o.mu.Unlock()
}

// closeWait bounds waiting for a client to take the last reply of a connection that ends.
const closeWait = 5 * time.Second

// waitClosed blocks until what was appended before closeAfterFlush is written and the socket
// closed, if another goroutine is at it; the caller has flushed.
func (o *output) waitClosed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closing || o.err != nil {
		return
	}
	if err := o.nc.SetWriteDeadline(time.Now().Add(closeWait)); err != nil {
		return // closed already
	}
	for o.err == nil {
		o.drained.Wait()
	}
}

// closeNow closes the socket; what was not written is lost.
func (o *output) closeNow() {
	o.mu.Lock()
	o.failLocked(net.ErrClosed)
	o.mu.Unlock()
}

func (o *output) failLocked(err error) {
	if o.err != nil {
		return
	}
	o.err = err
	o.buf, o.held = nil, nil
	// The socket is of no further use whatever Close says; its reader ends
	// with an error and reports the connection's end.
	o.nc.Close()
	o.drained.Broadcast()
}
