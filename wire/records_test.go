package wire

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"
)

// recordTypes returns a maker for every type of record.
func recordTypes() []func() Record {
	prototypes := []Record{
		new(RequestHeader), new(ReplyHeader), new(ConnectRequest), new(ConnectResponse), new(MultiHeader),
		new(MultiResult), new(Stat), new(ACL), new(ErrorResponse), new(CheckVersionRequest),
	}
	for op := OpCode(-20); op < 200; op++ {
		prototypes = append(prototypes, NewRequest(op), NewResponse(op))
	}
	var makers []func() Record
	seen := map[reflect.Type]bool{}
	for _, p := range prototypes {
		if p == nil || seen[reflect.TypeOf(p)] {
			continue
		}
		typ := reflect.TypeOf(p)
		seen[typ] = true
		makers = append(makers, func() Record { return reflect.New(typ.Elem()).Interface().(Record) })
	}
	return makers
}

// randomRecord fills a record so that decoding its encoding must give it back.
func randomRecord(rng *rand.Rand, r Record) {
	switch r := r.(type) {
	case *MultiRequest:
		kinds := [][]OpCode{
			{OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpCheck},
			{OpGetData, OpGetChildren},
		}[rng.IntN(2)]
		for range rng.IntN(5) {
			op := kinds[rng.IntN(len(kinds))]
			part := NewMultiRecord(op)
			randomRecord(rng, part)
			r.Ops = append(r.Ops, MultiOp{op, part})
		}
		return
	case *MultiResponse:
		for range rng.IntN(5) {
			var part MultiResult
			randomRecord(rng, &part)
			r.Results = append(r.Results, part)
		}
		return
	case *MultiResult:
		all := MultiResult{}
		fill(rng, reflect.ValueOf(&all).Elem())
		r.Type = []OpCode{OpError, OpCreate, OpCreate2, OpDelete, OpSetData, OpCheck, OpGetData, OpGetChildren}[rng.IntN(8)]
		switch r.Type {
		case OpError:
			r.Err = all.Err
		case OpCreate:
			r.Path = all.Path
		case OpCreate2:
			r.Path, r.Stat = all.Path, all.Stat
		case OpSetData:
			r.Stat = all.Stat
		case OpGetData:
			r.Data, r.Stat = all.Data, all.Stat
		case OpGetChildren:
			r.Children = all.Children
		}
		return
	}
	fill(rng, reflect.ValueOf(r).Elem())
	switch r := r.(type) {
	case *ConnectRequest:
		r.ReadOnly = r.ReadOnly && r.HasReadOnly
	case *ConnectResponse:
		r.ReadOnly = r.ReadOnly && r.HasReadOnly
	}
}

func fill(rng *rand.Rand, v reflect.Value) {
	size := func() int { return []int{0, 1, 3, 40}[rng.IntN(4)] }
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rng, v.Field(i))
		}
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int32:
		v.SetInt(int64(int32(rng.Uint32()) >> rng.IntN(32)))
	case reflect.Int64:
		v.SetInt(int64(rng.Uint64()) >> rng.IntN(64))
	case reflect.String:
		b := make([]byte, size())
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		v.SetString(string(b))
	case reflect.Pointer:
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rng, v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if rng.IntN(4) > 0 { // a buffer, which may be null
				b := make([]byte, size())
				for i := range b {
					b[i] = byte(rng.Uint32())
				}
				v.SetBytes(b)
			}
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), rng.IntN(4), 4))
		for i := range v.Len() {
			fill(rng, v.Index(i))
		}
	default:
		panic(fmt.Sprint("no random ", v.Type()))
	}
}

func forEachRecord(t *testing.T, test func(t *testing.T, rng *rand.Rand, fresh func() Record)) {
	for _, fresh := range recordTypes() {
		t.Run(reflect.TypeOf(fresh()).Elem().Name(), func(t *testing.T) {
			test(t, rand.New(rand.NewPCG(7, 7)), fresh)
		})
	}
}

func TestRoundTrip(t *testing.T) {
	forEachRecord(t, func(t *testing.T, rng *rand.Rand, fresh func() Record) {
		for range 200 {
			want := fresh()
			randomRecord(rng, want)
			b := want.AppendTo(nil)
			// Decoding replaces whatever was in the record before.
			got := fresh()
			randomRecord(rng, got)
			d := NewDecoder(b)
			got.Decode(d)
			if d.Err() != nil || d.Len() != 0 {
				t.Fatalf("%+v: %v, %d bytes left", want, d.Err(), d.Len())
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v\nwant %+v", got, want)
			}
			if prefixed := want.AppendTo([]byte("abc")); !bytes.Equal(prefixed[3:], b) || string(prefixed[:3]) != "abc" {
				t.Fatalf("%+v: AppendTo does not append", want)
			}
		}
	})
}

func TestEveryPrefixFails(t *testing.T) {
	forEachRecord(t, func(t *testing.T, rng *rand.Rand, fresh func() Record) {
		for range 30 {
			want := fresh()
			randomRecord(rng, want)
			b := want.AppendTo(nil)
			end := len(b)
			switch r := want.(type) { // which may end before their last byte
			case *ConnectRequest:
				if r.HasReadOnly {
					end--
				}
			case *ConnectResponse:
				if r.HasReadOnly {
					end--
				}
			}
			for n := range end {
				d := NewDecoder(slices.Clip(b[:n]))
				if fresh().Decode(d); d.Err() == nil {
					t.Fatalf("%+v: decodes from %d of %d bytes", want, n, len(b))
				}
			}
		}
	})
}

func TestTrailingBytesAreLeft(t *testing.T) {
	forEachRecord(t, func(t *testing.T, rng *rand.Rand, fresh func() Record) {
		want := fresh()
		randomRecord(rng, want)
		switch want.(type) {
		case *ConnectRequest, *ConnectResponse:
			return // their end has a meaning
		}
		d := NewDecoder(append(want.AppendTo(nil), 1, 2, 3))
		if fresh().Decode(d); d.Err() != nil || d.Len() != 3 {
			t.Fatalf("%v, %d bytes left, want 3", d.Err(), d.Len())
		}
	})
}

// Whatever lengths and counts claim, decoding allocates in proportion to the bytes there are.
func TestLyingLengths(t *testing.T) {
	forEachRecord(t, func(t *testing.T, rng *rand.Rand, fresh func() Record) {
		// A result of nine bytes takes a MultiResult of a hundred and more in memory, and as
		// much again while the slice grows; no other record is that far from its encoding.
		times := 8
		switch fresh().(type) {
		case *MultiRequest:
			times = 16
		case *MultiResponse:
			times = 64
		}
		for range 4 {
			r := fresh()
			randomRecord(rng, r)
			b := r.AppendTo(nil)
			for at := 0; at+4 <= len(b); at++ {
				for _, lie := range []uint32{0x7fffffff, 0x10000000, 0x00ffffff, 0xfffffffe, 0x80000000} {
					forged := slices.Clone(b)
					copy(forged[at:], []byte{byte(lie >> 24), byte(lie >> 16), byte(lie >> 8), byte(lie)})
					if n := bytesAllocated(func() { fresh().Decode(NewDecoder(forged)) }); n > int64(1024+times*len(b)) {
						t.Fatalf("%x: %d bytes allocated for %d", forged, n, len(b))
					}
				}
			}
		}
	})
}

// bytesAllocated measures what f allocates. The runtime counts for the whole
// process, in which others allocate now and then, so f's part is the least of
// several measurements.
func bytesAllocated(f func()) int64 {
	least := int64(math.MaxInt64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, int64(after.TotalAlloc-before.TotalAlloc))
	}
	return least
}

func TestNullAndEmpty(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    Record
		want string
	}{
		{"null data", &SetDataRequest{Path: "/", Version: 1}, "\x00\x00\x00\x01/\xff\xff\xff\xff\x00\x00\x00\x01"},
		{"empty data", &SetDataRequest{Path: "/", Data: []byte{}, Version: 1}, "\x00\x00\x00\x01/\x00\x00\x00\x00\x00\x00\x00\x01"},
		{"nil ACL", &SetACLRequest{Path: "/"}, "\x00\x00\x00\x01/\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"nil children", &GetChildrenResponse{}, "\x00\x00\x00\x00"},
		{"nil infos", &WhoAmIResponse{}, "\x00\x00\x00\x00"},
		{"null and empty strings", &ReconfigRequest{LeavingServers: new(string)},
			"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"},
	} {
		if got := string(tc.r.AppendTo(nil)); got != tc.want {
			t.Errorf("%s: %x, want %x", tc.name, got, tc.want)
		}
	}
}

func TestMultiRequestRefuses(t *testing.T) {
	part := func(op OpCode, r Record) MultiOp { return MultiOp{op, r} }
	for _, tc := range []struct {
		name string
		ops  []MultiOp
	}{
		{"exists", []MultiOp{part(OpExists, new(ExistsRequest))}},
		{"multi", []MultiOp{part(OpMulti, new(MultiRequest))}},
		{"write and read", []MultiOp{part(OpDelete, new(DeleteRequest)), part(OpGetData, new(GetDataRequest))}},
		{"read and check", []MultiOp{part(OpGetChildren, new(GetChildrenRequest)), part(OpCheck, new(CheckVersionRequest))}},
	} {
		ops, err := DecodeMulti(NewDecoder((&MultiRequest{tc.ops}).AppendTo(nil)))
		if err == nil || ops != nil {
			t.Errorf("%s: %+v, %v, want an error", tc.name, ops, err)
		}
	}
}
