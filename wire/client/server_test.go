package client

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holt/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is the other end of a connection, played by the test: requests are read
// and replies written when the test says so.
type server struct {
	t      testing.TB
	nc     net.Conn
	frames *wire.FrameReader
	hello  wire.ConnectRequest
}

// request is one that the server has read; body aliases its buffer.
type request struct {
	wire.RequestHeader
	body []byte
}

func newServer(t testing.TB, nc net.Conn) *server {
	return &server{t: t, nc: nc, frames: wire.NewFrameReader(nc, 1<<20)}
}

// accept reads the connect request and answers it.
func (s *server) accept(response wire.ConnectResponse) {
	payload, err := s.frames.Next()
	if err != nil {
		s.t.Errorf("connect request: %v", err)
		return
	}
	d := wire.NewDecoder(payload)
	s.hello.Decode(d)
	s.hello.Passwd = append([]byte(nil), s.hello.Passwd...)
	if d.Err() != nil {
		s.t.Errorf("connect request: %v", d.Err())
	}
	response.HasReadOnly = s.hello.HasReadOnly
	b, mark := wire.BeginFrame(nil)
	s.write(wire.EndFrame(response.AppendTo(b), mark))
}

// next reads a request; ok is false when the client has closed.
func (s *server) next() (r request, ok bool) {
	payload, err := s.frames.Next()
	if err != nil {
		return r, false
	}
	d := wire.NewDecoder(payload)
	r.Decode(d)
	r.body = d.Rest()
	return r, true
}

// expect reads a request that must be of op.
func (s *server) expect(op wire.OpCode) request {
	s.t.Helper()
	r, ok := s.next()
	if !ok || r.Op != op {
		s.t.Errorf("request %v (one came: %v), want %v", r.Op, ok, op)
	}
	return r
}

func (s *server) write(b []byte) {
	if _, err := s.nc.Write(b); err != nil {
		s.t.Errorf("server: %v", err)
	}
}

func (s *server) reply(xid wire.Xid, zxid wire.Zxid, code wire.ErrCode, body wire.Record) {
	s.write(appendReply(nil, xid, zxid, code, body))
}

func appendReply(b []byte, xid wire.Xid, zxid wire.Zxid, code wire.ErrCode, body wire.Record) []byte {
	b, mark := wire.BeginFrame(b)
	h := wire.ReplyHeader{Xid: xid, Zxid: zxid, Err: code}
	b = h.AppendTo(b)
	if body != nil {
		b = body.AppendTo(b)
	}
	return wire.EndFrame(b, mark)
}

var accepted = wire.ConnectResponse{TimeoutMillis: 6000, SessionID: 0x1234, Passwd: []byte("0123456789abcdef")}

// connect returns both ends of a connection in memory. It may be called in a bubble.
func connect(t testing.TB, o Options) (*Conn, *server) {
	t.Helper()
	near, far := net.Pipe()
	s := newServer(t, far)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.accept(accepted)
	}()
	c, err := New(context.Background(), near, o)
	if err != nil {
		t.Fatal(err)
	}
	<-done
	t.Cleanup(func() {
		c.Abort()
		far.Close()
	})
	return c, s
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// tcpPair connects to a server that answers every getData with 100 bytes.
func tcpPair(tb testing.TB) *Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		s := newServer(tb, nc)
		s.accept(accepted)
		reply := &wire.GetDataResponse{Data: make([]byte, 100)}
		serve(s, func(request) (wire.ErrCode, wire.Record) { return wire.OK, reply })
	}()
	c, err := Dial(context.Background(), l.Addr().String(), Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		c.Abort()
		l.Close()
		<-ended
	})
	return c
}
