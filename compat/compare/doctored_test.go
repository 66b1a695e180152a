package compare

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"holt/wire"
)

// TestDoctoredSideIsFound puts a proxy that changes one thing before one of two servers that are the
// same, and wants the comparison to find it; what Canon removes it must not find.
func TestDoctoredSideIsFound(t *testing.T) {
	script, err := Parse(`
a connect
b connect
b addWatch / recursive
a create /x "data"
a create /x/1 ""
a create /x/2 "" mode=e
a getData /x w
a setData /x "more"
a getChildren2 /x
a exists /none
a getACL /x
a multi [setData /x "1"] [check /x]
a closeSession
b op 999
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func() func(frame []byte) [][]byte // nil: the frame as it is
		same   bool
	}{
		{"nothing", func() func([]byte) [][]byte { return nil }, true},
		{"a byte of data", nth(isData("data"), func(f []byte) [][]byte { return [][]byte{bytes.Replace(f, []byte("data"), []byte("date"), 1)} }), false},
		{"zxid one too high", nth(isReply, add(4, 1)), false},
		{"another code", nth(isError, add(12, 1)), false},
		{"another xid", nth(isReply, add(0, 1)), false},
		{"a byte too many", nth(isReply, func(f []byte) [][]byte { return [][]byte{append(f, 0)} }), false},
		{"a byte too few", nth(isStat, func(f []byte) [][]byte { return [][]byte{f[:len(f)-1]} }), false},
		{"an event lost", nth(isEvent, func([]byte) [][]byte { return [][]byte{} }), false},
		{"an event twice", nth(isEvent, func(f []byte) [][]byte { return [][]byte{f, f} }), false},
		{"an event of another kind", nth(isEvent, add(16, 1)), false},
		{"an event behind the reply", lateEvent, false},
		{"ctime far off", nth(isStat, add(statAt+16+2, 1)), false},
		// Of a node that was never written, where both times are the same: else a moment more may be true.
		{"ctime a moment off", nth(isData("data"), add(replyHeaderSize+4+len("data")+statCtime+7, 1)), false},
		{"version", nth(isStat, add(statAt+32+3, 1)), false},
		{"czxid", nth(isStat, add(statAt+7, 1)), false},
		{"children in another order", nth(isChildren, swapChildren), true},
		{"password", nth(isConnect, add(21, 1)), true},
		{"no password", nth(isConnect, func(f []byte) [][]byte { return [][]byte{append(f[:20:20], make([]byte, 17)...)} }), false},
		{"timeout", nth(isConnect, add(7, 1)), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := Pair{startInside(t, layout{}), startInside(t, layout{})}
			dial := p.B.Dial
			change := tc.change()
			p.B.Dial = func(ctx context.Context, client string) (net.Conn, error) {
				c, err := dial(ctx, client)
				if err != nil || client == "" || change == nil {
					return c, err
				}
				return &proxy{Conn: c, frames: wire.NewFrameReader(c, frameMax), change: change}, nil
			}
			a, b, err := p.Run(t.Context(), script)
			if err != nil {
				t.Fatal(err)
			}
			if d := Compare(a, b); (d == nil) != tc.same {
				t.Errorf("difference found: %v, want none: %v\n%s", d, tc.same, a.Text())
			}
		})
	}
	t.Run("a connection left open", func(t *testing.T) {
		p := Pair{startInside(t, layout{}), startInside(t, layout{})}
		dial := p.B.Dial
		p.B.Patience = 500 * time.Millisecond
		p.B.Dial = func(ctx context.Context, client string) (net.Conn, error) {
			c, err := dial(ctx, client)
			if err != nil || client == "" {
				return c, err
			}
			return &openEnded{Conn: c}, nil
		}
		a, b, err := p.Run(t.Context(), script)
		if err != nil {
			t.Fatal(err)
		}
		if Compare(a, b) == nil {
			t.Error("not found")
		}
	})
}

// statAt is where the Stat of a setData's reply begins.
const statAt = replyHeaderSize

func xidOf(f []byte) int32 { return int32(binary.BigEndian.Uint32(f)) }

func isConnect(f []byte) bool { return len(f) == 37 && binary.BigEndian.Uint32(f) == 0 }
func isEvent(f []byte) bool   { return xidOf(f) == -1 }
func isReply(f []byte) bool   { return xidOf(f) > 1 && !isConnect(f) }
func isError(f []byte) bool   { return isReply(f) && binary.BigEndian.Uint32(f[12:]) != 0 }
func isStat(f []byte) bool    { return isReply(f) && len(f) == replyHeaderSize+statSize }
func isChildren(f []byte) bool {
	return isReply(f) && bytes.Contains(f, []byte{0, 0, 0, 2, 0, 0, 0, 1, '1', 0, 0, 0, 11})
}
func isData(text string) func([]byte) bool {
	return func(f []byte) bool { return isReply(f) && bytes.Contains(f, []byte(text)) }
}

// nth changes the first frame that matches.
func nth(match func([]byte) bool, change func([]byte) [][]byte) func() func([]byte) [][]byte {
	return func() func([]byte) [][]byte {
		done := false
		return func(f []byte) [][]byte {
			if done || !match(f) {
				return nil
			}
			done = true
			return change(f)
		}
	}
}

// add adds to the byte at i.
func add(i int, n byte) func([]byte) [][]byte {
	return func(f []byte) [][]byte {
		f[i] += n
		return [][]byte{f}
	}
}

func swapChildren(f []byte) [][]byte {
	const at = replyHeaderSize + 4
	first, rest := bytes.Clone(f[at:at+5]), f[at+5:]
	second := 4 + int(binary.BigEndian.Uint32(rest))
	copy(f[at:], rest[:second])
	copy(f[at+second:], first)
	return [][]byte{f}
}

// lateEvent keeps an event of a connection back until the next reply has passed.
func lateEvent() func([]byte) [][]byte {
	var held []byte
	done := false
	return func(f []byte) [][]byte {
		switch {
		case !done && held == nil && isEvent(f):
			held = bytes.Clone(f)
			return [][]byte{}
		case held != nil && !isEvent(f):
			late := held
			held, done = nil, true
			return [][]byte{f, late}
		}
		return nil
	}
}

// proxy is a connection whose incoming frames are changed.
type proxy struct {
	net.Conn
	frames *wire.FrameReader
	change func([]byte) [][]byte
	ready  []byte
}

func (p *proxy) Read(b []byte) (int, error) {
	for len(p.ready) == 0 {
		f, err := p.frames.Next()
		if err != nil {
			return 0, err
		}
		out := [][]byte{bytes.Clone(f)}
		if p.change != nil {
			if changed := p.change(bytes.Clone(f)); changed != nil {
				out = changed
			}
		}
		for _, f := range out {
			p.ready = append(wire.AppendInt32(p.ready, int32(len(f))), f...)
		}
	}
	n := copy(b, p.ready)
	p.ready = p.ready[n:]
	return n, nil
}

// openEnded is a connection whose end is not told.
type openEnded struct {
	net.Conn
	deadline time.Time
}

func (c *openEnded) SetReadDeadline(d time.Time) error {
	c.deadline = d
	return c.Conn.SetReadDeadline(d)
}

func (c *openEnded) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == io.EOF {
		<-time.After(time.Until(c.deadline))
		return 0, os.ErrDeadlineExceeded
	}
	return n, err
}
