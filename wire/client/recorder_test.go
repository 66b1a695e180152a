package client

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"holt/wire"
)

// recorder stands between clients and a server and writes down the frames that
// pass, in the language of wire/testdata/captures:
//
//	# comment
//	= connection                 the frames up to the next such line are one connection's
//	> getData 0000001b…          a frame from the client: its operation, and its bytes
//	< getData 0000006a…          a frame from the server: the operation that it answers
//	< notification 0000002b…
//	< closed                     the server closed the connection
//
// The first frame each way is called connect. Connections are to follow one another.
type recorder struct {
	t        testing.TB
	server   string
	listener net.Listener
	wg       sync.WaitGroup

	mu   sync.Mutex
	text strings.Builder
}

func startRecorder(t testing.TB, server string) *recorder {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{t: t, server: server, listener: l}
	r.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.connection(nc) })
		}
	})
	return r
}

func (r *recorder) addr() string { return r.listener.Addr().String() }

func (r *recorder) close() {
	r.listener.Close()
	r.wg.Wait()
}

func (r *recorder) printf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.text, format, args...)
}

func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.text.String()
	r.text.Reset()
	return s
}

func (r *recorder) connection(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", r.server)
	if err != nil {
		r.t.Error(err)
		return
	}
	defer far.Close()
	r.printf("= connection\n")
	var ops sync.Map // wire.Xid → wire.OpCode of the last request with it
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		name := func(h *wire.RequestHeader) string { ops.Store(h.Xid, h.Op); return h.Op.String() }
		r.copyFrames(far, near, ">", func(d *wire.Decoder) string {
			var h wire.RequestHeader
			h.Decode(d)
			return name(&h)
		})
		far.(*net.TCPConn).CloseWrite()
	}()
	r.copyFrames(near, far, "<", func(d *wire.Decoder) string {
		var h wire.ReplyHeader
		h.Decode(d)
		if op, ok := ops.Load(h.Xid); ok {
			return op.(wire.OpCode).String()
		}
		return wire.OpNotification.String()
	})
	select {
	case <-ended: // by the client
	default:
		r.printf("< closed\n")
	}
	near.Close()
	<-ended
}

// copyFrames copies until the source ends. A frame is written down before it is
// passed on, so that what causes another is above it.
func (r *recorder) copyFrames(to io.Writer, from io.Reader, direction string, op func(*wire.Decoder) string) {
	frames := wire.NewFrameReader(from, 16<<20)
	for name := "connect"; ; name = "" {
		payload, err := frames.Next()
		if err != nil {
			return
		}
		if name == "" {
			name = op(wire.NewDecoder(payload))
		}
		b, mark := wire.BeginFrame(nil)
		b = wire.EndFrame(append(b, payload...), mark)
		r.printf("%s %s %x\n", direction, name, b)
		if _, err := to.Write(b); err != nil {
			return
		}
	}
}
