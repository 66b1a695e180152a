package session

import (
	"errors"

	"holt/wire"
)

// NullPath stands for the path in an Error where the original knows none; it prints it.
const NullPath = "null"

// Error is the outcome of a request that did not succeed: what the server said, or
// ConnectionLoss, SessionExpired or AuthFailed when it could not be asked.
type Error struct {
	Code wire.ErrCode
	Path string // of the node in question; may be empty or NullPath
}

// Error is the text of the original's KeeperException.
func (e *Error) Error() string {
	s := "KeeperErrorCode = " + codeText(e.Code)
	if e.Path != "" && e.Path != NullPath {
		s += " for " + e.Path
	}
	return s
}

// Code returns the code of an Error anywhere in err, and OK when there is none.
func Code(err error) wire.ErrCode {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return wire.OK
}

// codeText is the name that the original puts into messages; it differs from that
// of the code for some.
func codeText(c wire.ErrCode) string {
	switch c {
	case wire.OK:
		return "ok"
	case wire.ErrNotEmpty:
		return "Directory not empty"
	case wire.ErrSessionExpired:
		return "Session expired"
	case wire.ErrInvalidCallback:
		return "Invalid callback"
	case wire.ErrSessionMoved:
		return "Session moved"
	case wire.ErrNotReadOnly:
		return "Not a read-only call"
	case wire.ErrEphemeralOnLocalSession:
		return "Ephemeral node on local session"
	case wire.ErrNoWatcher:
		return "No such watcher"
	case wire.ErrReconfigDisabled:
		return "Reconfig is disabled"
	case wire.ErrSessionClosedRequireSaslAuth:
		return "Session closed because client failed to authenticate"
	case wire.ErrQuotaExceeded:
		return "Quota has exceeded"
	case wire.ErrThrottledOp:
		return "Op throttled due to high load"
	case wire.ErrUnknownSession:
		return "Unknown error UNKNOWNSESSION"
	case wire.ErrRequestTimeout:
		return "Unknown error REQUESTTIMEOUT"
	}
	return c.String()
}
