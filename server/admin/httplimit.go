package admin

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// connLimit bounds the open connections of an HTTP server. One too many closes
// the connection that has waited longest without a request in progress, so that
// clients that open connections and say nothing do not keep a probe or a scrape
// out; if each has a request in progress, the new one is closed.
type connLimit struct {
	most int

	mu    sync.Mutex
	conns map[net.Conn]connUse
}

type connUse struct {
	since time.Time
	busy  bool // a request is in progress
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
		if _, ok := l.conns[c]; ok { // else it is being closed as surplus
			l.conns[c] = connUse{since: time.Now(), busy: state == http.StateActive}
		}
		return nil
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
