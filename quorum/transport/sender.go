package transport

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"holt/wire/socket"
)

// outgoing is one thing to send: a message or a payload, by lane.
type outgoing struct {
	msg     *raftpb.Message
	payload []byte
}

// sender is one lane to one peer.
type sender struct {
	p    *peer
	lane lane
	kick chan struct{} // holds a token while items wait that the goroutine has not seen
	news chan struct{} // holds a token when the peer has connected or gone: dial at once

	mu     sync.Mutex
	up     bool
	remote string    // of the connection that is up
	since  time.Time // when it came up
	sent   int64     // messages put since then
	items  []outgoing
	bytes  int
	// idle: the goroutine waits and nothing is on its way, so put may write to the
	// socket itself. raw is the socket, nil if it cannot be written to without
	// waiting.
	idle   bool
	raw    syscall.RawConn
	direct [1]outgoing
	buf    []byte // put's
	rest   []byte // what the socket had no room for; goes before items
}

// directMax bounds what put writes itself, in bytes: it holds the lock meanwhile.
const directMax = 32 << 10

// put queues an item, unless the lane is down or full.
func (s *sender) put(o outgoing, size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.p.t.metrics
	if !s.up {
		m.Dropped.Inc()
		return ErrDown
	}
	if s.bytes > 0 && s.bytes+size > s.p.t.cfg.MaxQueueBytes {
		m.Dropped.Inc()
		return ErrFull
	}
	if o.msg != nil {
		m.RaftSent.Inc()
	}
	s.sent++
	if s.idle && s.raw != nil && size <= directMax && s.writeDirect(o) {
		return nil
	}
	s.items = append(s.items, o)
	s.bytes += size
	s.idle = false // what comes next must not overtake it
	if len(s.items) == 1 {
		s.kickLocked()
	}
	return nil
}

func (s *sender) kickLocked() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// writeDirect hands an item to an idle socket at once: waking the goroutine for
// it would cost as much as the write, and its time on the way of a lone
// proposal. What the socket has no room for is left to the goroutine. It reports
// false if the item must be queued.
func (s *sender) writeDirect(o outgoing) bool {
	s.direct[0] = o
	buf, err := encode(s.buf[:0], s.lane, s.direct[:])
	s.direct[0] = outgoing{}
	if err != nil {
		return false // the goroutine meets and reports it
	}
	s.buf = buf
	n := socket.TryWrite(s.raw, buf)
	s.p.t.metrics.wrote(n)
	if n < len(buf) {
		s.rest, s.idle = append(s.rest[:0], buf[n:]...), false
		s.kickLocked()
	}
	return true
}

// take returns what is to be sent, first rest, then items; with neither, put may
// write itself from now on.
func (s *sender) take(spare []outgoing) (rest []byte, items []outgoing) {
	clear(spare)
	s.mu.Lock()
	defer s.mu.Unlock()
	rest, items = s.rest, s.items
	s.items, s.bytes, s.rest = spare[:0], 0, nil
	s.idle = len(rest) == 0 && len(items) == 0
	return rest, items
}

// claim keeps put from writing itself until the next take.
func (s *sender) claim() {
	s.mu.Lock()
	s.idle = false
	s.mu.Unlock()
}

// missedAfter is how long there has been no connection when that is told of, once, until there is one again:
// a restart takes less.
const missedAfter = 10 * time.Second

// run keeps a connection up.
func (s *sender) run() {
	p, log := s.p, s.p.t.cfg.Logger.With(zap.Uint64("peer", s.p.id))
	pause := time.Duration(0)
	down, missed := time.Now(), false
	for p.ctx.Err() == nil {
		conn, err := p.dial(s.lane)
		if err == nil {
			pause = 0
			if s.lane == laneRaft {
				p.t.untell(p.id)
			}
			s.serve(conn, log)
			down, missed = time.Now(), false
			continue // at once: whether the peer still accepts tells whether it lives
		}
		if s.lane == laneRaft && errors.Is(err, syscall.ECONNREFUSED) {
			p.t.cfg.Handler.PeerGone(p.id)
		}
		if removed := (*RemovedError)(nil); errors.As(err, &removed) {
			p.t.cfg.Handler.Removed(p.id, removed.Index)
		}
		p.t.tell(p.id, err)
		other := errors.Is(err, errRefused) || errors.Is(err, errLogin) || errors.Is(err, errBegin) // which tell is for
		if s.lane == laneRaft && !missed && !other && time.Since(down) >= missedAfter {
			missed = true
			log.Warn("peer not reached", zap.Error(err), zap.Duration("took", time.Since(down)),
				zap.String("remedy", "start it, or see that its server line names its host and port, and that nothing is between"))
		}
		pause = min(max(2*pause, redialMin), redialMax)
		if s.pause(pause/2 + rand.N(pause/2+1)) {
			pause = 0
		}
	}
}

// tell logs why there is no connection to a peer, if that will not pass by itself: once, whoever finds it, until the
// lane of Raft connects or the reason is of another kind.
func (t *Transport) tell(id uint64, err error) {
	var kind error
	message := "connection refused by peer"
	switch {
	case errors.Is(err, errBegin):
		kind, message = errBegin, "cannot log in at peer"
	case errors.Is(err, errRefused) && !errors.Is(err, ErrNotNow), errors.Is(err, errLogin):
		kind = errRefused
	default:
		return
	}
	t.mu.Lock()
	known := t.told[id] == kind
	t.told[id] = kind
	t.mu.Unlock()
	if !known {
		t.cfg.Logger.Warn(message, zap.Uint64("peer", id), zap.Error(err))
	}
}

func (t *Transport) untell(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.told, id)
}

// pause waits before the next attempt; true if there was news meanwhile.
func (s *sender) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.p.ctx.Done():
	case <-s.news:
		return true
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// serve sends over conn until it breaks. What is queued then is lost.
func (s *sender) serve(conn net.Conn, log *zap.Logger) {
	if s.lane == laneRaft {
		log.Info("connected to peer")
	}
	s.setUp(true, conn)
	s.p.t.metrics.Connections.Inc()
	broken := make(chan error, 1)
	go func() { broken <- awaitEnd(conn) }()
	stop := context.AfterFunc(s.p.ctx, func() { conn.Close() })
	err := s.write(conn, broken)
	stop()
	conn.Close() // broken already, or given up: nothing is lost by an error here
	if err == nil {
		err = <-broken
	} else {
		<-broken
	}
	s.setUp(false, nil)
	if s.p.ctx.Err() == nil && s.lane == laneRaft {
		log.Info("connection to peer lost", zap.Error(err))
		s.p.t.cfg.Handler.Unreachable(s.p.id)
	}
}

// awaitEnd returns when the connection breaks or no sign of life arrives.
// There is nothing else to receive.
func awaitEnd(conn net.Conn) error {
	r, b := &silenceReader{conn: conn}, make([]byte, 16)
	for {
		if _, err := r.Read(b); errors.Is(err, io.EOF) {
			return errors.New("closed by peer")
		} else if err != nil {
			return err
		}
	}
}

func (s *sender) setUp(up bool, conn net.Conn) {
	var raw syscall.RawConn
	if c, ok := conn.(syscall.Conn); ok {
		raw, _ = c.SyscallConn() // without it the goroutine writes
	}
	s.mu.Lock()
	s.up, s.idle, s.raw = up, false, raw
	s.remote, s.since, s.sent = remoteOf(conn), time.Now(), 0
	s.items, s.bytes, s.rest = nil, 0, nil
	s.mu.Unlock()
	if s.lane == laneApp {
		s.p.t.cfg.Handler.PeerUp(s.p.id, up)
	}
}

// write sends what is queued, all that waits with one call, and signs of life
// in between. It returns the error of a write, or nil when broken has something.
func (s *sender) write(conn net.Conn, broken chan error) error {
	alive := time.NewTicker(aliveInterval)
	defer alive.Stop()
	idle := false // since the last tick of alive
	var deadline time.Time
	var items []outgoing
	var buf []byte
	for {
		var rest []byte
		if rest, items = s.take(items); len(rest) == 0 && len(items) == 0 {
			select {
			case <-s.kick:
				continue
			case err := <-broken:
				broken <- err
				return nil
			case <-alive.C:
				// What put wrote meanwhile does not count: a sign of life too many
				// does no harm.
				if !idle {
					idle = true
					continue
				}
				s.claim()
			}
		}
		idle = false
		var err error
		buf = append(buf[:0], rest...)
		if len(rest) == 0 || len(items) > 0 {
			if buf, err = encode(buf, s.lane, items); err != nil {
				return err
			}
		}
		// A deadline in the far half of its time need not be moved.
		if now := time.Now(); deadline.Sub(now) < writeTimeout/2 {
			deadline = now.Add(writeTimeout)
			if err := conn.SetWriteDeadline(deadline); err != nil {
				return err
			}
		}
		if _, err := conn.Write(buf); err != nil {
			return err
		}
		s.p.t.metrics.wrote(len(buf))
		if cap(buf) > 4*frameBytesSoft {
			buf = nil
		}
	}
}

// encode appends frames with all items, one empty frame for none.
func encode(buf []byte, l lane, items []outgoing) (_ []byte, err error) {
	buf, mark := beginFrame(buf)
	for i := range items {
		if len(buf)-mark > frameBytesSoft {
			endFrame(buf, mark)
			buf, mark = beginFrame(buf)
		}
		buf, err = appendItem(buf, func(b []byte) ([]byte, error) {
			if l == laneRaft {
				return AppendMessage(b, items[i].msg)
			}
			return append(b, items[i].payload...), nil
		})
		if err != nil {
			return nil, err
		}
	}
	endFrame(buf, mark)
	return buf, nil
}
