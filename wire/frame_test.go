package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"
)

func frame(payload []byte) []byte {
	b, mark := BeginFrame(nil)
	return EndFrame(append(b, payload...), mark)
}

func TestFrameReaderRandomSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var stream []byte
	var want [][]byte
	for range 300 {
		size := rng.IntN(200)
		switch rng.IntN(20) {
		case 0:
			size = rng.IntN(300 << 10)
		case 1:
			size = frameBufMin - 4 + rng.IntN(9) - 4
		}
		p := make([]byte, size)
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		want = append(want, p)
		stream = append(stream, frame(p)...)
	}
	readers := map[string]func() io.Reader{
		"whole":    func() io.Reader { return bytes.NewReader(stream) },
		"halves":   func() io.Reader { return iotest.HalfReader(bytes.NewReader(stream)) },
		"data+EOF": func() io.Reader { return iotest.DataErrReader(bytes.NewReader(stream)) },
		"one byte": func() io.Reader { return iotest.OneByteReader(bytes.NewReader(stream)) },
	}
	for name, open := range readers {
		t.Run(name, func(t *testing.T) {
			f := NewFrameReader(open(), MaxFrameDefault)
			for i, w := range want {
				got, err := f.Next()
				if err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				if !bytes.Equal(got, w) {
					t.Fatalf("frame %d of %d bytes differs", i, len(w))
				}
			}
			if _, err := f.Next(); err != io.EOF {
				t.Fatalf("after the last frame: %v, want EOF", err)
			}
		})
	}
}

func TestFrameReaderErrors(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, io.EOF},
		{"half a length", []byte{0, 0}, io.ErrUnexpectedEOF},
		{"no payload", []byte{0, 0, 0, 1}, io.ErrUnexpectedEOF},
		{"half a payload", []byte{0, 0, 0, 2, 7}, io.ErrUnexpectedEOF},
		{"negative", []byte{0xff, 0xff, 0xff, 0xff}, ErrFrameNegative},
		{"over the limit", []byte{0, 0, 0, 101}, ErrFrameTooLarge},
		{"huge", []byte{0x7f, 0xff, 0xff, 0xff}, ErrFrameTooLarge},
	} {
		f := NewFrameReader(bytes.NewReader(tc.in), 100)
		if _, err := f.Next(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	f := NewFrameReader(bytes.NewReader(frame(make([]byte, 100))), 100)
	if p, err := f.Next(); err != nil || len(p) != 100 {
		t.Errorf("frame at the limit: %d bytes, %v", len(p), err)
	}
	f = NewFrameReader(bytes.NewReader(frame(nil)), 100)
	if p, err := f.Next(); err != nil || len(p) != 0 {
		t.Errorf("empty frame: %d bytes, %v", len(p), err)
	}
}

// A length alone, however large, makes the reader hold no more than twice what arrived.
func TestFrameReaderLyingLength(t *testing.T) {
	f := NewFrameReader(bytes.NewReader([]byte{0x3f, 0xff, 0xff, 0xff, 1, 2, 3}), 1<<30)
	if _, err := f.Next(); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if len(f.buf) != frameBufMin {
		t.Errorf("buffer of %d bytes for 7 that arrived", len(f.buf))
	}
	arrived := 100 << 10
	f = NewFrameReader(bytes.NewReader(append([]byte{0x3f, 0xff, 0xff, 0xff}, make([]byte, arrived)...)), 1<<30)
	if _, err := f.Next(); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if len(f.buf) > 2*(arrived+4) {
		t.Errorf("buffer of %d bytes for %d that arrived", len(f.buf), arrived)
	}
}

// chunks returns one chunk per Read.
type chunks [][]byte

func (c *chunks) Read(b []byte) (int, error) {
	if len(*c) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*c)[0])
	if (*c)[0] = (*c)[0][n:]; len((*c)[0]) == 0 {
		*c = (*c)[1:]
	}
	return n, nil
}

func TestFrameReaderBufferSize(t *testing.T) {
	small := frame(make([]byte, 8))
	burst := bytes.Repeat(frame(make([]byte, 100)), 3000)
	next := func(f *FrameReader, n int) {
		t.Helper()
		for range n {
			if _, err := f.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := NewFrameReader(&chunks{small, burst, small, small}, MaxFrameDefault)
	next(f, 1)
	if len(f.buf) != frameBufMin {
		t.Errorf("%d bytes for a small frame", len(f.buf))
	}
	next(f, 3000)
	if len(f.buf) <= frameBufMin || len(f.buf) > frameBufMax {
		t.Errorf("%d bytes after a burst, want more than %d and at most %d", len(f.buf), frameBufMin, frameBufMax)
	}
	next(f, 2)
	if len(f.buf) != frameBufMin {
		t.Errorf("%d bytes when it was quiet again", len(f.buf))
	}
	f = NewFrameReader(&chunks{frame(make([]byte, 900<<10)), small}, MaxFrameDefault)
	next(f, 2)
	if len(f.buf) != frameBufMin {
		t.Errorf("%d bytes after a large frame", len(f.buf))
	}
}

func TestFrameReaderBuffered(t *testing.T) {
	two := slices.Concat(frame([]byte("one")), frame([]byte("two")))
	f := NewFrameReader(&chunks{two[:len(two)-1], two[len(two)-1:], {0xff, 0xff, 0xff, 0xff}}, 100)
	if f.Buffered() {
		t.Error("buffered before the first read")
	}
	if p, _ := f.Next(); string(p) != "one" || f.Buffered() {
		t.Errorf("%q; buffered with a byte missing: %v", p, f.Buffered())
	}
	if p, _ := f.Next(); string(p) != "two" || f.Buffered() {
		t.Errorf("%q; buffered with nothing left: %v", p, f.Buffered())
	}
	for _, bad := range [][]byte{{0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 101}} {
		f = NewFrameReader(bytes.NewReader(slices.Concat(two, bad)), 100)
		f.Next()
		if !f.Buffered() {
			t.Error("a whole frame is in memory")
		}
		f.Next()
		if !f.Buffered() {
			t.Errorf("length %x is in memory, and Next will not read", bad)
		}
	}
}

func TestFrameReaderPeek4(t *testing.T) {
	f := NewFrameReader(bytes.NewReader([]byte("ruok")), 100)
	if p, err := f.Peek4(); err != nil || string(p[:]) != "ruok" {
		t.Errorf("%q, %v", p, err)
	}
	f = NewFrameReader(bytes.NewReader(frame([]byte("abc"))), 100)
	if p, err := f.Peek4(); err != nil || p != [4]byte{0, 0, 0, 3} {
		t.Errorf("%q, %v", p, err)
	}
	if p, err := f.Next(); err != nil || string(p) != "abc" {
		t.Errorf("after Peek4: %q, %v", p, err)
	}
	f = NewFrameReader(bytes.NewReader([]byte("ru")), 100)
	if _, err := f.Peek4(); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
}

// An error in mid-frame, such as a deadline, loses no bytes.
func TestFrameReaderResumes(t *testing.T) {
	b := frame([]byte("payload"))
	f := NewFrameReader(io.MultiReader(bytes.NewReader(b[:6]), iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(b[6:])))), 100)
	if _, err := f.Next(); err != iotest.ErrTimeout {
		t.Fatalf("%v, want a timeout", err)
	}
	if p, err := f.Next(); err != nil || string(p) != "payload" {
		t.Errorf("%q, %v", p, err)
	}
}
