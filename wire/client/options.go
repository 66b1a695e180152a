package client

import (
	"crypto/tls"
	"time"

	"holt/wire"
)

// Options of a connection. The zero value asks for a new session with defaults.
type Options struct {
	// Session to take up again. The zero value asks for a new one.
	Session Session
	// SessionTimeout wanted; the server may give another. Default 30 s.
	SessionTimeout time.Duration
	// LastZxid that the session has seen; a server that is behind it closes the
	// connection.
	LastZxid wire.Zxid
	// ReadOnly: be content with a server that is cut off from the others.
	ReadOnly bool
	// OmitReadOnly sends the handshake of clients before 3.4, without the flag.
	OmitReadOnly bool
	// MaxFrame bounds replies, in bytes. Default 64 MiB: servers do not limit what they send.
	MaxFrame int
	// MaxOutstanding bounds the calls not answered yet; further ones fail with
	// ErrTooMany. Default 65,536.
	MaxOutstanding int
	// NoPings lets an idle session expire, and an unresponsive server be.
	// Otherwise an idle connection pings, and one on which nothing arrives for
	// two thirds of the session timeout is given up.
	NoPings bool
	// TLS, if not nil, has Dial use TLS. Without a ServerName that of the address counts. New takes
	// its connection as it is.
	TLS *tls.Config
	// OnEvent is called for each notification. May be nil.
	OnEvent func(Event)
}

// Session is what a client needs to take up a session on another connection.
type Session struct {
	ID     wire.SessionID
	Passwd [wire.PasswdSize]byte
}

// Event is a notification. Zxid is that of the transaction it tells of; −1 from
// servers before 3.9, and for what a SetWatches request found changed.
type Event struct {
	wire.WatcherEvent
	Zxid wire.Zxid
}

func (o Options) withDefaults() Options {
	if o.SessionTimeout == 0 {
		o.SessionTimeout = 30 * time.Second
	}
	if o.MaxFrame == 0 {
		o.MaxFrame = 64 << 20
	}
	if o.MaxOutstanding == 0 {
		o.MaxOutstanding = 65536
	}
	return o
}
