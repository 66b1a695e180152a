package badinput

import (
	"math"
	"strings"

	"holt/wire"
)

// badCase is something sent, and what the original does about it.
type badCase struct {
	name  string
	bytes []byte
	want  string // as reaction writes it
}

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// str is a string as a record holds it.
func str(s string) []byte { return wire.AppendString(nil, s) }

func i32(v int32) []byte { return wire.AppendInt32(nil, v) }

// beforeHandshake are the first bytes of a connection.
func beforeHandshake() []badCase {
	connect := connectRequest()
	passwd := func(length int32) []byte { // a handshake whose password lies about its length
		b := append([]byte(nil), connect[:24]...)
		return append(append(b, i32(length)...), connect[28:]...)
	}
	return []badCase{
		{"length -1", lying(-1, nil), "closed"},
		{"length -2^31", lying(math.MinInt32, connect), "closed"},
		{"length 2^31-1", lying(math.MaxInt32, connect), "closed"},
		{"length above the limit", lying(wire.MaxFrameDefault+1, connect), "closed"},
		{"length 0", lying(0, nil), "closed"},
		{"unknown four-letter word", []byte("zzzz"), "closed"},
		{"no four-letter word", []byte("GET / HTTP/1.1\r\n\r\n"), "closed"},
		{"empty handshake of one byte", frame([]byte{0}), "closed"},
		{"password of length -2", frame(passwd(-2)), "closed"},
		{"password of length 2^31-1", frame(passwd(math.MaxInt32)), "closed"},
		{"password longer than the frame", frame(passwd(1000)), "closed"},
		{"handshake cut off", frame(connect[:20]), "closed"},
	}
}

// framesInSession are frames that are wrong whatever they hold.
func framesInSession() []badCase {
	return []badCase{
		{"length -1", lying(-1, nil), "closed"},
		{"length 2^31-1", lying(math.MaxInt32, nil), "closed"},
		{"length above the limit", lying(wire.MaxFrameDefault+1, nil), "closed"},
		{"length 0", lying(0, nil), "closed"},
		{"half a header", frame(i32(1)), "closed"},
		{"a header cut off", frame(join(i32(1), []byte{0, 0})), "closed"},
	}
}

// unknownOps are requests of kinds that clients may not send.
func unknownOps() []badCase {
	var cases []badCase
	for _, op := range []wire.OpCode{wire.OpNotification, wire.OpError, wire.OpCheck, 10, 23, 99, 108, 999, math.MaxInt32, math.MinInt32} {
		cases = append(cases, badCase{"op " + op.String(), request(1, op, str("/")), "-6 closed"})
	}
	return cases
}

// badRecords are bodies that do not hold what their header announces.
func badRecords() []badCase {
	acl := join(i32(1), i32(31), str("world"), str("anyone"))
	create := join(str("/x"), i32(1), []byte("d"), acl, i32(0))
	multi := func(parts ...[]byte) []byte { return request(1, wire.OpMulti, join(parts...)) }
	part := func(op wire.OpCode, record []byte) []byte {
		h := wire.MultiHeader{Type: op, Err: -1}
		return join(h.AppendTo(nil), record)
	}
	end := wire.AppendMultiEnd(nil)
	manyParts := strings.Repeat(string(part(wire.OpCheck, join(str("/"), i32(-1)))), 5000)
	return []badCase{
		{"create without a body", request(1, wire.OpCreate, nil), "-5 open"},
		{"create cut off", request(1, wire.OpCreate, create[:len(create)-3]), "-5 open"},
		{"create of a null path", request(1, wire.OpCreate, join(i32(-1), create[6:])), "-5 open"},
		{"create of a path of length -2", request(1, wire.OpCreate, join(i32(-2), create[6:])), "-5 open"},
		{"create of a path of length 2^31-1", request(1, wire.OpCreate, join(i32(math.MaxInt32), create[6:])), "-5 open"},
		{"create with data of length 2^31-1", request(1, wire.OpCreate, join(str("/x"), i32(math.MaxInt32), acl, i32(0))), "-5 open"},
		{"create with 2^31-1 ACLs", request(1, wire.OpCreate, join(str("/x"), i32(0), i32(math.MaxInt32), acl[4:], i32(0))), "-5 open"},
		{"create with -2 ACLs", request(1, wire.OpCreate, join(str("/x"), i32(0), i32(-2), i32(0))), "-114 open"},
		{"create with a mode that does not exist", request(1, wire.OpCreate, join(create[:len(create)-4], i32(77))), "-8 open"},
		{"create of a path with NUL", request(1, wire.OpCreate, join(str("/a\x00b"), create[6:])), "-8 open"},
		{"create of a path that is no UTF-8", request(1, wire.OpCreate, join(str("/\xff\xfe"), create[6:])), "-8 open"},
		{"create of the empty path", request(1, wire.OpCreate, join(str(""), create[6:])), "-8 open"},
		{"getData without a body", request(1, wire.OpGetData, nil), "-5 open"},
		{"getData of a null path", request(1, wire.OpGetData, join(i32(-1), []byte{0})), "-5 open"},
		{"getData without its flag", request(1, wire.OpGetData, str("/")), "-5 open"},
		{"getData of a path longer than the frame", request(1, wire.OpGetData, join(i32(50), []byte("/"))), "-5 open"},
		{"exists cut off", request(1, wire.OpExists, i32(5)), "-5 open"},
		{"setData cut off", request(1, wire.OpSetData, join(str("/"), i32(100))), "-5 open"},
		{"delete cut off", request(1, wire.OpDelete, str("/x")), "-5 open"},
		{"getChildren2 cut off", request(1, wire.OpGetChildren2, i32(1)), "-5 open"},
		{"setACL with 2^31-1 ACLs", request(1, wire.OpSetACL, join(str("/"), i32(math.MaxInt32))), "-5 open"},
		{"sync without a body", request(1, wire.OpSync, nil), "-5 open"},
		{"setWatches with 2^31-1 paths", request(wire.XidSetWatches, wire.OpSetWatches, join(i32(0), i32(0), i32(math.MaxInt32))), "-5 open"},
		{"setWatches cut off", request(wire.XidSetWatches, wire.OpSetWatches, i32(0)), "-5 open"},
		{"addWatch with a mode that does not exist", request(1, wire.OpAddWatch, join(str("/"), i32(7))), "-5 open"},
		{"removeWatches of a kind that does not exist", request(1, wire.OpRemoveWatches, join(str("/"), i32(9))), "-5 open"},
		{"auth without a body", request(wire.XidAuth, wire.OpAuth, nil), "closed"},
		{"auth of an unknown scheme", request(wire.XidAuth, wire.OpAuth, join(i32(0), str("nonsense"), str("x"))), "-115 closed"},
		{"auth of a null scheme", request(wire.XidAuth, wire.OpAuth, join(i32(0), i32(-1), i32(-1))), "-115 closed"},
		{"multi without an end", multi(part(wire.OpCheck, join(str("/"), i32(-1)))), "-5 open"},
		{"multi within a multi", multi(part(wire.OpMulti, end), end), "-5 open"},
		{"multi of a read", multi(part(wire.OpGetData, join(str("/"), []byte{0})), end), "-5 open"},
		{"multi of an unknown op", multi(part(999, nil), end), "-5 open"},
		{"multi with a part cut off", multi(part(wire.OpSetData, str("/")), end), "-5 open"},
		{"multi of 5000 parts", multi([]byte(manyParts), end), "0 open"},
		{"multiRead of a write", request(1, wire.OpMultiRead, join(part(wire.OpDelete, join(str("/x"), i32(-1))), end)), "-5 open"},
		{"a request with more bytes than it needs", request(1, wire.OpGetData, join(str("/"), []byte{0}, []byte("more"))), "0 open"},
	}
}
