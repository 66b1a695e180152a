package wire

import "strconv"

// EventType is what happened to a watched node.
type EventType int32

const (
	EventNone                EventType = -1 // local to clients: the state of the session changed
	EventNodeCreated         EventType = 1
	EventNodeDeleted         EventType = 2
	EventNodeDataChanged     EventType = 3
	EventNodeChildrenChanged EventType = 4
	// The rest is local to clients, after removeWatches.
	EventDataWatchRemoved       EventType = 5
	EventChildWatchRemoved      EventType = 6
	EventPersistentWatchRemoved EventType = 7
)

// String is the name in ZooKeeper's documentation, for example NodeCreated.
func (t EventType) String() string {
	switch t {
	case EventNone:
		return "None"
	case EventNodeCreated:
		return "NodeCreated"
	case EventNodeDeleted:
		return "NodeDeleted"
	case EventNodeDataChanged:
		return "NodeDataChanged"
	case EventNodeChildrenChanged:
		return "NodeChildrenChanged"
	case EventDataWatchRemoved:
		return "DataWatchRemoved"
	case EventChildWatchRemoved:
		return "ChildWatchRemoved"
	case EventPersistentWatchRemoved:
		return "PersistentWatchRemoved"
	}
	return "event(" + strconv.Itoa(int(t)) + ")"
}

// StateSyncConnected is the only state a server ever puts into a notification.
const StateSyncConnected int32 = 3

// WatcherEvent is the body of a notification.
type WatcherEvent struct {
	Type  EventType
	State int32 // StateSyncConnected
	Path  string
}

// AppendTo implements Record.
func (r *WatcherEvent) AppendTo(b []byte) []byte {
	return AppendString(AppendInt32(AppendInt32(b, int32(r.Type)), r.State), r.Path)
}

// Decode implements Record.
func (r *WatcherEvent) Decode(d *Decoder) {
	r.Type = EventType(d.Int32())
	r.State = d.Int32()
	r.Path = d.String()
}

// WatcherType says which watches checkWatches and removeWatches are about.
type WatcherType int32

const (
	WatcherChildren            WatcherType = 1
	WatcherData                WatcherType = 2
	WatcherAny                 WatcherType = 3
	WatcherPersistent          WatcherType = 4
	WatcherPersistentRecursive WatcherType = 5
)

// Valid reports whether t is one of the above.
func (t WatcherType) Valid() bool { return t >= WatcherChildren && t <= WatcherPersistentRecursive }

// AddWatchMode is the kind of watch that addWatch sets.
type AddWatchMode int32

const (
	AddWatchPersistent          AddWatchMode = 0
	AddWatchPersistentRecursive AddWatchMode = 1
)

// Valid reports whether m is one of the above.
func (m AddWatchMode) Valid() bool {
	return m == AddWatchPersistent || m == AddWatchPersistentRecursive
}

// AddWatchRequest sets a watch that stays. It is answered by an ErrorResponse of OK.
type AddWatchRequest struct {
	Path string
	Mode AddWatchMode // unchecked
}

// AppendTo implements Record.
func (r *AddWatchRequest) AppendTo(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), int32(r.Mode))
}

// Decode implements Record.
func (r *AddWatchRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.Mode = AddWatchMode(d.Int32())
}

// CheckWatchesRequest asks whether the connection has a watch. Answered by the
// header alone.
type CheckWatchesRequest struct {
	Path string
	Type WatcherType // unchecked
}

// AppendTo implements Record.
func (r *CheckWatchesRequest) AppendTo(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), int32(r.Type))
}

// Decode implements Record.
func (r *CheckWatchesRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.Type = WatcherType(d.Int32())
}

// RemoveWatchesRequest drops watches of the connection. Answered by the header alone.
type RemoveWatchesRequest struct {
	Path string
	Type WatcherType // unchecked
}

// AppendTo implements Record.
func (r *RemoveWatchesRequest) AppendTo(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), int32(r.Type))
}

// Decode implements Record.
func (r *RemoveWatchesRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.Type = WatcherType(d.Int32())
}

// SetWatches sets the watches a client had on an earlier connection, and asks for
// the events it missed since RelativeZxid. Answered by the header alone.
type SetWatches struct {
	RelativeZxid Zxid
	DataWatches  []string
	ExistWatches []string
	ChildWatches []string
}

// AppendTo implements Record.
func (r *SetWatches) AppendTo(b []byte) []byte {
	b = AppendInt64(b, int64(r.RelativeZxid))
	b = AppendStrings(b, r.DataWatches)
	b = AppendStrings(b, r.ExistWatches)
	return AppendStrings(b, r.ChildWatches)
}

// Decode implements Record.
func (r *SetWatches) Decode(d *Decoder) {
	r.RelativeZxid = Zxid(d.Int64())
	r.DataWatches = d.Strings()
	r.ExistWatches = d.Strings()
	r.ChildWatches = d.Strings()
}

// SetWatches2 is SetWatches with the persistent ones added.
type SetWatches2 struct {
	SetWatches
	PersistentWatches          []string
	PersistentRecursiveWatches []string
}

// AppendTo implements Record.
func (r *SetWatches2) AppendTo(b []byte) []byte {
	b = r.SetWatches.AppendTo(b)
	b = AppendStrings(b, r.PersistentWatches)
	return AppendStrings(b, r.PersistentRecursiveWatches)
}

// Decode implements Record.
func (r *SetWatches2) Decode(d *Decoder) {
	r.SetWatches.Decode(d)
	r.PersistentWatches = d.Strings()
	r.PersistentRecursiveWatches = d.Strings()
}

// ErrorResponse is the body of an addWatch reply and of the failed parts of a multi,
// where it repeats the code of the header. (jute: ErrorResponse; Java: ErrorResult)
type ErrorResponse struct{ Err ErrCode }

// AppendTo implements Record.
func (r *ErrorResponse) AppendTo(b []byte) []byte { return AppendInt32(b, int32(r.Err)) }

// Decode implements Record.
func (r *ErrorResponse) Decode(d *Decoder) { r.Err = ErrCode(d.Int32()) }
