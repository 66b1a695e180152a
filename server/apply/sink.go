package apply

import (
	"holt/server/watch"
	"holt/session"
	"holt/wire"
)

// Sink is told what an entry did. Its methods are called by Apply, in the order
// of the commands, while the machine's write lock is held and the new state is in
// place. They must not block and must not use the machine; what they are given is valid
// during the call. For one command the order is: changes, session, result.
type Sink interface {
	// Change is called for each change that watches may fire on.
	Change(c *watch.Change)
	// SessionOpened tells that a session was created.
	SessionOpened(f *session.Facts)
	// SessionMoved tells that a session was taken up by another connection, of the
	// member f.Owner, which may be the same as before; the timeout may be another.
	SessionMoved(f *session.Facts)
	// SessionClosed tells that a session has ended.
	SessionClosed(id wire.SessionID)
	// Restored tells that a snapshot has taken the place of the state: what has changed is told in no other
	// way, and watches may have missed it.
	Restored()
	// Result is called for each own command, in the order of the numbers, with none left out.
	Result(c *Command, r *Result)
}

// Result is what came of a command.
type Result struct {
	Err wire.ErrCode
	// Zxid is the command's own; for OpAttach, which has none, the latest.
	Zxid wire.Zxid
	// Body is the encoded record of the reply, for those that have one.
	Body []byte
	// Drop says that there is no reply: the session has ended or is another member's, and the
	// connection that the command came from must be closed.
	Drop bool
	// Facts are those of the session, after a createSession or OpAttach that went well.
	Facts session.Facts
}
