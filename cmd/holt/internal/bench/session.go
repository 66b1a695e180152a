package bench

import (
	"context"
	"fmt"
	"net"
	"time"

	"holt/wire"
)

// maxReply bounds a reply frame: above any listing that a load makes.
const maxReply = 1 << 30

// session is one connection with its session. It carries one goroutine's requests at a time:
// calls one by one, or the stream of a lane.
type session struct {
	conn    net.Conn
	frames  *wire.FrameReader
	timeout time.Duration // as negotiated
	xid     wire.Xid      // of the last request
	out     []byte        // requests not yet written
	decoder wire.Decoder
}

// dial connects to addr and opens a session. ctx bounds the dialling and the handshake.
func dial(ctx context.Context, addr string, timeout time.Duration) (*session, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, frames: wire.NewFrameReader(conn, maxReply)}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := s.handshake(timeout); err != nil {
		conn.Close()
		return nil, fmt.Errorf("open session at %s: %w", addr, err)
	}
	return s, nil
}

func (s *session) handshake(timeout time.Duration) error {
	request := wire.ConnectRequest{
		TimeoutMillis: int32(timeout.Milliseconds()),
		Passwd:        make([]byte, wire.PasswdSize),
		HasReadOnly:   true,
	}
	b, mark := wire.BeginFrame(nil)
	if _, err := s.conn.Write(wire.EndFrame(request.AppendTo(b), mark)); err != nil {
		return err
	}
	payload, err := s.frames.Next()
	if err != nil {
		return err
	}
	var response wire.ConnectResponse
	s.decoder.Reset(payload)
	response.Decode(&s.decoder)
	if err := s.decoder.Err(); err != nil {
		return err
	}
	if response.TimeoutMillis <= 0 {
		return fmt.Errorf("session refused")
	}
	s.timeout = time.Duration(response.TimeoutMillis) * time.Millisecond
	return nil
}

// put adds a request to s.out; record may be nil.
func (s *session) put(op wire.OpCode, record wire.Record) {
	s.xid++
	b, mark := wire.BeginFrame(s.out)
	b = (&wire.RequestHeader{Xid: s.xid, Op: op}).AppendTo(b)
	if record != nil {
		b = record.AppendTo(b)
	}
	s.out = wire.EndFrame(b, mark)
}

// flush writes what s.out holds.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	return err
}

// next reads one reply or notification; the decoder stands at its record. The payload holds
// until the following call.
func (s *session) next() (wire.ReplyHeader, error) {
	payload, err := s.frames.Next()
	if err != nil {
		return wire.ReplyHeader{}, err
	}
	s.decoder.Reset(payload)
	var h wire.ReplyHeader
	h.Decode(&s.decoder)
	return h, s.decoder.Err()
}

// call sends one request, waits for its reply and decodes it into reply, which may be nil. An
// outcome other than OK is the error.
func (s *session) call(op wire.OpCode, request, reply wire.Record) error {
	s.put(op, request)
	if err := s.flush(); err != nil {
		return err
	}
	for {
		h, err := s.next()
		if err != nil {
			return err
		}
		if h.Xid != s.xid {
			continue // a notification
		}
		if h.Err != wire.OK {
			return h.Err
		}
		if reply != nil {
			reply.Decode(&s.decoder)
		}
		return s.decoder.Err()
	}
}

// close ends the session, so that the server need not wait for it to expire, and then the
// connection.
func (s *session) close() error {
	err := s.call(wire.OpCloseSession, nil, nil)
	if cerr := s.conn.Close(); err == nil {
		err = cerr
	}
	return err
}
