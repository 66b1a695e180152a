package compare

import (
	"time"

	"holt/wire"
)

// Script is what the clients do, in order.
type Script []Step

// Step is one action of one client, or of nobody.
type Step struct {
	Client string // "" for wait and word
	Action Action
	Break  bool // begins a turn, though it might be sent with the step before

	// Of ActRequest:
	Xid   int32   // 0 takes the connection's next
	Op    *opSpec // nil for an op code without a spec
	Code  wire.OpCode
	Args  []value // one for each field of Op
	Parts []Step  // of multi and multiRead
	Raw   []byte  // the body if Op is nil, the payload of ActFrame, the bytes of ActBytes
	Cut   int     // the body ends after so many bytes; −1 for all of them
	Flip  []flip  // then these bytes of the body are replaced

	Connect connectArgs   // of ActConnect
	Wait    time.Duration // of ActWait
	Word    string        // of ActWord
	At      string        // member of ActConnect and ActWord, see Side.Dial; "" leaves it to the client's name
	Via     via           // of ActConnect and ActWord
}

// flip replaces one byte of a body.
type flip struct {
	at int
	to byte
}

// Action is the kind of a Step.
type Action int

const (
	ActRequest Action = iota
	ActConnect        // open a connection and send a ConnectRequest
	ActDrop           // close the connection, leaving the session
	ActFrame          // send a payload as it is
	ActBytes          // send bytes that need not be a frame
	ActTree           // read everything below a path
	ActRemove         // remove everything below a path, and the path unless it is "/"
	ActWait           // let time pass, with no client pinging
	ActWord           // ask a four-letter word on a connection of its own
)

// connectArgs are the fields of a ConnectRequest that a script may choose.
type connectArgs struct {
	timeout  int32
	zxid     int64  // canonical
	session  string // client whose session to take up; "" for a new one
	id       int64  // session id to claim when session is "", 0 for a new session
	passwd   string // "", or one of: wrong, null, short
	readOnly bool
	old      bool // without the readOnly byte, as before 3.4
	cut      int  // send only so many bytes of the record; −1 for all
}

// fragile reports whether the step's connection may be closed by the server, or its reply
// overtake others, so that nothing may be under way beside it. The original answers auth,
// SASL and unknown op codes on another thread than requests.
func (s *Step) fragile() bool {
	switch s.Action {
	case ActConnect, ActDrop, ActFrame, ActBytes, ActTree, ActRemove, ActWait, ActWord:
		return true
	}
	if s.Cut >= 0 || len(s.Flip) > 0 || s.Op == nil {
		return true
	}
	switch s.Code {
	case wire.OpAuth, wire.OpSASL, wire.OpCheck, wire.OpCloseSession, wire.OpCreateSession, wire.OpDeleteContainer,
		wire.OpGetChildrenPage, wire.OpReconfig:
		return true
	}
	return false
}

// last reports whether nothing may be sent before the step is answered. The original judges
// writes by the old ACL of a node while a setACL is under way, whoever sent it.
func (s *Step) last() bool {
	return s.fragile() || s.Action == ActRequest && s.Code == wire.OpSetACL
}

// quiet reports whether the step cannot change anything that another client could see, not even the
// last zxid.
func (s *Step) quiet() bool { return !s.fragile() && !s.Code.IsWrite() }

// turns cuts the script into the runs of steps that may be sent at once. They alias s.
func (s Script) turns() []Script {
	var turns []Script
	start := 0
	for i := 1; i <= len(s); i++ {
		if i < len(s) && s[i].Client == s[start].Client && !s[i].Break && !s[i].fragile() && !s[i-1].last() && i-start < turnMax {
			continue
		}
		turns = append(turns, s[start:i])
		start = i
	}
	if len(s) == 0 {
		return nil
	}
	return turns
}

// turnMax bounds the steps of a turn so that neither side blocks on writing to the other.
const turnMax = 64
