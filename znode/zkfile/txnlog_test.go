package zkfile

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"holt/wire"
)

var someACL = []wire.ACL{{Perms: 31, Identity: wire.Identity{Scheme: "world", ID: "anyone"}}}

// everyTxn has each kind once, with and without what may be left out.
func everyTxn() []Txn {
	ops := []Op{
		{Type: wire.OpCreateSession, TimeoutMillis: 4000},
		{Type: wire.OpCreate, Path: "/a", Data: []byte("x"), ACL: someACL, Ephemeral: true, ParentCversion: 7},
		{Type: wire.OpCreate2, Path: "/b", ACL: someACL, ParentCversion: 8},
		{Type: wire.OpCreateContainer, Path: "/c", Data: []byte{}, ACL: someACL, ParentCversion: 9},
		{Type: wire.OpCreateTTL, Path: "/t", Data: []byte("y"), ACL: someACL, ParentCversion: 10, TTLMillis: 1000},
		{Type: wire.OpDelete, Path: "/a"},
		{Type: wire.OpDeleteContainer, Path: "/c"},
		{Type: wire.OpSetData, Path: "/b", Data: []byte("z"), Version: 1},
		{Type: wire.OpReconfig, Path: "/zookeeper/config", Data: []byte("server.1"), Version: -1},
		{Type: wire.OpSetACL, Path: "/b", ACL: someACL, Version: 3},
		{Type: wire.OpError, Err: -101},
		{Type: wire.OpMulti, Ops: []Op{
			{Type: wire.OpCreate, Path: "/m", ACL: someACL, ParentCversion: 11},
			{Type: wire.OpCheck, Path: "/m", Version: 1},
			{Type: wire.OpDelete, Path: "/m"},
		}},
		{Type: wire.OpMulti, Ops: []Op{{Type: wire.OpCreate, Path: "/f", ACL: someACL}, {Type: wire.OpError, Err: -101}, {Type: wire.OpError, Err: -2}}},
		{Type: wire.OpCloseSession},
		{Type: wire.OpCloseSession, HasPaths: true, Paths: []string{"/a", "/b"}},
		{Type: wire.OpCloseSession, HasPaths: true, Paths: []string{}},
	}
	var txns []Txn
	for i, op := range ops {
		t := Txn{Session: 5, Cxid: int32(i), Zxid: wire.Zxid(i + 1), TimeMillis: 1700000000000, Op: op}
		txns = append(txns, t)
		t.Digest = &Digest{Zxid: t.Zxid, Version: 2, Value: uint64(i) << 33}
		txns = append(txns, t)
	}
	return txns
}

func writeLog(t testing.TB, txns []Txn) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewLogWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	for i := range txns {
		if err := w.Append(&txns[i]); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func readLog(b []byte) (txns []Txn, end End, err error) {
	l, err := NewLogReader(bytes.NewReader(b))
	if err != nil {
		return nil, 0, err
	}
	for {
		var t Txn
		if err := l.Next(&t); errors.Is(err, io.EOF) {
			return txns, l.End(), nil
		} else if err != nil {
			return txns, l.End(), err
		}
		txns = append(txns, t)
	}
}

func TestLogRoundTrip(t *testing.T) {
	want := everyTxn()
	file := writeLog(t, want)
	for name, c := range map[string]struct {
		file []byte
		end  End
	}{
		"exact":                    {file, EndFile},
		"padded":                   {append(bytes.Clone(file), make([]byte, 100)...), EndPadded},
		"cut":                      {append(bytes.Clone(file), file[16:40]...), EndCut},
		"cut before its last byte": {append(append(bytes.Clone(file), 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 8), make([]byte, 64)...), EndCut},
	} {
		got, end, err := readLog(c.file)
		if err != nil || end != c.end {
			t.Errorf("%s: end %d, %v, want %d", name, end, err, c.end)
		}
		for i := range got {
			if !reflect.DeepEqual(clean(got[i]), clean(want[i])) {
				t.Errorf("%s: transaction %d\n%+v\nwant\n%+v", name, i, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d transactions, want %d", name, len(got), len(want))
		}
	}
	if _, end, err := readLog(nil); err != nil || end != EndFile {
		t.Errorf("empty file: %d, %v", end, err)
	}
}

// clean makes equal what means the same.
func clean(t Txn) Txn {
	if len(t.Op.Data) == 0 {
		t.Op.Data = nil
	}
	if len(t.Op.Paths) == 0 {
		t.Op.Paths = nil
	}
	return t
}

// A bit that is wrong is found, unless it makes the record look as if it had never been written to its end.
func TestLogDamage(t *testing.T) {
	txns := everyTxn()[:8]
	file := writeLog(t, txns)
	for i := range file[16:] {
		b := bytes.Clone(file)
		b[16+i] ^= 0x10
		got, end, err := readLog(b)
		if err == nil && end != EndCut && end != EndPadded {
			t.Errorf("byte %d flipped: %d transactions, end %d", 16+i, len(got), end)
		}
		if d := (*DamageError)(nil); err != nil && (!errors.As(err, &d) || d.Saved == "" || d.Offset == 0) {
			t.Errorf("byte %d flipped: %v", 16+i, err)
		}
	}
	if _, _, err := readLog(file[:10]); err == nil {
		t.Error("half a head: no error")
	}
}

// ZooKeeper before 3.4 wrote no counter of the parent.
func TestLogCreateWithoutCounter(t *testing.T) {
	txn := Txn{Zxid: 1, Op: Op{Type: wire.OpCreate, Path: "/a", Data: []byte("x"), ACL: someACL, ParentCversion: 5}}
	b, err := appendTxn(nil, &txn)
	if err != nil {
		t.Fatal(err)
	}
	var got Txn
	if err := decodeTxn(b[:len(b)-4], &got); err != nil || got.Op.ParentCversion != -1 || got.Op.Path != "/a" {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzLog(f *testing.F) {
	f.Add(writeLog(f, everyTxn()))
	f.Fuzz(func(t *testing.T, b []byte) {
		txns, _, err := readLog(b)
		if err != nil {
			return
		}
		again, _, err := readLog(writeLog(t, txns))
		if err != nil || len(again) != len(txns) {
			t.Fatalf("%d transactions, read again %d: %v", len(txns), len(again), err)
		}
	})
}
