package apply

import (
	"encoding/binary"

	"holt/session"
	"holt/wire"
)

// createSession opens the session whose id, password and timeout its origin has
// chosen. An id that is in use, which only a clock set back far can bring about, is refused.
func (x *execution) createSession() wire.ErrCode {
	x.start()
	timeoutMillis, passwd, ok := decodeConnect(x.cmd.Body)
	if !ok {
		return wire.ErrMarshallingError
	}
	f, ok := x.sessions.Create(session.Facts{
		ID: x.cmd.Session, Passwd: passwd, TimeoutMillis: timeoutMillis, Owner: x.cmd.Member,
	})
	if !ok {
		return wire.ErrSessionExpired
	}
	x.opened(f, sessionOpened)
	return wire.OK
}

// attach moves a session to the member that its client has come to. It is no
// transaction and takes no zxid, as in ZooKeeper.
func (x *execution) attach() wire.ErrCode {
	timeoutMillis, passwd, ok := decodeConnect(x.cmd.Body)
	if !ok {
		return wire.ErrMarshallingError
	}
	f, ok := x.sessions.Attach(x.cmd.Session, passwd, timeoutMillis, x.cmd.Member)
	if !ok {
		return wire.ErrSessionExpired
	}
	x.opened(f, sessionMoved)
	return wire.OK
}

func (x *execution) opened(f session.Facts, how sessionEvent) {
	x.moved, x.facts = how, f
	x.result.Facts = f
}

// closeSession ends the session of the command, all its ephemeral nodes with it
// under one zxid. No record in the reply.
//
// Differs from ZooKeeper, which lets a session be closed through a member that
// it has left.
func (x *execution) closeSession() wire.ErrCode {
	id := x.cmd.Session
	x.tree.CloseSession(id)
	x.sessions.Close(id)
	x.moved, x.facts = sessionClosed, session.Facts{ID: id}
	return wire.OK
}

// expire serves the leader's closeSession: the session has been silent, unless
// it was taken up again meanwhile. See AppendExpire for the body.
func (x *execution) expire() wire.ErrCode {
	f, ok := x.sessions.Peek(x.cmd.Session)
	if !ok {
		return wire.ErrSessionExpired
	}
	if b := x.cmd.Body; len(b) == 4 && binary.BigEndian.Uint32(b) != f.Attached {
		return wire.ErrSessionMoved
	}
	return x.closeSession()
}
