package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"holt/wire"
	"holt/wire/client"
)

const (
	// retryPause is how long to wait before the list of servers is gone through again.
	retryPause = time.Second
	// reconnectPauseMax bounds the random pause after a server was lost, which keeps many
	// clients of it from arriving elsewhere at once.
	reconnectPauseMax = 300 * time.Millisecond
)

// run makes one link after the other until the session ends.
func (s *Session) run(ctx context.Context) {
	defer close(s.stopped)
	var better string  // address of a server to try first
	var lost time.Time // when the last link ended
	for next := 0; ; next++ {
		address := s.cfg.Servers[next%len(s.cfg.Servers)]
		if better != "" {
			address, better = better, ""
		}
		l, err := s.attempt(ctx, address)
		var refused *client.LoginError
		switch {
		case ctx.Err() != nil:
			if l != nil {
				l.conn.Abort()
			}
			return
		case errors.Is(err, wire.ErrSessionExpired) || err != nil && s.outlived(lost):
			s.setState(Closed, EventExpired)
			return
		case errors.As(err, &refused):
			s.setState(AuthFailed, EventAuthFailed)
			return
		case err != nil:
			s.mu.Lock()
			s.failures++
			s.updateLocked()
			s.mu.Unlock()
			if (next+1)%len(s.cfg.Servers) == 0 && !pause(ctx, retryPause) {
				return
			}
			continue
		}
		var last bool
		if better, last = s.serve(ctx, l); last {
			return
		}
		lost = time.Now()
		if better == "" && !pause(ctx, rand.N(reconnectPauseMax)) {
			return
		}
	}
}

// outlived tells whether the session must have expired since its server was lost: the
// client then gives it up without being told, as the original does.
func (s *Session) outlived(lost time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.identity.writable && !lost.IsZero() && time.Since(lost) > s.identity.timeout*4/3
}

// attempt makes a link to a server and publishes it.
func (s *Session) attempt(ctx context.Context, address string) (*link, error) {
	s.mu.Lock()
	who := s.identity
	s.mu.Unlock()
	limit := s.cfg.Timeout
	if who.timeout != 0 {
		limit = who.timeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit/time.Duration(len(s.cfg.Servers)))
	defer cancel()
	l, err := s.dial(ctx, address, who)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.identity = l.identity(who)
	s.mu.Unlock()
	if s.cfg.Login != nil {
		if err := s.cfg.Login(ctx, address, l.conn); err != nil {
			l.conn.Abort()
			return nil, err
		}
	}
	// The event of the link comes before those of watches that are set again below.
	state, event := Connected, EventSyncConnected
	if l.conn.ReadOnly() {
		state, event = ConnectedReadOnly, EventConnectedReadOnly
	}
	s.setState(state, event)
	if s.cfg.Login != nil {
		s.setState(state, EventSaslAuthenticated)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Credentials come before watches, which need them, and both before any request.
	for i := range s.auth {
		l.authenticate(&s.auth[i])
	}
	for _, op := range s.watches.rearm(who.zxid, s.root) {
		l.rearm(op)
	}
	s.link = l
	s.updateLocked()
	return l, nil
}

// serve waits for the end of a link and cleans up behind it. It returns the address
// of a better server if that is why, and whether there is to be no other link.
func (s *Session) serve(ctx context.Context, l *link) (better string, last bool) {
	found := make(chan string, 1)
	if l.conn.ReadOnly() {
		seek, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if address := s.seekWritable(seek); address != "" {
				found <- address
			}
		}()
		defer func() { stop(); <-done }()
	}
	select {
	case <-l.conn.Done():
	case <-ctx.Done():
	case better = <-found:
	}
	l.conn.Abort()
	s.mu.Lock()
	s.link = nil
	s.identity.zxid = max(s.identity.zxid, l.conn.LastZxid())
	last = s.closing || ctx.Err() != nil
	s.updateLocked()
	s.mu.Unlock()
	switch {
	case l.refused.Load():
		s.setState(AuthFailed, EventAuthFailed)
		return "", true
	case !last:
		s.setState(Connecting, EventDisconnected)
	}
	return better, last
}

// pause waits and tells whether it was not interrupted.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// AddAuth hands credentials in, on this link and on each later one. No reply is waited
// for: bad ones end the session with the state AuthFailed.
func (s *Session) AddAuth(scheme string, credentials []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.Alive() {
		return
	}
	s.auth = append(s.auth, wire.AuthPacket{Scheme: scheme, Auth: credentials})
	if s.link != nil {
		s.link.authenticate(&s.auth[len(s.auth)-1])
	}
}
