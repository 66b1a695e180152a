package metadata

import (
	"context"
	"errors"
	"fmt"
)

// Coordinator is a connection to the tree that brokers share: one session, with
// ephemeral nodes and one-shot watches. [ZooKeeper] is the real one;
// metadatatest has one in memory. All methods may be called from any goroutine,
// many at a time, and calls made before others of the same session have answered
// are pipelined.
//
// Paths are absolute below the chroot. A read waits, until ctx ends, for a
// connection and is repeated when the connection is lost; a write is repeated
// only when it certainly was not sent. Errors wrap one of this package's
// sentinels ([ErrNoNode] and so on); those of Multi are a [*OpError] when an
// operation was refused.
type Coordinator interface {
	// Get returns a node's data, which may be nil. ErrNoNode, if there is no node:
	// then no watch is set.
	Get(ctx context.Context, path string, watch bool) ([]byte, Stat, error)

	// Exists returns the stat of a node. ErrNoNode, if there is none; the watch is
	// set then too, and fires when the node is made.
	Exists(ctx context.Context, path string, watch bool) (Stat, error)

	// Children returns the names of a node's children, in no order. The watch fires
	// when one is made or deleted.
	Children(ctx context.Context, path string, watch bool) ([]string, Stat, error)

	// Multi performs all operations or none, and returns one result for each.
	// ErrConnectionLoss says that nobody knows which of the two it was.
	Multi(ctx context.Context, ops ...Op) ([]Result, error)

	// Sync returns when reads that follow see all that was written, by anybody,
	// before it was called.
	Sync(ctx context.Context) error

	// Session is the id of the session, 0 before the first one was established and
	// from an expiry until the next one.
	Session() SessionID

	// Listen has f called with every event of the session from now on, one at a
	// time and in order; before the answer of any read that shows what an event
	// tells of. f must not block and not call the Coordinator. Events may still
	// arrive while stop runs, and not after it returned.
	Listen(f func(Event)) (stop func())

	// Close ends the session, whose ephemeral nodes go. Calls under way return
	// ErrClosed. It may be called twice.
	Close() error
}

// SessionID is the id of a session; the owner of ephemeral nodes.
type SessionID int64

// String is the id in the usual hexadecimal form.
func (s SessionID) String() string { return fmt.Sprintf("0x%x", int64(s)) }

// Zxid numbers the changes of the tree.
type Zxid int64

// Stat is what a tree keeps of a node besides its data.
type Stat struct {
	Created   Zxid      // czxid: the change that made the node
	Modified  Zxid      // mzxid: the last change of its data
	CreatedAt int64     // ctime, Unix milliseconds
	Version   int32     // changes of its data
	Owner     SessionID // of an ephemeral node, else 0
	Children  int32
}

// Event is what a Coordinator tells its listeners. Either Path is set: a watch
// fired, and the node or its children may have changed. Or State is.
type Event struct {
	Path  string
	State State
}

// State is a change of a session.
type State uint8

// The states of a session. After Disconnected comes Connected, when the session
// could be kept, or Expired and then, with another id, Connected. Watches survive
// neither, and do not fire: what was watched must be read again after Connected,
// which is told before anything is answered on the new connection.
const (
	Connected State = iota + 1
	Disconnected
	Expired
)

func (s State) String() string {
	switch s {
	case Connected:
		return "connected"
	case Disconnected:
		return "disconnected"
	case Expired:
		return "expired"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Outcomes of the tree's operations, and failures of the connection.
var (
	ErrNoNode     = errors.New("no such node")
	ErrNodeExists = errors.New("node exists")
	ErrBadVersion = errors.New("node has another version")
	ErrNotEmpty   = errors.New("node has children")
	ErrNoAuth     = errors.New("not permitted by the node's ACL")

	// ErrConnectionLoss: the connection went after a write was sent and before its
	// answer came. The write may have happened, or may happen yet.
	ErrConnectionLoss = errors.New("connection lost, outcome unknown")

	// ErrSessionExpired: the session is gone, the write did not happen.
	ErrSessionExpired = errors.New("session expired")

	// ErrClosed: the Coordinator was closed.
	ErrClosed = errors.New("coordinator is closed")
)

// OpError says which operation of a Multi was refused. None was performed.
type OpError struct {
	Index int
	Op    Op
	Err   error // ErrNoNode, ErrNodeExists, ErrBadVersion, ...
}

func (e *OpError) Error() string {
	return fmt.Sprintf("%v %s (operation %d): %v", e.Op.Kind, e.Op.Path, e.Index, e.Err)
}

// Unwrap returns the outcome, for errors.Is.
func (e *OpError) Unwrap() error { return e.Err }

// OpKind is what an Op does.
type OpKind uint8

// The kinds of operations.
const (
	OpCreate OpKind = iota + 1
	OpSet
	OpDelete
	OpCheck
)

func (k OpKind) String() string {
	switch k {
	case OpCreate:
		return "create"
	case OpSet:
		return "set"
	case OpDelete:
		return "delete"
	case OpCheck:
		return "check"
	}
	return fmt.Sprintf("OpKind(%d)", uint8(k))
}

// AnyVersion as a version matches every one.
const AnyVersion int32 = -1

// Op is one write. The functions of the same names make them.
type Op struct {
	Kind       OpKind
	Path       string
	Data       []byte // of create and set; nil is null, not empty
	Version    int32  // expected by set, delete, check
	Ephemeral  bool   // of create
	Sequential bool   // of create: ten digits are appended to the path
}

// Create makes a persistent node.
func Create(path string, data []byte) Op { return Op{Kind: OpCreate, Path: path, Data: data} }

// CreateEphemeral makes a node that goes with the session.
func CreateEphemeral(path string, data []byte) Op {
	return Op{Kind: OpCreate, Path: path, Data: data, Ephemeral: true}
}

// CreateSequential makes a persistent node whose name ends in the next number.
func CreateSequential(path string, data []byte) Op {
	return Op{Kind: OpCreate, Path: path, Data: data, Sequential: true}
}

// Set changes a node's data if it has the version.
func Set(path string, data []byte, version int32) Op {
	return Op{Kind: OpSet, Path: path, Data: data, Version: version}
}

// Delete removes a node without children if it has the version.
func Delete(path string, version int32) Op {
	return Op{Kind: OpDelete, Path: path, Version: version}
}

// Check has a Multi fail unless the node has the version.
func Check(path string, version int32) Op {
	return Op{Kind: OpCheck, Path: path, Version: version}
}

// Result is what an Op came to.
type Result struct {
	Path string // of create: the path with its number
	Stat Stat   // of set
}
