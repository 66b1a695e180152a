package apply

import (
	"holt/server/watch"
	"holt/session"
	"holt/wire"
)

// Sink is told what an entry did. Its methods are called in the order of the
// commands, while the write lock is held and the new state is visible. They must
// not block and not keep what they are given.
type Sink interface {
	// Change is a change of the tree, for watches.
	Change(c *watch.Change)
	// Result is that of a command of this member's present incarnation; they
	// come in the order of their numbers, behind the command's changes.
	Result(c *Command, r *Result)
	// SessionOpened and SessionClosed come on every member; SessionClosed before
	// the result of the command that closed it.
	SessionOpened(f *session.Facts)
	SessionClosed(id wire.SessionID)
	// SessionMoved: the session is attached to f.Owner now, maybe again to the
	// same member, maybe with another timeout.
	SessionMoved(f *session.Facts)
}

// Result is the outcome of a command.
type Result struct {
	Err  wire.ErrCode
	Zxid wire.Zxid
	// Body is the encoded record of the reply, empty if it has none.
	Body []byte
	// Drop: the connection is to be closed without a reply, because its session
	// is no more or belongs to another member now. ZooKeeper: never answers
	// either.
	Drop bool
	// Facts are those of the session after createSession or attach.
	Facts session.Facts
}
