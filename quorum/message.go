package quorum

import "errors"

// ErrUnreachable: there is no connection to the member.
var ErrUnreachable = errors.New("member is unreachable")

// Send passes an application message to a peer's OnMessage. It takes payload
// over and never blocks: ErrUnreachable without a connection, ErrBusy when too much
// waits for the peer. Messages arrive in order or, when the connection breaks, not at
// all from some point on; OnPeer tells of that.
func (m *Member) Send(to uint64, payload []byte) error { return ErrUnreachable }
