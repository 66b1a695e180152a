package server

import (
	"sync"
	"time"

	"holt/wire"
)

// Three bounds that an operator sets, besides those on connections at accept.
//
//	connection   a bucket of tokens: one is taken by each connect request
//	request      requests in progress on this member, over all connections
//	large        bytes of large requests in progress
//
// ZooKeeper: BlueThrottle, RequestThrottler, ZooKeeperServer.shouldThrottle and
// checkRequestSize.

// tokenBucket admits at most tokens at once and fill more every period.
type tokenBucket struct {
	size, fill int
	period     time.Duration

	mu     sync.Mutex
	tokens int
	filled time.Time // when the last token was put in
}

// newTokenBucket returns nil, which admits everything, if size is 0.
func newTokenBucket(size, fill int, period time.Duration, now time.Time) *tokenBucket {
	if size <= 0 {
		return nil
	}
	return &tokenBucket{size: size, fill: fill, period: period, tokens: size, filled: now}
}

// take takes a token and reports whether there was one.
func (b *tokenBucket) take(now time.Time) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if periods := int64(now.Sub(b.filled) / b.period); periods > 0 {
		b.filled = b.filled.Add(time.Duration(periods) * b.period)
		b.tokens = int(min(int64(b.size), int64(b.tokens)+periods*int64(b.fill)))
	}
	if b.tokens == 0 {
		return false
	}
	b.tokens--
	return true
}

// outstandingLimit is GlobalOutstandingLimit as the original applies it: shared
// by the members that pass requests to one leader.
func (c *Config) outstandingLimit() int {
	voters := 0
	for _, m := range c.Members {
		if !m.Observer {
			voters++
		}
	}
	if voters > 2 {
		return max(1, c.GlobalOutstandingLimit/(voters-1))
	}
	return c.GlobalOutstandingLimit
}

// throttle holds a request back while RequestThrottleMax others are in progress.
// It returns false if the request is to be refused: it waited longer than
// ThrottledOpWaitMillis. A closeSession waits like others and is never refused, since
// its session would live on without a client. ZooKeeper: Request.isThrottlable.
func (c *conn) throttle(h wire.RequestHeader) bool {
	s := c.srv
	if s.cfg.RequestThrottleMax == 0 || h.Op == wire.OpPing || s.inProgress() < s.cfg.RequestThrottleMax {
		return true
	}
	s.metrics.RequestsThrottled.Inc()
	start := time.Now()
	c.out.flushHearing(&c.touched) // replies to what was sent along with it do not wait
	c.stall(true)
	defer c.stall(false)
	stall := time.NewTicker(time.Duration(s.cfg.RequestThrottleStallMillis) * time.Millisecond)
	defer stall.Stop()
	for s.inProgress() >= s.cfg.RequestThrottleMax {
		select {
		case <-stall.C:
		case <-c.gone:
			return true // whatever comes next fails
		}
	}
	s.metrics.ThrottleNanos.Observe(int64(time.Since(start)))
	limit := time.Duration(s.cfg.ThrottledOpWaitMillis) * time.Millisecond
	if limit == 0 || time.Since(start) <= limit || h.Op == wire.OpCloseSession {
		return true
	}
	s.metrics.OpsThrottled.Inc()
	return false
}

// inProgress counts the requests of all connections that wait for something.
func (s *Server) inProgress() int { return int(s.waiting.Load()) }

// tooLarge reports whether a request that just arrived takes the large requests
// in progress over their bound. ZooKeeper closes such a connection.
func (s *Server) tooLarge(n int) bool {
	if s.cfg.LargeRequestThreshold <= 0 || n <= s.cfg.LargeRequestThreshold {
		return false
	}
	if s.largeBytes.Load()+int64(n) <= int64(s.cfg.LargeRequestMaxBytes) {
		return false
	}
	s.metrics.LargeRequestsRejected.Inc()
	return true
}
