package wire

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// captured is one frame of testdata/captures, a line such as "> getData 0000001b…".
type captured struct {
	where      string
	fromServer bool
	connect    bool // first frame of its direction
	op         OpCode
	frame      []byte
}

// captures reads every frame in testdata/captures; wire/client recorded them and describes
// the format.
func captures(t testing.TB) []captured {
	paths, err := filepath.Glob("testdata/captures/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("captures: %d files, %v", len(paths), err)
	}
	ops := map[string]OpCode{"op(999)": 999}
	for op := OpCode(-20); op < 200; op++ {
		ops[op.String()] = op
	}
	var all []captured
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if fields[0] != "<" && fields[0] != ">" || fields[1] == "closed" {
				continue
			}
			c := captured{where: filepath.Base(path) + ": " + strings.TrimSpace(line), fromServer: fields[0] == "<", connect: fields[1] == "connect"}
			op, ok := ops[fields[1]]
			c.op = op
			if c.frame, err = hex.DecodeString(fields[2]); err != nil || !ok && !c.connect {
				t.Fatalf("%s: operation known: %v, %v", c.where, ok, err)
			}
			all = append(all, c)
		}
	}
	return all
}

// parts returns what the frame holds besides its length: a header, if there is one,
// and a body, if there is one.
func (c captured) parts() (header, body Record) {
	switch {
	case c.connect && c.fromServer:
		return nil, new(ConnectResponse)
	case c.connect:
		return nil, new(ConnectRequest)
	case c.fromServer:
		return new(ReplyHeader), NewResponse(c.op)
	default:
		return new(RequestHeader), NewRequest(c.op)
	}
}

// What Apache ZooKeeper and its Java client sent decodes, and encodes to the same bytes.
func TestCaptures(t *testing.T) {
	seen := map[[2]any]int{}
	for _, c := range captures(t) {
		payload, err := NewFrameReader(bytes.NewReader(c.frame), MaxFrameDefault).Next()
		if err != nil {
			t.Errorf("%s: %v", c.where, err)
			continue
		}
		b, mark := BeginFrame(nil)
		d := NewDecoder(payload)
		header, body := c.parts()
		if header != nil {
			header.Decode(d)
			b = header.AppendTo(b)
		}
		h, isReply := header.(*ReplyHeader)
		failed := isReply && h.Err != OK
		if body != nil && (!failed || d.Len() > 0) {
			body.Decode(d)
			if d.Err() != nil && malformed(c) {
				continue
			}
			b = body.AppendTo(b)
		}
		if d.Err() != nil || d.Len() > 0 {
			t.Errorf("%s: %v, %d bytes left", c.where, d.Err(), d.Len())
			continue
		}
		if got := EndFrame(b, mark); !bytes.Equal(got, c.frame) {
			t.Errorf("%s: encodes to\n%x", c.where, got)
		}
		if !failed {
			seen[[2]any{c.op, c.fromServer}]++
		}
	}
	for op := OpCode(-20); op < 200; op++ {
		if op.Known() && op != OpGetChildrenPage && (seen[[2]any{op, false}] == 0 || seen[[2]any{op, true}] == 0) {
			t.Errorf("no capture of %v, or no successful reply", op)
		}
	}
}

// malformed reports whether a request was recorded for being so.
func malformed(c captured) bool {
	for _, end := range []string{
		"> create 0000000c0000001100000001ffffffff",                                        // path null, and no more
		"> getData 0000000d0000000f00000004000000092f",                                     // one byte of nine
		"> multi 00000020000000080000000e0000000300ffffffff000000012f00ffffffff01ffffffff", // exists in a multi
	} {
		if strings.HasSuffix(c.where, end) {
			return true
		}
	}
	return false
}
