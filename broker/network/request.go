package network

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/protocol"
)

// Handler serves requests.
type Handler interface {
	// Handle is called for the requests of a connection one after the other, on the
	// connection's goroutine. It, or whomever it hands r to, answers exactly once by
	// Reply, ReplyEncoded, ReplyParts, NoReply or Close; until then the next request is
	// not read, unless r.Later was called before Handle returned. ctx is done when
	// the connection has ended.
	Handle(ctx context.Context, r *Request)
}

// HandlerFunc is a Handler made of a function.
type HandlerFunc func(ctx context.Context, r *Request)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, r *Request) { f(ctx, r) }

// Encoder is a response that writes itself, size and header included;
// *protocol.ProduceResponse is one.
type Encoder interface {
	AppendTo(b []byte, version int16, correlationID int32) []byte
}

// Scatterer is a response in pieces, size and header included;
// *protocol.FetchResponse is one.
type Scatterer interface {
	AppendTo(parts *protocol.Parts, version int16, correlationID int32)
}

// Request is one request of a client. ClientID is a string of its own, Body lies in the
// frame.
type Request struct {
	protocol.Header
	Body []byte
	Conn *Conn
	// Received is when the whole frame had arrived.
	Received time.Time
	// ThrottleMillis, if set before the answer, mutes the connection for so long
	// after it. The answer itself should say the same.
	ThrottleMillis int32

	frame Frame
	size  int // of the frame

	// Guarded by Conn.out.mu.
	later    bool
	answered bool
	closing  bool // the connection is to end when this is first in line
	chunks   []chunk
	one      [1]chunk // where chunks begins
}

// Decode reads the body by kmsg; see protocol.Decode. After an error answer by Close.
func (r *Request) Decode() (kmsg.Request, error) {
	return protocol.Decode(r.Key, r.Version, r.Body)
}

// Later says that the answer may come after Handle has returned and that following
// requests of this connection may be handled meanwhile. To be called within
// Handle.
func (r *Request) Later() {
	o := &r.Conn.out
	o.mu.Lock()
	r.later = true
	o.mu.Unlock()
}

// Release gives the frame back for reuse once nobody else has it acquired. Body, and all
// that lies in it, must not be used afterwards. Never to call it costs garbage and nothing
// else; calls after the first do nothing.
func (r *Request) Release() {
	if r.frame.buffer != nil && !r.frame.released.Swap(true) {
		r.Conn.srv.budget.give(large(r.frame.buffer))
		r.frame.Release()
	}
}

// Frame is what Body lies in.
func (r *Request) Frame() *Frame { return &r.frame }

// Frame is the memory of a request. It counts its users: the request, until that is
// released, and whoever keeps some of its bytes. What those keep is no part of the memory
// that the server allows requests.
type Frame struct {
	*buffer
	buffers  *buffers
	users    atomic.Int32
	released atomic.Bool // by the request
}

func (f *Frame) init(b *buffer, pool *buffers) {
	f.buffer, f.buffers = b, pool
	f.users.Store(1)
}

// Size is how many bytes the frame takes.
func (f *Frame) Size() int { return cap(f.b) }

// Acquire adds a user. There must be one.
func (f *Frame) Acquire() { f.users.Add(1) }

// Release takes a user away. After the last one the memory is used for other requests.
func (f *Frame) Release() {
	if f.users.Add(-1) == 0 {
		f.buffers.put(f.buffer)
	}
}

// Reply answers by kmsg. resp is encoded before Reply returns, in the version of the
// request whatever resp says.
func (r *Request) Reply(resp kmsg.Response) {
	resp.SetVersion(r.Version)
	r.Conn.out.encode(r, func(b []byte) []byte { return protocol.AppendResponse(b, r.CorrelationID, resp) })
}

// ReplyEncoded answers by a response that writes itself, before ReplyEncoded returns.
func (r *Request) ReplyEncoded(resp Encoder) {
	r.Conn.out.encode(r, func(b []byte) []byte { return resp.AppendTo(b, r.Version, r.CorrelationID) })
}

// ReplyParts answers in pieces. What they refer to is used until release is called,
// once, from any goroutine, which must not wait for the connection; release may be nil.
func (r *Request) ReplyParts(resp Scatterer, release func()) {
	r.Conn.out.scatter(r, resp, release)
}

// NoReply says that nothing is to be sent.
func (r *Request) NoReply() { r.Conn.out.answer(r, nil) }

// Close ends the connection once earlier requests are answered. err says why, for
// the log.
func (r *Request) Close(err error) { r.Conn.out.closeAt(r, err) }

// raw answers by bytes that are no response of the protocol.
func (r *Request) raw(add func(b []byte) []byte) { r.Conn.out.encode(r, add) }
