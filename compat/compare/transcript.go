package compare

import (
	"bytes"
	"fmt"

	"holt/wire"
)

// Frame is one thing that a client saw.
type Frame struct {
	Turn   int    // index of the turn in which it was seen
	Client string // "" for the answer to a four-letter word
	Kind   FrameKind
	Op     wire.OpCode // of the request, for a Reply
	Note   string      // what the reply is about, where the script does not say; not compared
	Data   []byte      // the payload in canonical form, or the text of a word
}

// FrameKind says what a Frame is.
type FrameKind int

const (
	Reply     FrameKind = iota // to a request
	Event                      // a notification
	Pong                       // the reply to a ping that ends a turn
	Connected                  // a ConnectResponse
	Stray                      // a frame that answers nothing
	Missing                    // the reply to an earlier request than one that was answered did not come
	Silent                     // nothing came in time
	Closed                     // the server closed the connection
	NotSent                    // the connection was closed before
	Text                       // the answer to a four-letter word
	Refused                    // there was no TLS handshake
)

func (k FrameKind) String() string {
	return [...]string{"reply", "event", "pong", "connected", "stray", "missing", "silent", "closed", "not sent", "text", "no handshake"}[k]
}

// Transcript is what the clients of a script saw, turn by turn, and client by client within a turn.
type Transcript []Frame

// Replies is the number of replies, events and texts: what was compared, without the pings
// that end turns.
func (t Transcript) Replies() int {
	n := 0
	for i := range t {
		switch t[i].Kind {
		case Reply, Event, Connected, Text:
			n++
		}
	}
	return n
}

// Difference is where two transcripts part.
type Difference struct {
	Turn   int
	Client string
	A, B   *Frame // nil if that side had no frame there
}

func (d *Difference) String() string {
	return fmt.Sprintf("turn %d:\n  %s\n  %s", d.Turn, d.A.text(), d.B.text())
}

// Compare returns the first difference, nil if there is none.
func Compare(a, b Transcript) *Difference {
	for i := range max(len(a), len(b)) {
		var x, y *Frame
		if i < len(a) {
			x = &a[i]
		}
		if i < len(b) {
			y = &b[i]
		}
		if x != nil && y != nil && x.equal(y) {
			continue
		}
		// The side that lags within the turn is the one with a frame too few.
		d := &Difference{A: x, B: y}
		switch {
		case x == nil:
			d.Turn, d.Client = y.Turn, y.Client
		case y == nil, x.Turn <= y.Turn:
			d.Turn, d.Client = x.Turn, x.Client
		default:
			d.Turn, d.Client = y.Turn, y.Client
		}
		return d
	}
	return nil
}

func (f *Frame) equal(g *Frame) bool {
	return f.Kind == g.Kind && f.Client == g.Client && f.Turn == g.Turn && f.Op == g.Op && bytes.Equal(f.Data, g.Data)
}
