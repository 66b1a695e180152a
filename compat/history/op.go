package history

import (
	"fmt"
	"math"
	"time"

	"holt/wire"
)

// Kind is what an Op does.
type Kind int

const (
	Create     Kind = iota // a node of its own path, persistent or ephemeral
	CreateSeq              // a node under a path that the server numbers
	CreatePair             // two nodes, Path+"a" and Path+"b", in one multi
	Set                    // the data of a register, if its version is Version
	Delete                 // a node that the same client created
	Get                    // a register's data and stat
	Sync                   // a barrier: a Get sent right after it shows all that was acknowledged before
)

// String names the kind in reports.
func (k Kind) String() string {
	return [...]string{"create", "createSeq", "createPair", "set", "delete", "get", "sync"}[k]
}

// Op is one request and its outcome.
type Op struct {
	Kind      Kind
	Path      string
	Token     string // data written; no two Ops share one
	Version   int32  // that Set expects; −1 for any
	Ephemeral bool

	Client     int
	Session    wire.SessionID
	Connection int           // counted per client: requests on one connection are applied in order
	Invoked    time.Duration // since the start of the history
	Returned   time.Duration // Never if unknown

	Known   bool // a reply came; the rest is its content
	Err     wire.ErrCode
	Zxid    wire.Zxid // of the reply's header
	Created string    // path, of creates
	Data    string    // of Get
	Stat    wire.Stat // of Set and Get
}

// Never is the time of return of an Op whose outcome is unknown: it may yet happen.
const Never = time.Duration(math.MaxInt64)

// OK tells whether the Op is known to have been done.
func (o *Op) OK() bool { return o.Known && o.Err == wire.OK }

// Write tells whether the Op changes the tree.
func (o *Op) Write() bool { return o.Kind != Get && o.Kind != Sync }

// String describes the Op in a report.
func (o *Op) String() string {
	outcome := "unknown"
	if o.Known {
		outcome = fmt.Sprintf("%v zxid %v", o.Err, o.Zxid)
	}
	return fmt.Sprintf("client %d session %v: %v %s %q -> %s", o.Client, o.Session, o.Kind, o.Path, o.Token, outcome)
}

// paths returns the nodes that the Op made, if it was done. For a CreateSeq of unknown outcome
// there is no telling.
func (o *Op) paths() []string {
	switch {
	case o.Kind == CreatePair:
		return []string{o.Path + "a", o.Path + "b"}
	case o.Kind == Create:
		return []string{o.Path}
	case o.Kind == CreateSeq && o.OK():
		return []string{o.Created}
	}
	return nil
}

// Fate is what became of a session.
type Fate int

const (
	Open      Fate = iota // its client was connected when the states were read, and after
	Closed                // its client closed it and was told so
	Abandoned             // its client left without a word, long enough before the states were read
)

// Session is one session of the history.
type Session struct {
	ID      wire.SessionID
	Timeout time.Duration // negotiated
	Fate    Fate
}

// Expiry is a client's being told that its session has expired.
type Expiry struct {
	Session     wire.SessionID
	Timeout     time.Duration
	LastContact time.Duration // when the last request was sent that was answered
	Told        time.Duration
}

// Node is one node of a State.
type Node struct {
	Data string
	Stat wire.Stat
}

// State is what one member showed of a subtree, by path.
type State struct {
	Member int
	Nodes  map[string]Node
}

// History is everything that was done in one run, and what came of it.
type History struct {
	Ops      []*Op
	Sessions []Session
	Expired  []Expiry
	States   []State // at least one
	// Exact says that a read's header carries the zxid of the very state it read, and that a
	// sync is a barrier whatever happens to leaders, both of which Holt promises. The original's
	// zxid may be later, and its sync is answered by a leader that may have been deposed.
	Exact bool
}
