package transport

import (
	"net"
	"time"
)

// Link is what is known of the connections to one peer, of all lanes but
// snapshots. Counts begin when a connection is made.
type Link struct {
	// Remote is the peer's address, "" while no lane to it is up; Since is when
	// the first lane came up.
	Remote string
	Since  time.Time
	// Sent counts messages, Received frames of messages.
	Sent, Received int64
	// Queued counts messages that wait, QueuedBytes their size.
	Queued, QueuedBytes int64
}

// Link returns that of a peer, the zero value for one that is unknown.
func (t *Transport) Link(id uint64) (l Link) {
	t.mu.Lock()
	p := t.peers[id]
	for key, in := range t.incoming {
		if key.from == id && key.lane != laneSnapshot {
			l.Received += in.received.Load()
		}
	}
	t.mu.Unlock()
	if p == nil {
		return Link{}
	}
	for _, s := range p.lanes {
		s.mu.Lock()
		if s.up {
			if l.Remote == "" || s.since.Before(l.Since) {
				l.Remote, l.Since = s.remote, s.since
			}
			l.Sent += s.sent
			l.Queued += int64(len(s.items))
			l.QueuedBytes += int64(s.bytes)
		}
		s.mu.Unlock()
	}
	return l
}

// ResetLinks starts the counts of all links anew.
func (t *Transport) ResetLinks() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, in := range t.incoming {
		in.received.Store(0)
	}
	for _, p := range t.peers {
		for _, s := range p.lanes {
			s.mu.Lock()
			s.sent = 0
			s.mu.Unlock()
		}
	}
}

// remoteOf is the text of a connection's other end, "" if there is none.
func remoteOf(conn net.Conn) string {
	if conn == nil || conn.RemoteAddr() == nil {
		return ""
	}
	return conn.RemoteAddr().String()
}
