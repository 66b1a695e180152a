package network

import (
	"net"

	"holt/wire/socket"
)

// flushLateLocked writes what the socket takes without waiting, and leaves the rest to
// a goroutine: the caller is not the connection's and must not wait.
func (o *output) flushLateLocked() {
	if o.writing || o.err != nil || len(o.chunks) == 0 && !o.closing {
		return
	}
	if o.raw != nil && !o.closing && o.bytes <= tryWriteMax && o.inMemoryLocked() {
		if o.tryLocked() {
			return
		}
	}
	o.writing = true
	o.c.srv.wg.Go(func() {
		o.mu.Lock()
		o.writeLocked()
		o.mu.Unlock()
	})
}

func (o *output) inMemoryLocked() bool {
	for i := range o.chunks {
		if o.chunks[i].File != nil {
			return false
		}
	}
	return true
}

// tryLocked reports whether all was written.
func (o *output) tryLocked() bool {
	for i := range o.chunks {
		k := &o.chunks[i]
		n := socket.TryWrite(o.raw, k.Bytes)
		o.bytes -= n
		o.c.srv.metrics.BytesOut.Add(int64(n))
		if n < len(k.Bytes) {
			k.Bytes, k.collect = k.Bytes[n:], false
			o.chunks = o.chunks[i:]
			return false
		}
		o.c.srv.drop(k)
	}
	o.chunks = o.chunks[:0]
	o.c.touch()
	return true
}

// flush writes until nothing is left. If another goroutine is writing it returns at
// once: that one takes what was added.
func (o *output) flush() {
	o.mu.Lock()
	if !o.writing && (len(o.chunks) > 0 || o.closing) {
		o.writing = true
		o.writeLocked()
	}
	o.mu.Unlock()
}

// writeLocked writes until nothing is left; o.writing is the caller's. The lock is
// released meanwhile.
func (o *output) writeLocked() {
	for len(o.chunks) > 0 && o.err == nil {
		chunks, bytes := o.chunks, o.bytes
		o.chunks = o.spare[:0]
		o.spare = nil
		o.mu.Unlock()
		err := o.w.write(chunks)
		for i := range chunks {
			o.c.srv.drop(&chunks[i])
		}
		clear(chunks)
		o.c.srv.metrics.BytesOut.Add(int64(bytes))
		o.mu.Lock()
		o.bytes -= bytes // what was added meanwhile stays counted
		o.spare = chunks[:0]
		if err != nil {
			o.failLocked(err)
		}
		o.changed.Broadcast()
	}
	o.writing = false
	if o.closing && o.err == nil {
		o.failLocked(net.ErrClosed)
	}
	o.changed.Broadcast()
}
