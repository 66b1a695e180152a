package session

import (
	"fmt"

	"holt/wire"
)

// State is how a session stands with its servers. It is the word in zkCli.sh's prompt.
type State string

const (
	Connecting        State = "CONNECTING"
	Connected         State = "CONNECTED"
	ConnectedReadOnly State = "CONNECTEDREADONLY"
	Closed            State = "CLOSED"
	AuthFailed        State = "AUTH_FAILED"
)

// Alive tells whether requests can still be made.
func (s State) Alive() bool { return s != Closed && s != AuthFailed }

// Linked tells whether there is a server at the moment.
func (s State) Linked() bool { return s == Connected || s == ConnectedReadOnly }

// EventState is the state of the session in an event. (Watcher.Event.KeeperState)
type EventState string

const (
	EventDisconnected      EventState = "Disconnected"
	EventSyncConnected     EventState = "SyncConnected"
	EventConnectedReadOnly EventState = "ConnectedReadOnly"
	EventAuthFailed        EventState = "AuthFailed"
	EventSaslAuthenticated EventState = "SaslAuthenticated"
	EventExpired           EventState = "Expired"
	EventClosed            EventState = "Closed"
)

// Event is a watch that fired, a watch that was removed, or (EventNone) a change of
// the session's state.
type Event struct {
	State EventState
	Type  wire.EventType
	Path  string    // "" with EventNone
	Zxid  wire.Zxid // of the change; −1 if there is none or the server does not tell
}

// String is the text of the original's WatchedEvent.
func (e Event) String() string {
	path := e.Path
	if path == "" {
		path = "null"
	}
	return fmt.Sprintf("WatchedEvent state:%s type:%s path:%s zxid: %d", e.State, e.Type, path, int64(e.Zxid))
}
