package badinput

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"holt/wire"
)

// patience bounds the wait for whatever a server does about bad input.
const patience = 20 * time.Second

// raw is a connection on which a test writes what it likes.
type raw struct {
	t    *testing.T
	conn net.Conn
	in   *wire.FrameReader
}

func dialRaw(t *testing.T, addr string) *raw {
	t.Helper()
	r, err := dialIfOpen(t, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.conn.Close() })
	return r
}

// dialIfOpen is dialRaw for a port that may not be open. The connection is the caller's to close.
func dialIfOpen(t *testing.T, addr string) (*raw, error) {
	c, err := net.DialTimeout("tcp4", addr, patience)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &raw{t: t, conn: c, in: wire.NewFrameReader(c, 64<<20)}, nil
}

// write sends bytes as they are. That the server has closed the connection shows in the answer,
// not here.
func (r *raw) write(b []byte) {
	r.t.Helper()
	if _, err := r.conn.Write(b); err != nil && !isClosed(err) {
		r.t.Fatal(err)
	}
}

func isClosed(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// open makes a session.
func (r *raw) open() {
	r.t.Helper()
	r.write(frame(connectRequest()))
	if _, err := r.in.Next(); err != nil {
		r.t.Fatalf("no session: %v", err)
	}
}

func connectRequest() []byte {
	request := wire.ConnectRequest{TimeoutMillis: 40_000, Passwd: make([]byte, wire.PasswdSize), HasReadOnly: true}
	return request.AppendTo(nil)
}

// frame puts a length before payload.
func frame(payload []byte) []byte {
	b, mark := wire.BeginFrame(nil)
	return wire.EndFrame(append(b, payload...), mark)
}

// lying is frame with a length that is not the payload's.
func lying(length int32, payload []byte) []byte {
	return append(wire.AppendInt32(nil, length), payload...)
}

// request is a frame of a header and a body.
func request(xid wire.Xid, op wire.OpCode, body []byte) []byte {
	h := wire.RequestHeader{Xid: xid, Op: op}
	return frame(append(h.AppendTo(nil), body...))
}

// reaction reads what the server does about the bytes sent so far: the codes of its replies, and
// then "open" if it goes on to answer pings, or "closed".
func (r *raw) reaction() string {
	r.t.Helper()
	var did []string
	// Two pings, since the original may answer one that it read before it closes.
	for range 2 {
		r.write(request(wire.XidPing, wire.OpPing, nil))
		codes, err := r.untilPong()
		did = append(did, codes...)
		switch {
		case err != nil && isClosed(err):
			return strings.Join(append(did, "closed"), " ")
		case err != nil:
			return strings.Join(append(did, err.Error()), " ")
		}
	}
	return strings.Join(append(did, "open"), " ")
}

// untilPong reads replies up to the answer to a ping and returns their codes.
func (r *raw) untilPong() (codes []string, err error) {
	for {
		payload, err := r.in.Next()
		if err != nil {
			return codes, err
		}
		var h wire.ReplyHeader
		h.Decode(wire.NewDecoder(payload))
		if h.Xid == wire.XidPing {
			return codes, nil
		}
		codes = append(codes, fmt.Sprint(int32(h.Err)))
	}
}

// extend starts the deadline of a connection anew.
func (r *raw) extend() {
	if err := r.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
}
