package network

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/auth"
	"holt/broker/protocol"
)

// Conn is one client connection. Its exported methods may be called from any
// goroutine.
type Conn struct {
	srv      *Server
	listener *listener
	nc       net.Conn  // the socket
	secured  *tls.Conn // on nc, if the listener has TLS
	remote   net.Addr
	host     string // the client's IP
	frames   frameReader
	out      output
	ctx      context.Context
	cancel   context.CancelFunc

	active    atomic.Int64 // ms since the server's start, of the last progress
	principal atomic.Pointer[auth.Principal]
	software  atomic.Pointer[[2]string]
	values    sync.Map

	// Of the serve goroutine alone.
	sasl     saslState
	clientID string // the last one, so that each request need not have its own copy
	first    bool   // nothing has arrived yet

	endMu  sync.Mutex
	reason error // the first one given
}

// Listener is the name of the listener that the client connected to.
func (c *Conn) Listener() string { return c.listener.Name }

// Protocol is how the listener protects connections.
func (c *Conn) Protocol() SecurityProtocol { return c.listener.Protocol }

// RemoteAddr is the client's address.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// LocalAddr is the address that the client connected to.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// Host is the client's IP, which ACLs speak of.
func (c *Conn) Host() string { return c.host }

// Principal is who the client is.
func (c *Conn) Principal() auth.Principal { return *c.principal.Load() }

// Software is the name and version that the client gave in ApiVersions, empty if it
// gave none.
func (c *Conn) Software() (name, version string) {
	if s := c.software.Load(); s != nil {
		return s[0], s[1]
	}
	return "", ""
}

// Values holds what handlers keep by connection, each under a key type of its own.
func (c *Conn) Values() *sync.Map { return &c.values }

// Context is done when the connection has ended.
func (c *Conn) Context() context.Context { return c.ctx }

// Abort closes the connection at once.
func (c *Conn) Abort(err error) {
	c.ended(err)
	c.out.fail(err)
}

func newConn(l *listener, nc net.Conn) *Conn {
	s := l.srv
	c := &Conn{srv: s, listener: l, nc: nc, remote: nc.RemoteAddr(), first: true}
	c.host = hostOf(c.remote)
	c.frames = frameReader{r: nc, buffers: &s.buffers, budget: &s.budget, arrived: c.touch}
	c.out.init(c)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	anonymous := auth.Anonymous()
	c.principal.Store(&anonymous)
	c.touch()
	return c
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	// A zone is no part of what rules are written for.
	host, _, _ = strings.Cut(host, "%")
	return strings.TrimPrefix(host, "::ffff:")
}

// touch notes progress.
func (c *Conn) touch() { c.active.Store(c.srv.now()) }

func (c *Conn) log() *zap.Logger {
	return c.srv.log.With(zap.String("listener", c.listener.Name), zap.String("remote", c.remote.String()))
}

func errField(err error) zap.Field { return zap.Error(err) }

// ended notes why the connection ends; the first reason counts.
func (c *Conn) ended(err error) {
	c.endMu.Lock()
	defer c.endMu.Unlock()
	if c.reason == nil {
		c.reason = err
	}
}

// serve runs the connection to its end.
func (c *Conn) serve() {
	c.ended(c.run())
	c.out.flush()
	c.sayGoodbye()
	c.out.fail(net.ErrClosed)
	c.cancel()
	c.logEnd()
}

func (c *Conn) logEnd() {
	c.endMu.Lock()
	err := c.reason
	c.endMu.Unlock()
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return
	}
	log := c.log()
	if text := c.srv.mistakes.once(err, c.host); text != "" {
		log.Warn(text, zap.Error(err))
		return
	}
	log.Debug("connection ended", zap.Error(err))
}

func (c *Conn) run() error {
	if err := c.secure(); err != nil {
		return err
	}
	c.sasl.begin(c.listener)
	for {
		if !c.out.ready() {
			return nil
		}
		frame, n, err := c.frames.next(c.limits())
		if err != nil {
			return c.readEnded(err)
		}
		c.touch()
		if err := c.waitMuted(); err != nil {
			c.frames.discard(frame)
			return c.readEnded(err)
		}
		if err := c.take(frame, n); err != nil {
			return err
		}
		c.first = false
		if !c.frames.buffered() {
			c.out.flush()
		}
	}
}

// limits of the next frame.
func (c *Conn) limits() frameLimits {
	most := c.srv.cfg.RequestBytesMax
	if c.sasl.stage != saslDone {
		most = min(most, c.srv.cfg.SASLBytesMax)
	}
	control := protocol.ControlFrameMax
	if c.sasl.stage == saslRaw {
		control = most // a token has no key
	}
	return frameLimits{max: most, control: control}
}

// readEnded finishes what was begun if reading ended because the server closes, and
// says what the client may have meant if it does not speak Kafka's protocol.
func (c *Conn) readEnded(err error) error {
	if c.srv.closing.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		c.out.drain()
		return nil
	}
	if c.first {
		return mistaken(err, c.frames.peek())
	}
	return err
}

// waitMuted blocks while the connection is to be slowed down.
func (c *Conn) waitMuted() error {
	for {
		left := c.out.muted() - c.srv.now()
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(millis(left))
		select {
		case <-timer.C:
			c.touch()
		case <-c.srv.stop:
			timer.Stop()
			return os.ErrDeadlineExceeded
		}
	}
}

// take handles one frame, which is released with the request.
func (c *Conn) take(frame *buffer, n int) error {
	c.srv.metrics.BytesIn.Add(int64(n) + 4)
	r := &Request{Conn: c, Received: time.Now(), size: n}
	r.frame.init(frame, &c.srv.buffers)
	if c.sasl.stage == saslRaw {
		return c.rawToken(r, frame.b[:n])
	}
	var err error
	r.Header, r.Body, err = protocol.ParseHeader(frame.b[:n])
	if err != nil || c.first {
		if zk := zookeeperClient(frame.b[:n]); zk != nil {
			return zk
		}
	}
	if err != nil {
		return err
	}
	if r.ClientID != c.clientID {
		c.clientID = strings.Clone(r.ClientID)
	}
	r.ClientID = c.clientID
	return c.dispatch(r)
}

// dispatch answers the request here or hands it to the handler.
func (c *Conn) dispatch(r *Request) error {
	if !c.srv.cfg.APIs.Serves(r.Key, r.Version) && r.Key != protocol.ApiVersions {
		return fmt.Errorf("%s v%d is not served", r.Key, r.Version)
	}
	c.srv.metrics.arrived(r)
	c.out.push(r)
	switch {
	case r.Key == protocol.ApiVersions:
		return c.apiVersions(r)
	case r.Key == protocol.SaslHandshake:
		return c.saslHandshake(r)
	case r.Key == protocol.SaslAuthenticate:
		return c.saslAuthenticate(r)
	}
	if err := c.sasl.admits(c.srv.now()); err != nil {
		return fmt.Errorf("%s v%d: %w", r.Key, r.Version, err)
	}
	c.srv.handler.Handle(c.ctx, r)
	if !c.out.wait(r) {
		return net.ErrClosed // the reason was given
	}
	return nil
}

func (c *Conn) apiVersions(r *Request) error {
	var features protocol.Features
	if c.srv.cfg.Features != nil {
		features = c.srv.cfg.Features()
	}
	resp, err := c.srv.cfg.APIs.AnswerApiVersions(r.Version, r.Body, features)
	if err != nil {
		return err
	}
	if r.Version >= 3 && resp.ErrorCode == 0 {
		c.noteSoftware(r)
	}
	version := resp.Version // 0 if the request's is not served
	r.raw(func(b []byte) []byte {
		resp.SetVersion(version)
		return protocol.AppendResponse(b, r.CorrelationID, resp)
	})
	r.Release()
	return nil
}

func (c *Conn) noteSoftware(r *Request) {
	req, err := r.Decode()
	if err != nil {
		return // it was decoded before
	}
	v := req.(*kmsg.ApiVersionsRequest)
	c.software.Store(&[2]string{v.ClientSoftwareName, v.ClientSoftwareVersion})
}
