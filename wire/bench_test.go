package wire

import (
	"bytes"
	"testing"
)

var (
	getDataRequest  = (&GetDataRequest{Path: "/some/path/of/usual/length"}).AppendTo((&RequestHeader{Xid: 7, Op: OpGetData}).AppendTo(nil))
	setDataRequest  = (&SetDataRequest{Path: "/some/path/of/usual/length", Data: make([]byte, 100), Version: -1}).AppendTo(nil)
	createRequest   = (&CreateRequest{Path: "/some/path/of/usual/length", Data: make([]byte, 100), ACL: OpenACL()}).AppendTo(nil)
	getDataResponse = &GetDataResponse{Data: make([]byte, 100), Stat: Stat{Czxid: 1, Version: 2}}
)

func decodeGetData(d *Decoder) (h RequestHeader, r GetDataRequest) {
	d.Reset(getDataRequest)
	h.Decode(d)
	r.Decode(d)
	return h, r
}

// appendGetDataReply is how a server answers: header and body behind what is queued already.
func appendGetDataReply(b []byte) []byte {
	b, mark := BeginFrame(b)
	h := ReplyHeader{Xid: 7, Zxid: 9}
	b = h.AppendTo(b)
	b = getDataResponse.AppendTo(b)
	return EndFrame(b, mark)
}

// endless is a stream that repeats b.
type endless struct {
	b  []byte
	at int
}

func (e *endless) Read(to []byte) (int, error) {
	n := copy(to, e.b[e.at:])
	e.at = (e.at + n) % len(e.b)
	return n, nil
}

func TestHotPathsAllocateNothing(t *testing.T) {
	var d Decoder
	buf := make([]byte, 0, 1024)
	frames := NewFrameReader(&endless{b: bytes.Repeat(frame(getDataRequest), 10)}, MaxFrameDefault)
	event := &WatcherEvent{Type: EventNodeCreated, State: StateSyncConnected, Path: "/some/path"}
	names := &GetChildrenResponse{Children: []string{"a", "b", "c"}}
	for _, tc := range []struct {
		name string
		max  float64
		f    func()
	}{
		{"decode getData", 0, func() { decodeGetData(&d) }},
		{"decode setData", 0, func() {
			var r SetDataRequest
			d.Reset(setDataRequest)
			r.Decode(&d)
		}},
		{"decode create: the ACL", 1, func() {
			var r CreateRequest
			d.Reset(createRequest)
			r.Decode(&d)
		}},
		{"decode a bad record", 0, func() {
			var r SetDataRequest
			d.Reset(setDataRequest[:20])
			r.Decode(&d)
		}},
		{"encode getData reply", 0, func() { buf = appendGetDataReply(buf[:0]) }},
		{"encode notification", 0, func() { buf = event.AppendTo(buf[:0]) }},
		{"encode children", 0, func() { buf = names.AppendTo(buf[:0]) }},
		{"read a frame", 0, func() {
			if _, err := frames.Next(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		for range 10000 / 10 { // until buffers have their size
			tc.f()
		}
		if n := testing.AllocsPerRun(1000, tc.f); n > tc.max {
			t.Errorf("%s: %v allocations, at most %v", tc.name, n, tc.max)
		}
	}
}

func BenchmarkDecodeGetData(b *testing.B) {
	var d Decoder
	b.ReportAllocs()
	for b.Loop() {
		if h, r := decodeGetData(&d); h.Op != OpGetData || r.Watch {
			b.Fatal(h, r)
		}
	}
}

func BenchmarkDecodeCreate(b *testing.B) {
	var d Decoder
	b.ReportAllocs()
	for b.Loop() {
		var r CreateRequest
		d.Reset(createRequest)
		r.Decode(&d)
	}
}

func BenchmarkEncodeGetDataReply(b *testing.B) {
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendGetDataReply(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeMulti(b *testing.B) {
	var r MultiRequest
	for range 10 {
		r.Ops = append(r.Ops, MultiOp{OpSetData, &SetDataRequest{Path: "/some/path", Data: make([]byte, 100), Version: -1}})
	}
	encoded := r.AppendTo(nil)
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	var d Decoder
	for b.Loop() {
		d.Reset(encoded)
		if _, err := DecodeMulti(&d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrameReader(b *testing.B) {
	f := NewFrameReader(&endless{b: bytes.Repeat(frame(getDataRequest), 10)}, MaxFrameDefault)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrameReaderLarge(b *testing.B) {
	large := frame(make([]byte, 900<<10))
	f := NewFrameReader(&endless{b: large}, MaxFrameDefault)
	b.SetBytes(int64(len(large)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
