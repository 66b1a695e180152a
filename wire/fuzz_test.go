package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"testing"
)

// FuzzRecords decodes anything as any record. What decodes must survive
// encoding and decoding; nothing panics, nothing costs much memory.
func FuzzRecords(f *testing.F) {
	makers := recordTypes()
	index := map[reflect.Type]byte{}
	for i, fresh := range makers {
		index[reflect.TypeOf(fresh())] = byte(i)
	}
	for _, c := range captures(f) {
		b := c.frame[4:]
		header, body := c.parts()
		if header != nil {
			f.Add(index[reflect.TypeOf(header)], b)
			d := NewDecoder(b)
			header.Decode(d)
			b = d.Rest()
		}
		if body != nil {
			f.Add(index[reflect.TypeOf(body)], b)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		fresh := makers[int(kind)%len(makers)]
		checkDecode(t, fresh, b)
	})
}

// FuzzMulti is FuzzRecords for the records with the most structure.
func FuzzMulti(f *testing.F) {
	for _, c := range captures(f) {
		if c.op == OpMulti || c.op == OpMultiRead {
			d := NewDecoder(c.frame[4:])
			header, _ := c.parts()
			header.Decode(d)
			f.Add(d.Rest())
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkDecode(t, func() Record { return new(MultiRequest) }, b)
		checkDecode(t, func() Record { return new(MultiResponse) }, b)
		if ops, err := DecodeMulti(NewDecoder(b)); err == nil {
			for _, op := range ops {
				if op.Read() != ops[0].Read() {
					t.Errorf("reads and writes in one: %+v", ops)
				}
			}
		}
	})
}

func checkDecode(t *testing.T, fresh func() Record, b []byte) {
	first := fresh()
	d := NewDecoder(b)
	first.Decode(d)
	if d.Err() != nil {
		return
	}
	encoded := first.AppendTo(nil)
	second := fresh()
	d.Reset(encoded)
	second.Decode(d)
	if d.Err() != nil || d.Len() != 0 {
		t.Fatalf("%T from %x: encoded to %x, which does not decode: %v, %d bytes left", first, b, encoded, d.Err(), d.Len())
	}
	if again := second.AppendTo(nil); !bytes.Equal(again, encoded) {
		t.Fatalf("%T from %x: encoded to %x, then to %x", first, b, encoded, again)
	}
}

// FuzzFrames compares a FrameReader, fed in pieces of any size, with the obvious way to cut
// a stream into frames.
func FuzzFrames(f *testing.F) {
	var stream []byte
	for i, c := range captures(f) {
		if stream = append(stream, c.frame...); i%20 == 0 {
			f.Add(stream, uint16(i))
			stream = nil
		}
	}
	f.Add([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, uint16(1))
	f.Add([]byte{0, 0, 0x40, 1, 2}, uint16(3))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint16) {
		const limit = 16 << 10
		r := NewFrameReader(&pieces{stream, int(piece) + 1}, limit)
		rest := stream
		for {
			buffered := r.Buffered()
			got, err := r.Next()
			if buffered && err != nil && !errors.Is(err, ErrFrameNegative) && !errors.Is(err, ErrFrameTooLarge) {
				t.Fatalf("Buffered, but Next: %v", err)
			}
			want, wantErr := cut(&rest, limit)
			if !errors.Is(err, wantErr) || !bytes.Equal(got, want) {
				t.Fatalf("%x, %v, want %x, %v", got, err, want, wantErr)
			}
			if len(r.buf) > frameBufMax {
				t.Fatalf("buffer of %d bytes", len(r.buf))
			}
			if err != nil {
				return
			}
		}
	})
}

// cut takes the first frame off b.
func cut(b *[]byte, limit int) ([]byte, error) {
	switch {
	case len(*b) == 0:
		return nil, io.EOF
	case len(*b) < 4:
		return nil, io.ErrUnexpectedEOF
	}
	n := int(int32(binary.BigEndian.Uint32(*b)))
	switch {
	case n < 0:
		return nil, ErrFrameNegative
	case n > limit:
		return nil, ErrFrameTooLarge
	case n > len(*b)-4:
		return nil, io.ErrUnexpectedEOF
	}
	payload := (*b)[4 : 4+n]
	*b = (*b)[4+n:]
	return payload, nil
}

// pieces reads b at most size bytes at a time.
type pieces struct {
	b    []byte
	size int
}

func (p *pieces) Read(to []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(to, p.b[:min(p.size, len(p.b))])
	p.b = p.b[n:]
	return n, nil
}
