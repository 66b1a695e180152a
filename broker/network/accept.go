package network

import (
	"errors"
	"net"
	"time"

	"go.uber.org/zap"
)

// accept takes connections from one socket until it is closed.
func (l *listener) accept(sock net.Listener) {
	s := l.srv
	for {
		if !s.limits.wait(l.Name, s.stop) {
			return
		}
		nc, err := sock.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || s.closing.Load() {
				return
			}
			// Out of file descriptors, mostly: what is open goes on, and a little
			// patience lets some of it end.
			s.log.Error("accept", zap.String("listener", l.Name), zap.Error(err))
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-s.stop:
				return
			}
		}
		l.admit(nc)
	}
}

// admit starts to serve a connection, unless its address has too many.
func (l *listener) admit(nc net.Conn) {
	s := l.srv
	host := hostOf(nc.RemoteAddr())
	if why := s.limits.enter(l.Name, host); why != "" {
		s.metrics.ConnectionsRefused.Inc()
		if s.mistakes.tell("limit", host) {
			s.log.Warn(why, zap.String("listener", l.Name), zap.String("remote", nc.RemoteAddr().String()))
		}
		if err := nc.Close(); err != nil {
			s.log.Debug("close refused connection", zap.Error(err))
		}
		return
	}
	l.setOptions(nc)
	c := newConn(l, nc)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.limits.leave(l.Name, host)
		c.Abort(net.ErrClosed)
		c.cancel()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.metrics.Connections.Add(1)
	s.metrics.Accepted.Inc()
	s.wg.Go(func() {
		c.serve()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		s.metrics.Connections.Add(-1)
		s.limits.leave(l.Name, host)
	})
}

// setOptions: Go has set TCP_NODELAY and keep-alive already.
func (l *listener) setOptions(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	for _, o := range []struct {
		bytes int
		set   func(int) error
	}{{l.srv.cfg.SendBufferBytes, tcp.SetWriteBuffer}, {l.srv.cfg.ReceiveBufferBytes, tcp.SetReadBuffer}} {
		if o.bytes <= 0 {
			continue
		}
		if err := o.set(o.bytes); err != nil {
			l.srv.log.Debug("set socket buffer", zap.Error(err))
		}
	}
}
