package server

import (
	"time"

	"holt/wire"
)

// sizes collects, for one connection, the sizes of the replies and events it is sent, without their length fields, until
// they are reported to what all connections share: a frame costs a few additions under a lock that is
// held anyway, a write to the socket the shared values.
type sizes struct {
	n              int64 // frames
	last, min, max int64 // of n frames
	bytes, events  int64 // of all frames, and of the events among them
}

const lengthField = 4

// frame adds a frame of so many bytes; of none if the connection takes no more.
func (s *sizes) frame(bytes int) {
	n := int64(bytes) - lengthField
	if n < 0 {
		return
	}
	if s.n == 0 || n < s.min {
		s.min = n
	}
	s.max = max(s.max, n)
	s.last = n
	s.n++
	s.bytes += n
}

// event is frame for a notification.
func (s *sizes) event(bytes int) {
	s.frame(bytes)
	s.events += int64(max(bytes-lengthField, 0))
}

// traffic counts what one connection, or all that have ended, received and sent. What every request adds to is
// kept apart for each connection: one counter that all share would cost each of them a cache miss.
type traffic struct {
	in, out, watch int64 // bytes: of requests, replies, events
	received, sent int64 // requests; replies and events
}

// add adds what o counted.
func (t *traffic) add(o *traffic) {
	t.in += o.in
	t.out += o.out
	t.watch += o.watch
	t.received += o.received
	t.sent += o.sent
}

// figures is what one connection counts and what `cons` and `stat` show of it. It is guarded by the lock of the
// connection's output, which whoever has something to count holds anyway: no figure costs an atomic operation of
// its own.
type figures struct {
	traffic
	// What received and sent were when `crst` had the connection's figures begin anew; less than nothing
	// after `srst`, which is not about those.
	receivedBefore, sentBefore int64

	lastOp   wire.OpCode // 0: none
	lastXid  wire.Xid
	lastZxid wire.Zxid
	lastSeen time.Duration // since the server's start
	latency  latency
}

// connected notes the session's opening, which operators see as the operation
// SESS with xid 0.
func (f *figures) connected(last wire.Zxid) {
	f.lastOp, f.lastXid, f.lastZxid = wire.OpCreateSession, 0, last
}

// seen notes replies that left at a time since the server's start.
func (f *figures) seen(now time.Duration, last wire.Zxid) {
	f.lastSeen = now
	f.lastZxid = max(f.lastZxid, last)
}

// resetTraffic has the sums of all connections begin anew.
func (f *figures) resetTraffic() {
	f.receivedBefore -= f.received
	f.sentBefore -= f.sent
	f.traffic = traffic{}
}

// resetOwn has all else begin anew.
func (f *figures) resetOwn() {
	f.receivedBefore, f.sentBefore = f.received, f.sent
	f.lastOp, f.lastXid, f.lastZxid, f.lastSeen = 0, -1, -1, 0
	f.latency = latency{}
}

// own returns how much the connection received and sent since resetOwn.
func (f *figures) own() (received, sent int64) {
	return f.received - f.receivedBefore, f.sent - f.sentBefore
}

// latency is a connection's own minimum, mean and maximum, for `cons`.
type latency struct {
	last, min, max, sum, count int64 // ms
}

func (l *latency) observe(took time.Duration, n int64) {
	ms := took.Milliseconds()
	if l.count == 0 || ms < l.min {
		l.min = ms
	}
	l.last, l.max = ms, max(l.max, ms)
	l.sum += ms * n
	l.count += n
}

// traffic adds up all connections, the ended ones included.
func (s *Server) traffic() *traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum traffic
	sum.add(&s.ended)
	for c := range s.conns {
		f := c.out.shown()
		sum.add(&f.traffic)
	}
	return &sum
}

func (s *Server) resetTraffic() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = traffic{}
	for c := range s.conns {
		c.out.change((*figures).resetTraffic)
	}
}

// report hands on what was collected.
func (s *sizes) report(to *Metrics, own *figures) {
	if s.n > 0 {
		to.Responses.Observe(s.last, s.min, s.max)
		own.out += s.bytes - s.events
		own.watch += s.events
		*s = sizes{}
	}
}
