package command

import (
	"context"
	"errors"
	"fmt"

	"holt/cmd/zkcli/internal/session"
	"holt/wire"
)

// Failure is why a command did not do what it was to do: what to tell, and the exit code of a
// program that ends with it.
type Failure struct {
	Text string
	Code int
}

func (f *Failure) Error() string { return f.Text }

// fail returns a failure with the usual exit code.
func fail(text string) error { return &Failure{Text: text, Code: 1} }

func failf(format string, args ...any) error { return fail(fmt.Sprintf(format, args...)) }

// NotFound is the failure of a name that is no command. The original says it twice.
func NotFound(name string) error {
	return &Failure{Text: "Command not found: Command not found " + name, Code: 127}
}

// explain turns an error into a Failure with the words of the original.
func explain(err error) error {
	var f *Failure
	var e *session.Error
	switch {
	case err == nil, errors.As(err, &f):
		return err
	case errors.Is(err, context.Canceled):
		return &Failure{Text: "interrupted", Code: 130} // as shells have it
	case errors.As(err, &e) && errors.Is(err, e) && err == error(e):
		return fail(outcome(e))
	case errors.As(err, &e):
		// Somebody said more than the outcome.
		return fail(err.Error())
	}
	return fail(err.Error())
}

// outcome is what the original says of some outcomes (CliWrapperException).
func outcome(e *session.Error) string {
	switch e.Code {
	case wire.ErrNoNode:
		return "Node does not exist: " + e.Path
	case wire.ErrNoChildrenForEphemerals:
		return "Ephemerals cannot have children: " + e.Path
	case wire.ErrNodeExists:
		return "Node already exists: " + e.Path
	case wire.ErrNotEmpty:
		return "Node not empty: " + e.Path
	case wire.ErrNotReadOnly:
		return "Not a read-only call: " + e.Path
	case wire.ErrInvalidACL:
		return "Acl is not valid : " + e.Path
	case wire.ErrNoAuth:
		return "Insufficient permission : " + e.Path
	case wire.ErrBadArguments:
		return "Arguments are not valid : " + e.Path
	case wire.ErrBadVersion:
		return "version No is not valid : " + e.Path
	case wire.ErrReconfigInProgress:
		return "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)"
	case wire.ErrNewConfigNoQuorum:
		return "No quorum of new config is connected and up-to-date with the leader of last commmitted config" +
			" - try invoking reconfiguration after new servers are connected and synced"
	case wire.ErrQuotaExceeded:
		return "Quota has exceeded : " + e.Path
	}
	return e.Error()
}
