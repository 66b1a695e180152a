package peer

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"holt/broker/protocol"
	"holt/wire/socket"
)

// encodeFunc appends a request with a correlation id, in at most the highest version, and returns
// the one used.
type encodeFunc func(b []byte, correlation, highest int32) ([]byte, int16)

// conn is one connection. Its fields are guarded by mu, but for writing, which whoever writes holds,
// and what never changes.
type conn struct {
	client   *Client
	nc       net.Conn
	versions map[protocol.Key]int16 // highest ones

	writing sync.Mutex
	scratch []byte // guarded by writing

	frames      frames
	mu          sync.Mutex
	correlation int32
	waiting     []*exchange // in the order of the requests; bounded by the callers, who wait
	err         error       // why it is over
	ended       chan struct{}
}

// exchange is a request that waits for its answer.
type exchange struct {
	key         protocol.Key
	version     int16
	correlation int32
	frame, body []byte // the answer, and what is behind its header
	err         error
	done        chan struct{}
}

// open dials a broker and makes the connection ready.
func (c *Client) open(ctx context.Context, at Endpoint) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.DialTimeout, errors.New("not connected in time"))
	defer cancel()
	stop := context.AfterFunc(c.ctx, cancel)
	defer stop()
	nc, err := c.cfg.Dial(ctx, "tcp", at.address())
	if err != nil {
		return nil, err
	}
	ready, err := c.prepare(ctx, nc, at)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", at.address(), err), nc.Close())
	}
	return ready, nil
}

// prepare encrypts, learns what the broker serves, authenticates, and starts the reader.
func (c *Client) prepare(ctx context.Context, nc net.Conn, at Endpoint) (*conn, error) {
	deadline, _ := ctx.Deadline()
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) }) // wakes whoever reads
	defer stop()
	if err := nc.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if at.TLS {
		if c.cfg.TLS == nil {
			return nil, errors.New("broker wants TLS, and there is no configuration for it")
		}
		cfg, err := c.cfg.TLS()
		if err != nil {
			return nil, err
		}
		cfg = cfg.Clone()
		if cfg.ServerName == "" {
			cfg.ServerName = at.Host
		}
		encrypted := tls.Client(nc, cfg)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS handshake: %w", err)
		}
		nc = encrypted
	}
	k := &conn{client: c, nc: nc, ended: make(chan struct{})}
	if err := k.learnVersions(); err != nil {
		return nil, err
	}
	if at.SASL {
		if err := k.authenticate(&c.cfg.SASL); err != nil {
			return nil, err
		}
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	c.wg.Go(k.read)
	return k, nil
}

// broken is why the connection is over, nil if it is not.
func (k *conn) broken() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// fail ends the connection and everything that waits for an answer.
func (k *conn) fail(err error) {
	k.mu.Lock()
	if k.err != nil {
		k.mu.Unlock()
		return
	}
	k.err = err
	waiting := k.waiting
	k.waiting = nil
	close(k.ended)
	k.mu.Unlock()
	_ = k.nc.Close() // what it was for has failed already
	for _, x := range waiting {
		x.err = err
		close(x.done)
	}
}

// roundTrip sends one request and waits for the answer. Its frame is the caller's; k.frames may be
// given it when nothing refers to it any more.
func (k *conn) roundTrip(ctx context.Context, key protocol.Key, encode encodeFunc) (*exchange, error) {
	x := &exchange{key: key, done: make(chan struct{})}
	if err := k.send(x, encode); err != nil {
		return nil, err
	}
	select {
	case <-x.done:
		return x, x.err
	case <-ctx.Done():
		// The answer may never come, and those behind it would wait for it.
		err := fmt.Errorf("no answer: %w", context.Cause(ctx))
		k.fail(err)
		return nil, err
	}
}

// send writes a request, and makes it the last that waits.
func (k *conn) send(x *exchange, encode encodeFunc) error {
	highest, ok := k.versions[x.key]
	if !ok {
		return fmt.Errorf("broker does not serve %s", x.key)
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.Lock()
	if k.err != nil {
		k.mu.Unlock()
		return k.err
	}
	k.correlation++
	x.correlation = k.correlation
	k.mu.Unlock()
	k.scratch, x.version = encode(k.scratch[:0], x.correlation, int32(highest))
	k.mu.Lock()
	if k.err != nil {
		k.mu.Unlock()
		return k.err
	}
	k.waiting = append(k.waiting, x)
	k.mu.Unlock()
	err := k.nc.SetWriteDeadline(time.Now().Add(k.client.cfg.Timeout))
	if err == nil {
		_, err = k.nc.Write(k.scratch)
	}
	if err != nil {
		k.fail(fmt.Errorf("write: %w", err)) // x is told
	}
	if cap(k.scratch) > 1<<20 {
		k.scratch = nil
	}
	return nil
}

// read hands answers to those that wait, until the connection ends.
func (k *conn) read() {
	for {
		frame, err := k.readFrame()
		if err != nil {
			k.fail(fmt.Errorf("read: %w", err))
			return
		}
		k.mu.Lock()
		if len(k.waiting) == 0 {
			k.mu.Unlock()
			k.fail(errors.New("answer to no request"))
			return
		}
		x := k.waiting[0]
		k.waiting[0] = nil
		k.waiting = k.waiting[1:]
		k.mu.Unlock()
		id, body, err := protocol.ParseResponseHeader(frame, x.key, x.version)
		if err == nil && id != x.correlation {
			err = fmt.Errorf("answer %d to request %d", id, x.correlation)
		}
		x.frame, x.body, x.err = frame, body, err
		close(x.done)
		if err != nil {
			k.fail(err)
			return
		}
	}
}

// readFrame reads one answer into memory of its own, or such as was given back.
func (k *conn) readFrame() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(k.nc, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if int64(n) > int64(k.client.cfg.ResponseBytesMax) {
		return nil, fmt.Errorf("answer of %d bytes", n)
	}
	frame := k.frames.take(int(n))
	if _, err := socket.ReadLarge(k.nc, frame, nil); err != nil {
		return nil, err
	}
	return frame, nil
}
