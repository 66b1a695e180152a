package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/protocol"
)

// Endpoint is where a broker is reached.
type Endpoint struct {
	Host string
	Port int32
	TLS  bool
	SASL bool
}

func (e Endpoint) address() string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }

// Config says how to reach brokers. Endpoint is required; the zero value of any other field is its default.
type Config struct {
	// Endpoint returns where a broker is, false if it is not alive.
	Endpoint func(broker int32) (Endpoint, bool)
	// ClientID is what this broker calls itself.
	ClientID string
	// Dial opens a connection; that of a net.Dialer if nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for endpoints that have it. It is asked for each connection, so that files may change.
	TLS func() (*tls.Config, error)
	// SASL is for endpoints that have it.
	SASL SASL

	// DialTimeout bounds all that is done until a connection is ready; 10 s if 0
	// [socket.connection.setup.timeout.ms].
	DialTimeout time.Duration
	// Timeout is how long a broker may let a request wait whose context has no deadline, and how
	// long the socket may take no bytes; 30 s if 0 [replica.socket.timeout.ms].
	Timeout time.Duration
	// BackoffMin and BackoffMax bound the pause after a failure to connect; 50 ms and 1 s if 0
	// [reconnect.backoff.ms].
	BackoffMin, BackoffMax time.Duration
	// ResponseBytesMax is the largest answer that is read; 128 MiB if 0.
	ResponseBytesMax int
}

func (c Config) withDefaults() Config {
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	orElse(&c.DialTimeout, 10*time.Second)
	orElse(&c.Timeout, 30*time.Second)
	orElse(&c.BackoffMin, 50*time.Millisecond)
	orElse(&c.BackoffMax, time.Second)
	orElse(&c.ResponseBytesMax, 128<<20)
	return c
}

func orElse[T int | time.Duration](v *T, fallback T) {
	if *v == 0 {
		*v = fallback
	}
}

var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("client is closed")
	// ErrUnknownBroker says that the broker is not alive as far as is known here.
	ErrUnknownBroker = errors.New("broker is not known")
	// ErrBackoff wraps the failure because of which nothing was tried now.
	ErrBackoff = errors.New("not tried again yet")
)

// purpose tells lanes to one broker apart.
type purpose uint8

const (
	control purpose = iota
	fetching
)

type laneKey struct {
	broker  int32
	purpose purpose
}

// Client sends requests to other brokers. Its methods may be called from any goroutine.
type Client struct {
	cfg    Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // readers

	mu     sync.Mutex
	lanes  map[laneKey]*lane
	closed bool
}

// New returns a Client that has no connection yet.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg.withDefaults(), lanes: map[laneKey]*lane{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Do sends a request and returns the answer. It waits as long as ctx allows, or Config.Timeout if ctx has
// no deadline.
func (c *Client) Do(ctx context.Context, broker int32, req kmsg.Request) (kmsg.Response, error) {
	resp := req.ResponseKind()
	key := protocol.Key(req.Key())
	_, err := c.roundTrip(ctx, broker, control, key, func(b []byte, correlation, highest int32) ([]byte, int16) {
		version := min(req.GetVersion(), int16(highest))
		req.SetVersion(version)
		return protocol.AppendRequest(b, correlation, c.cfg.ClientID, req), version
	}, func(version int16, body []byte) error {
		resp.SetVersion(version)
		return resp.ReadFrom(body)
	})
	if err != nil {
		return nil, fmt.Errorf("%s to broker %d: %w", key, broker, err)
	}
	return resp, nil
}

// Fetch sends a fetch request in req.Version or a lower one that the broker knows, and decodes the
// answer into resp, whose records lie in memory that is the caller's until release is called.
func (c *Client) Fetch(ctx context.Context, broker int32, req *protocol.FetchRequest, resp *protocol.FetchResponse) (release func(), err error) {
	release, err = c.roundTrip(ctx, broker, fetching, protocol.Fetch, func(b []byte, correlation, highest int32) ([]byte, int16) {
		req.Version = min(req.Version, int16(highest))
		return req.AppendTo(b, correlation, c.cfg.ClientID), req.Version
	}, resp.Decode)
	if err != nil {
		return nil, fmt.Errorf("fetch from broker %d: %w", broker, err)
	}
	return release, nil
}

// roundTrip has encode write a request in at most the highest version that the broker knows, and
// decode read the answer. release gives the answer's memory back; never to call it costs garbage and
// nothing else.
func (c *Client) roundTrip(ctx context.Context, broker int32, why purpose, key protocol.Key, encode encodeFunc,
	decode func(int16, []byte) error) (release func(), err error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
	}
	l, err := c.lane(laneKey{broker, why})
	if err != nil {
		return nil, err
	}
	conn, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	x, err := conn.roundTrip(ctx, key, encode)
	if err != nil {
		return nil, err
	}
	if err := decode(x.version, x.body); err != nil {
		conn.fail(err)
		return nil, err
	}
	return func() { conn.frames.give(x.frame) }, nil
}

func (c *Client) lane(key laneKey) (*lane, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	l := c.lanes[key]
	if l == nil {
		l = &lane{client: c, broker: key.broker, purpose: key.purpose}
		c.lanes[key] = l
	}
	return l, nil
}

// Forget closes the connections to a broker that is gone. Requests that wait for it fail.
func (c *Client) Forget(broker int32) {
	for _, why := range []purpose{control, fetching} {
		c.mu.Lock()
		l := c.lanes[laneKey{broker, why}]
		delete(c.lanes, laneKey{broker, why})
		c.mu.Unlock()
		if l != nil {
			l.end(ErrUnknownBroker)
		}
	}
}

// Close ends all connections and whoever waits for an answer, and waits for the Client's goroutines.
// It may be called twice.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	lanes := c.lanes
	c.lanes = nil
	c.mu.Unlock()
	c.cancel()
	for _, l := range lanes {
		l.end(ErrClosed)
	}
	c.wg.Wait()
}
