package apply

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"holt/wire"
)

func randomCommand(r *rand.Rand) Command {
	bits := func() uint64 { return r.Uint64() >> r.IntN(64) }
	c := Command{
		Origin:  Origin{bits(), bits(), bits()},
		Session: wire.SessionID(bits()), Xid: wire.Xid(bits()), Op: wire.OpCode(bits()),
		Flags: Flags(r.IntN(int(flagsKnown) + 1)), Body: []byte{},
	}
	for range r.IntN(4) {
		c.Identities = append(c.Identities, wire.Identity{Scheme: text(r), ID: text(r)})
	}
	c.Body = append(c.Body, text(r)...)
	return c
}

func text(r *rand.Rand) string { return strings.Repeat("x", r.IntN(3)*r.IntN(150)) }

func TestCommandRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c := randomCommand(r)
		b := c.AppendTo([]byte("before"))
		b = b[len("before"):]
		if len(b) != c.EncodedLen() {
			t.Fatalf("%+v: %d bytes, EncodedLen says %d", c, len(b), c.EncodedLen())
		}
		var got Command
		if err := got.Decode(b); err != nil || !reflect.DeepEqual(got, c) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, c)
		}
		if s, f := PeekCommand(b); s != c.Session || f != c.Flags {
			t.Fatalf("PeekCommand: %v, %v", s, f)
		}
		if err := CheckCommand(b, c.Member); (err == nil) != (c.Member != 0) {
			t.Fatalf("CheckCommand of %+v: %v", c, err)
		}
		head := len(b) - len(c.Body)
		for n := range head {
			if err := got.Decode(b[:n]); err == nil || CheckCommand(b[:n], c.Member) == nil {
				t.Fatalf("%d of %d bytes are a command", n, head)
			}
			PeekCommand(b[:n])
		}
	}
}

func TestCommandDecodeErrors(t *testing.T) {
	good := (&Command{Origin: Origin{1, 2, 3}, Op: 1}).AppendTo(nil)
	if err := new(Command).Decode(good); err != nil {
		t.Fatal(err)
	}
	edit := func(at int, with ...byte) []byte {
		b := bytes.Clone(good)
		return append(b[:at], append(with, b[at+1:]...)...)
	}
	const xid, op, ids = commandFixed + 1, commandFixed + 2, commandFixed + 3
	for name, b := range map[string][]byte{
		"unknown flag":        edit(0, 0x80),
		"xid beyond 32 bits":  edit(xid, 0x80, 0x80, 0x80, 0x80, 0x10),
		"op beyond 32 bits":   edit(op, 0x81, 0x80, 0x80, 0x80, 0x10),
		"varint without end":  edit(op, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80),
		"too many identities": edit(ids, 100),
		"identity too long":   edit(ids, 1, 200, 1),
	} {
		if err := new(Command).Decode(b); err == nil || CheckCommand(b, 1) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := CheckCommand(good, 2); err == nil {
		t.Error("a command of member 1 from member 2: no error")
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := CheckCommand(good, 1); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("CheckCommand: %v allocations", n)
	}
}

func FuzzCommand(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		c := randomCommand(r)
		f.Add(c.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		PeekCommand(b)
		var c, again Command
		err := c.Decode(b)
		if c.Member != 0 && (err == nil) != (CheckCommand(b, c.Member) == nil) {
			t.Errorf("Decode says %v, CheckCommand %v", err, CheckCommand(b, c.Member))
		}
		if err != nil {
			return
		}
		// Varints may be longer than they need be, so it is the values that count.
		if err := again.Decode(c.AppendTo(nil)); err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}

// FuzzEntry applies an entry of arbitrary bytes: it may fail, and no more.
func FuzzEntry(f *testing.F) {
	open := Command{Origin: Origin{1, 1, 1}, Session: 1, Op: wire.OpCreateSession, Body: AppendConnect(nil, 1, [16]byte{})}
	f.Add(AppendEntry(nil, 1000, open.AppendTo(nil)))
	f.Add(AppendEntry(nil, 1000, []byte("no command")))
	f.Add([]byte{entryVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := newEnsemble()
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := e.close(); err != nil {
				t.Error(err)
			}
		}()
		if err := e.members[0].apply(1, 1, AppendEntry(nil, 1, open.AppendTo(nil))); err != nil {
			t.Fatal(err)
		}
		if err := e.members[0].apply(2, 1, data); err != nil && e.members[0].m.Applied() != 1 {
			t.Errorf("%v, but applied %d", err, e.members[0].m.Applied())
		}
		var x multiBody
		x.check(t, e.members[0], data)
	})
}

// multiBody sends the bytes as the body of requests, which never fails.
type multiBody struct{}

func (multiBody) check(t *testing.T, m *member, body []byte) {
	var cmds [][]byte
	for i, op := range []wire.OpCode{wire.OpMulti, wire.OpCreate, wire.OpCreateTTL, wire.OpDelete, wire.OpSetData, wire.OpSetACL, wire.OpReconfig} {
		c := Command{Origin: Origin{7, 7, uint64(i + 2)}, Session: 7, Op: op, Body: body}
		cmds = append(cmds, c.AppendTo(nil))
	}
	open := Command{Origin: Origin{7, 7, 1}, Session: 7, Op: wire.OpCreateSession, Body: AppendConnect(nil, 1, [16]byte{})}
	index := m.m.Applied() + 1
	if err := m.apply(index, m.m.Term(), AppendEntry(nil, 1, append([][]byte{open.AppendTo(nil)}, cmds...)...)); err != nil {
		t.Errorf("body %x: %v", body, err)
	}
}

func TestStateRecord(t *testing.T) {
	s := state{zxid: wire.MakeZxid(3, 4), term: 5, millis: -6, origins: []progress{{1, 2, 3}, {254, 1 << 63, 7}}}
	b := s.appendTo(nil)
	got, err := decodeState(b)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range [][]byte{nil, b[:len(b)-1], append(bytes.Clone(b), 0), append([]byte{9}, b[1:]...)} {
		if _, err := decodeState(bad); err == nil {
			t.Errorf("no error for %x", bad)
		}
	}
}

func TestBodies(t *testing.T) {
	timeout, passwd, ok := decodeConnect(AppendConnect(nil, -7, [16]byte{1, 15: 2}))
	if !ok || timeout != -7 || passwd != [16]byte{1, 15: 2} {
		t.Errorf("got %d %x %v", timeout, passwd, ok)
	}
	if got := AppendExpire(nil, 0x01020304); !bytes.Equal(got, []byte{1, 2, 3, 4}) {
		t.Errorf("got %x", got)
	}
}
