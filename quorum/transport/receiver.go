package transport

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

type incomingKey struct {
	from uint64
	lane lane
}

// incoming is a peer's connection to this member.
type incoming struct {
	conn     net.Conn
	done     chan struct{} // closed when its goroutine has ended
	received atomic.Int64  // frames with something in them
}

func (t *Transport) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || t.ctx.Err() != nil {
				return
			}
			// Too many open files, for example: it may pass.
			t.cfg.Logger.Warn("accept peer", zap.Error(err))
			sleep(t.ctx, redialMax)
			continue
		}
		if t.await(conn) {
			t.wg.Go(func() { t.receive(conn) })
		} else {
			conn.Close() // nothing was said on it
		}
	}
}

// await counts a connection whose handshake is under way; false if the transport is closed, or
// all that there may be are members'. Of too many handshakes the oldest has to go: a
// member is through with its own at once, and whoever opens connections and says nothing
// must not keep members out.
func (t *Transport) await(conn net.Conn) bool {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return false
	}
	var oldest net.Conn
	if len(t.waiting)+len(t.incoming) >= maxIncoming {
		for c, since := range t.waiting {
			if oldest == nil || since.Before(t.waiting[oldest]) {
				oldest = c
			}
		}
		delete(t.waiting, oldest)
	}
	room := len(t.waiting)+len(t.incoming) < maxIncoming
	if room {
		t.waiting[conn] = time.Now()
	}
	t.mu.Unlock()
	if oldest != nil {
		oldest.Close() // its own goroutine finds out
	}
	return room
}

func (t *Transport) receive(conn net.Conn) {
	defer conn.Close() // only read from: there is nothing to lose
	log := t.cfg.Logger.With(zap.Stringer("remote", conn.RemoteAddr()))
	in := &incoming{conn: conn, done: make(chan struct{})}
	defer close(in.done)
	h, err := t.greet(conn, in)
	if err != nil {
		log.Debug("peer not admitted", zap.Error(err))
		return
	}
	key := incomingKey{h.from, h.lane}
	defer t.leave(key, in)
	t.news(h.from)
	defer t.news(h.from)
	switch h.lane {
	case laneAsk:
		if err := t.answerAsk(conn, h); err != nil {
			log.Debug("question of a member", zap.Uint64("peer", h.from), zap.Error(err))
		}
	case laneSnapshot:
		t.cfg.Handler.Snapshot(h.from, newStream(conn))
	default:
		defer signsOfLife(conn)()
		if err := t.readLane(in, h); errors.Is(err, errDamaged) || errors.Is(err, errMalformed) {
			log.Warn("connection from peer given up", zap.Uint64("peer", h.from), zap.Error(err))
		}
	}
}

// greet takes the login and the hello, judges it, and registers the connection in place of
// an earlier one of the same lane, whose goroutine it waits for: so messages of
// one lane never overtake each other.
func (t *Transport) greet(conn net.Conn, in *incoming) (hello, error) {
	err := conn.SetDeadline(time.Now().Add(handshakeTimeout))
	var h hello
	var refused error
	if err == nil {
		h, refused, err = t.introduction(conn)
	}
	if err != nil {
		t.mu.Lock()
		delete(t.waiting, conn)
		t.mu.Unlock()
		return hello{}, err
	}
	if refused == nil {
		refused = t.judge(h)
	}
	t.mu.Lock()
	delete(t.waiting, conn)
	var before *incoming
	key := incomingKey{h.from, h.lane}
	if t.closed {
		refused = fmt.Errorf("%w: this member is stopping", ErrNotNow)
	}
	if refused == nil {
		before = t.incoming[key]
		t.incoming[key] = in
	}
	t.mu.Unlock()
	if before != nil {
		before.conn.Close() // superseded
		<-before.done
	}
	_, err = conn.Write(appendAnswer(nil, refused))
	if err = errors.Join(refused, err, conn.SetDeadline(time.Time{})); err != nil && refused == nil {
		t.leave(key, in)
	}
	return h, err
}

func (t *Transport) judge(h hello) error {
	if h.to != t.cfg.ID {
		return fmt.Errorf("this is member %d, not %d", t.cfg.ID, h.to)
	}
	if h.from == t.cfg.ID {
		return fmt.Errorf("two members have id %d", h.from)
	}
	if h.lane == laneAsk {
		return nil
	}
	return t.cfg.Handler.Hello(h.from, h.store)
}

func (t *Transport) news(from uint64) {
	if p := t.peer(from); p != nil {
		p.news()
	}
}

func (t *Transport) leave(key incomingKey, in *incoming) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.incoming[key] == in {
		delete(t.incoming, key)
	}
}

// signsOfLife sends a byte every second, also while the handler is busy, until
// the returned function is called. The peer gives up a connection without them.
func signsOfLife(conn net.Conn) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(aliveInterval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			err := conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			if err == nil {
				_, err = conn.Write([]byte{0})
			}
			if err != nil {
				return // the reader sees it, too
			}
		}
	}()
	return func() {
		close(done)
		conn.Close() // a write may be under way
		<-ended
	}
}

func (t *Transport) readLane(in *incoming, h hello) error {
	r := bufio.NewReaderSize(&silenceReader{conn: in.conn}, 64<<10)
	for {
		body, err := readFrame(r)
		if err != nil {
			return err
		}
		t.metrics.Frames.Inc()
		t.metrics.BytesReceived.Add(int64(len(body)))
		if len(body) == 0 {
			continue
		}
		in.received.Add(1)
		if h.lane == laneRaft {
			err = t.raftFrame(h.from, body)
		} else {
			err = items(body, func(item []byte) error {
				t.cfg.Handler.Message(h.from, item[:len(item):len(item)])
				return nil
			})
		}
		if err != nil {
			return err
		}
	}
}

func (t *Transport) raftFrame(from uint64, body []byte) error {
	var msgs []*raftpb.Message
	err := items(body, func(item []byte) error {
		m, err := DecodeMessage(item)
		if err == nil && m.GetFrom() != from && m.GetType() != raftpb.MsgProp {
			err = fmt.Errorf("message of member %d: %w", m.GetFrom(), errMalformed)
		}
		msgs = append(msgs, m)
		return err
	})
	if err != nil {
		return err
	}
	if !t.cfg.Handler.Raft(from, msgs, len(body)) {
		return net.ErrClosed
	}
	return nil
}

// silenceReader fails when nothing has arrived for silenceTimeout. Moving a
// deadline for each read would cost more than the read of a small frame.
type silenceReader struct {
	conn     net.Conn
	deadline time.Time
}

func (s *silenceReader) Read(b []byte) (int, error) {
	if now := time.Now(); s.deadline.Sub(now) < silenceTimeout-aliveInterval {
		s.deadline = now.Add(silenceTimeout)
		if err := s.conn.SetReadDeadline(s.deadline); err != nil {
			return 0, err
		}
	}
	return s.conn.Read(b)
}
