package broker

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/network"
)

// call is one request while it is served, with what its handler goes by. It must be
// answered exactly once, by reply or by a method of r.
type call struct {
	*Broker
	ctx   context.Context
	r     *network.Request
	image *metadata.Image // as it was when the request came
	who   auth.Principal
	began time.Time

	// waited says that the answer waits for something else than work.
	waited bool
	// mute is for how long the client is to be muted at least, in ms.
	mute int32
	// failedAuto is what became of topics that were to be made by themselves.
	failedAuto map[string]kerror.Code
}

// handler serves an API. It may answer later, from another goroutine; the connection
// takes no other request until then.
type handler func(*call)

// decoded makes a handler of a function on a request that kmsg decodes. When the
// function returns nil it has answered, or will.
func decoded[R kmsg.Request](serve func(*call, R) kmsg.Response) handler {
	return func(c *call) {
		req, err := c.r.Decode()
		if err != nil {
			c.r.Close(err)
			return
		}
		if resp := serve(c, req.(R)); resp != nil {
			c.reply(resp)
		}
	}
}

// reply answers, with the throttling that the client's quotas ask for.
func (c *call) reply(resp kmsg.Response) {
	if millis := max(c.requestThrottle(), c.mute); millis > 0 {
		if t, ok := resp.(kmsg.SetThrottleResponse); ok {
			t.SetThrottle(millis)
			c.r.ThrottleMillis = millis
		}
	}
	c.r.Reply(resp)
	c.r.Release()
}

// host is the client's address.
func (c *call) host() string { return c.r.Conn.Host() }

// endpoint returns where clients of this connection's listener reach a broker; false if
// the broker is not alive or has no such listener.
func (c *call) endpoint(id int32) (metadata.Endpoint, bool) {
	b := c.image.Broker(id)
	if b == nil {
		return metadata.Endpoint{}, false
	}
	return b.Endpoint(c.r.Conn.Listener())
}

// within bounds waiting by a request's timeout, and by maxWait.
func (c *call) within(timeoutMillis int32) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(c.ctx, time.Duration(min(timeoutMillis, maxWaitMillis))*time.Millisecond, errTimeout)
}

// maxWaitMillis bounds what clients may ask to wait for.
const maxWaitMillis = 5 * 60 * 1000

// refusal is an outcome with words for the client; the zero value is success.
type refusal struct {
	code    kerror.Code
	message string
}

func (r refusal) ok() bool { return r.code == kerror.OK }

// text is the message for a response; nil if there is none.
func (r refusal) text() *string {
	if r.message == "" {
		return nil
	}
	return &r.message
}
