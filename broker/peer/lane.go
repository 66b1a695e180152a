package peer

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// lane is the connection to one broker for one purpose, if there is one.
type lane struct {
	client  *Client
	broker  int32
	purpose purpose

	mu       sync.Mutex
	conn     *conn
	at       Endpoint      // where conn leads
	dialing  chan struct{} // closed when somebody has dialed; nil if nobody does
	failures int           // in a row
	notTill  time.Time     // the next dialing
	last     error         // of the last dialing
	ended    error
}

// connect returns the lane's connection, dialing it if there is none.
func (l *lane) connect(ctx context.Context) (*conn, error) {
	for {
		at, alive := l.client.cfg.Endpoint(l.broker)
		l.mu.Lock()
		switch {
		case l.ended != nil:
			defer l.mu.Unlock()
			return nil, l.ended
		case !alive:
			l.mu.Unlock()
			return nil, ErrUnknownBroker
		case l.conn != nil && l.conn.broken() == nil && l.at == at:
			defer l.mu.Unlock()
			return l.conn, nil
		case l.dialing == nil:
			if wait := time.Until(l.notTill); wait > 0 && l.at == at {
				defer l.mu.Unlock()
				return nil, fmt.Errorf("%w: %w", ErrBackoff, l.last)
			}
			return l.dial(ctx, at)
		}
		dialing := l.dialing
		l.mu.Unlock()
		select {
		case <-dialing:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// dial opens a connection; l.mu is held, and is not when it returns.
func (l *lane) dial(ctx context.Context, at Endpoint) (*conn, error) {
	old := l.conn
	done := make(chan struct{})
	l.conn, l.at, l.dialing = nil, at, done
	l.mu.Unlock()
	if old != nil {
		old.fail(fmt.Errorf("broker %d is reached elsewhere", l.broker))
	}
	fresh, err := l.client.open(ctx, at)
	l.mu.Lock()
	if err == nil && l.ended != nil {
		fresh.fail(l.ended)
		err = l.ended
	}
	l.dialing = nil
	if err == nil {
		l.conn, l.failures, l.last = fresh, 0, nil
	} else {
		pause := l.client.cfg.BackoffMin << min(l.failures, 16)
		l.failures++
		l.notTill, l.last = time.Now().Add(min(pause, l.client.cfg.BackoffMax)), err
	}
	l.mu.Unlock()
	close(done)
	return fresh, err
}

// end closes the lane for good.
func (l *lane) end(err error) {
	l.mu.Lock()
	l.ended = err
	c := l.conn
	l.mu.Unlock()
	if c != nil {
		c.fail(err)
	}
}
