package client

import (
	"context"

	"holt/wire"
)

// Call is one request and its reply. The fields above the line are set by the
// caller and belong to the Conn from Go until completion, those below are set on
// completion. A completed Call may be used again.
type Call struct {
	Op wire.OpCode
	// Request is encoded before Go returns; nil for an operation without a body.
	Request wire.Record
	// Reply takes the body of the reply, if there is one; nil if nobody wants it.
	Reply wire.Record
	// Done, if not nil, is called on completion, on the reader's goroutine, or on the
	// caller's if the request was not sent. Strings and buffers of Reply
	// hold only until it returns. If it is nil, Reply holds as long as it is
	// kept, at the cost of a copy, and completion is awaited by Wait.
	Done func(*Call)

	// ------------------------------------------------------------------------

	// Header of the reply; zero if none came.
	Header wire.ReplyHeader
	// Err says why there is no reply, or that its body could not be decoded. It
	// is nil for a reply that carries an error code.
	Err error

	xid   wire.Xid
	raw   bool          // Request is the whole payload
	ready chan struct{} // one token, there when the call is complete; for Wait
}

// Wait blocks until the call is complete, which must not have Done set, and returns its
// Err, or the code of the reply if that is not OK. When ctx ends first, its error is returned
// and the call stays outstanding: it must not be used again.
func (c *Call) Wait(ctx context.Context) error {
	select {
	case <-c.ready:
		c.ready <- struct{}{} // for those who ask again
		return c.Outcome()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Outcome is what a completed call has come to: Err, or the code of the reply if
// that is not OK, or nil.
func (c *Call) Outcome() error {
	if c.Err != nil {
		return c.Err
	}
	return c.Header.Err.Err()
}

// begin makes the call ready to be sent.
func (c *Call) begin() {
	c.Header, c.Err = wire.ReplyHeader{}, nil
	if c.Done != nil {
		return
	}
	if c.ready == nil {
		c.ready = make(chan struct{}, 1)
	}
	select {
	case <-c.ready: // left from the use before
	default:
	}
}

// complete hands the call back to its owner: nothing may touch it after.
func (c *Call) complete(err error) {
	if err != nil {
		c.Err = err
	}
	if c.Done != nil {
		c.Done(c)
		return
	}
	c.ready <- struct{}{}
}

// finish decodes the reply's body, completes the call.
func (c *Call) finish(h wire.ReplyHeader, d *wire.Decoder) {
	c.Header = h
	// A few errors carry a body too, for example a failed SASL step.
	if c.Reply != nil && (h.Err == wire.OK || d.Len() > 0) {
		if c.Done == nil {
			d.Reset(append([]byte(nil), d.Rest()...))
		}
		c.Reply.Decode(d)
		c.Err = d.Err()
	}
	c.complete(nil)
}

// Body is a record as it is: bytes to be sent as a request, whatever they mean, and
// the undecoded body of a reply.
type Body []byte

// AppendTo implements wire.Record.
func (r *Body) AppendTo(b []byte) []byte { return append(b, *r...) }

// Decode implements wire.Record.
func (r *Body) Decode(d *wire.Decoder) { *r = d.Rest() }

// callQueue is a FIFO of calls in a ring.
type callQueue struct {
	ring []*Call
	head int
	n    int
}

func (q *callQueue) push(c *Call) {
	if q.n == len(q.ring) {
		bigger := make([]*Call, max(16, 2*len(q.ring)))
		for i := range q.n {
			bigger[i] = *q.at(i)
		}
		q.ring, q.head = bigger, 0
	}
	*q.at(q.n) = c
	q.n++
}

// at returns the place of the i-th call from the front. len(q.ring) is a power of two.
func (q *callQueue) at(i int) **Call { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *callQueue) front() *Call { return *q.at(0) }

func (q *callQueue) pop() *Call {
	c := q.front()
	*q.at(0) = nil
	q.head++
	q.n--
	return c
}

// remove takes out the i-th call from the front.
func (q *callQueue) remove(i int) *Call {
	c := *q.at(i)
	for ; i > 0; i-- {
		*q.at(i) = *q.at(i - 1)
	}
	q.pop()
	return c
}
