package server

import (
	"errors"
	"net"
	"time"

	"go.uber.org/zap"

	"holt/server/admin"
	"holt/wire"
)

// accept takes connections from one listener until it is closed.
func (s *Server) accept(l net.Listener, port portKind) {
	defer s.wg.Done()
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of file descriptors, mostly: what is open goes on, and a
			// little patience lets some of it end.
			s.log.Error("accept", zap.Error(err))
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-s.stop:
				return
			}
		}
		s.setOptions(nc)
		if !s.admit(nc, port) {
			s.metrics.ConnectionsRejected.Inc()
			if err := nc.Close(); err != nil {
				s.log.Debug("close rejected connection", zap.Error(err))
			}
		}
	}
}

func (s *Server) setOptions(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	// Go turns probes on by itself; whether they are wanted is the operator's
	// word.
	if err := tcp.SetKeepAlive(s.cfg.TCPKeepAlive); err != nil {
		s.log.Debug("set keep-alive", zap.Error(err))
	}
}

// admit starts to serve a connection, unless a bound on connections is reached.
func (s *Server) admit(nc net.Conn, port portKind) bool {
	c := newConn(s, nc, port)
	s.mu.Lock()
	if s.closing || s.cfg.MaxConns > 0 && len(s.conns) >= s.cfg.MaxConns ||
		s.cfg.MaxClientConns > 0 && s.perIP[c.host] >= s.cfg.MaxClientConns {
		over := !s.closing
		s.mu.Unlock()
		if over {
			s.log.Warn("too many connections", zap.String("remote", c.remote), zap.Int("maxClientCnxns", s.cfg.MaxClientConns))
		}
		return false
	}
	s.conns[c] = struct{}{}
	s.perIP[c.host]++
	s.wg.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.wg.Done()
		c.serve()
	}()
	return true
}

// forget removes an ended connection.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[c]; ok {
		f := c.out.shown()
		s.ended.add(&f.traffic)
	}
	delete(s.conns, c)
	if id := c.sessionID(); id != 0 && s.sessions[id] == c {
		delete(s.sessions, id)
	}
	if s.perIP[c.host]--; s.perIP[c.host] == 0 {
		delete(s.perIP, c.host)
	}
}

// bind makes c the connection of its session on this member. An earlier one is
// closed: the client has left it. What it still held behind a barrier is dropped here and now, as it
// must not take effect behind requests of the new one.
func (s *Server) bind(c *conn) {
	id := c.sessionID()
	s.mu.Lock()
	old := s.sessions[id]
	s.sessions[id] = c
	s.mu.Unlock()
	if old != nil && old != c {
		old.out.closeNow()
		old.stop()
	}
}

// unbind forgets and returns the connection of a session, nil if there is none.
func (s *Server) unbind(id wire.SessionID) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.sessions[id]
	delete(s.sessions, id)
	return c
}

func (s *Server) connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// dropClients closes the connections that which picks, and counts them.
func (s *Server) dropClients(which func(*conn) bool) int {
	s.mu.Lock()
	var picked []*conn
	for c := range s.conns {
		if which(c) {
			picked = append(picked, c)
		}
	}
	s.mu.Unlock()
	for _, c := range picked {
		c.out.closeNow()
		c.stop()
	}
	return len(picked)
}

func everyone(*conn) bool { return true }

// fourLetterWord answers an operator's word, if that is what the connection
// begins with.
func (s *Server) fourLetterWord(c *conn, first [4]byte) bool {
	word, ok := admin.ParseWord(first)
	if !ok {
		return false
	}
	c.out.change(func(f *figures) { f.received++ })
	c.word.Store(true)
	arg, err := c.frames.Take(4 + word.ArgBytes())
	if err != nil {
		return true
	}
	answer := s.words.Answer(word, arg[4:])
	c.out.change(func(f *figures) { f.sent++ })
	c.out.append(func(b []byte) []byte { return append(b, answer...) })
	c.out.closeAfterFlush()
	c.out.flush()
	return true
}
