package admin

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// connLimit bounds the open connections of an HTTP server. One too many closes
// the connection that has waited longest without a handler at work for it, so that
// clients that open connections and say nothing, or announce a body and do not send
// it, do not keep a probe or a scrape out; if each has a handler at work, the new one
// is closed.
type connLimit struct {
	most int

	mu    sync.Mutex
	conns map[net.Conn]connUse
}

type connUse struct {
	since time.Time
	busy  bool // a handler is at work
}

// during returns a handler that tells when h is at work for a connection.
//
// Requests with a body end their connection: else net/http would read what a handler leaves of it
// before it lets the answer go, and wait for a client that does not send it. It does so for a while
// behind the answer, so that a client that is still sending gets to read that.
func (l *connLimit) during(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			defer func() {
				// A connection without deadlines keeps the one of the server.
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyGrace))
			}()
		}
		if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			l.use(c, true)
			defer l.use(c, false)
		}
		h.ServeHTTP(w, r)
	})
}

func (l *connLimit) use(c net.Conn, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.conns[c]; ok { // else it is being closed as surplus
		l.conns[c] = connUse{since: time.Now(), busy: busy}
	}
}

// changed is the ConnState of an http.Server.
func (l *connLimit) changed(c net.Conn, state http.ConnState) {
	if surplus := l.note(c, state); surplus != nil {
		_ = surplus.Close() // its own goroutine finds out and cleans up
	}
}

// note keeps the books and returns the connection to close, if one is.
func (l *connLimit) note(c net.Conn, state http.ConnState) (surplus net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked:
		delete(l.conns, c)
		return nil
	case http.StateActive, http.StateIdle:
		return nil // during knows better
	}
	if l.conns == nil {
		l.conns = map[net.Conn]connUse{}
	}
	if len(l.conns) >= l.most {
		surplus = l.oldestWaiting(c)
		delete(l.conns, surplus)
		if surplus == c {
			return surplus
		}
	}
	l.conns[c] = connUse{since: time.Now()}
	return surplus
}

// oldestWaiting returns c if all others are busy.
func (l *connLimit) oldestWaiting(c net.Conn) net.Conn {
	oldest, at := c, time.Time{}
	for other, use := range l.conns {
		if !use.busy && (oldest == c || use.since.Before(at)) {
			oldest, at = other, use.since
		}
	}
	return oldest
}
