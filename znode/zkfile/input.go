package zkfile

import (
	"encoding/binary"
	"errors"
	"hash"
	"hash/adler32"
	"io"
	"slices"
)

// fieldMax bounds one string or buffer. The original bounds them by
// jute.maxbuffer, which nobody sets this high.
const fieldMax = 512 << 20

// input reads values off a stream, counts bytes and adds up their Adler-32. It
// keeps the first error; after one, every method returns zeros.
type input struct {
	r   io.Reader
	buf []byte // what was read and not taken is buf[pos:]
	pos int
	// summed is how much of buf is in sum.
	summed int
	sum    hash.Hash32
	base   int64 // offset of buf[0]
	err    error
	field  []byte // the last field, if it did not fit in buf
}

func newInput(r io.Reader) *input {
	return &input{r: r, buf: make([]byte, 0, 64<<10), sum: adler32.New()}
}

// offset is that of the next byte.
func (in *input) offset() int64 { return in.base + int64(in.pos) }

func (in *input) fail(err error) {
	if in.err == nil {
		in.err = &DamageError{Offset: in.offset(), Err: err}
	}
}

// ioError takes an error of the stream: the end of it, and what decompressors
// say of bad input, is damage.
func (in *input) ioError(err error) {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		in.fail(errCut)
	case isCompressionError(err):
		in.fail(err)
	case in.err == nil:
		in.err = err
	}
}

// fill has at least n bytes in buf[pos:], n at most its capacity. It reports false at
// the end of the stream and after an error.
func (in *input) fill(n int) bool {
	for in.err == nil && len(in.buf)-in.pos < n {
		if in.pos > 0 {
			in.sumUp()
			kept := copy(in.buf[:cap(in.buf)], in.buf[in.pos:])
			in.base += int64(in.pos)
			in.buf, in.pos, in.summed = in.buf[:kept], 0, 0
		}
		got, err := in.r.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+got]
		if err != nil && len(in.buf)-in.pos < n {
			if !errors.Is(err, io.EOF) {
				in.ioError(err)
			}
			return false
		}
	}
	return in.err == nil
}

func (in *input) sumUp() {
	in.sum.Write(in.buf[in.summed:in.pos]) // never fails
	in.summed = in.pos
}

// checksum is the Adler-32 of all that was taken.
func (in *input) checksum() uint32 {
	in.sumUp()
	return in.sum.Sum32()
}

// take returns the next n bytes, valid until the next call; n at most the buffer's size.
func (in *input) take(n int) []byte {
	if !in.fill(n) {
		in.fail(errCut)
		return nil
	}
	v := in.buf[in.pos : in.pos+n]
	in.pos += n
	return v
}

func (in *input) int32() int32 {
	if v := in.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (in *input) int64() int64 {
	if v := in.take(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

// buffer returns a length and as many bytes, valid until the next call; nil for
// null. A length the stream does not back costs no memory.
func (in *input) buffer() []byte {
	n := int(in.int32())
	switch {
	case in.err != nil || n == -1:
		return nil
	case n < 0 || n > fieldMax:
		in.pos -= 4
		in.fail(errLength)
		return nil
	case n <= cap(in.buf):
		if v := in.take(n); v != nil {
			return v
		}
		if in.err == nil {
			return []byte{}
		}
		return nil
	}
	return in.long(n)
}

// long is take for more than the buffer holds.
func (in *input) long(n int) []byte {
	in.field = in.field[:0]
	for len(in.field) < n {
		if !in.fill(1) {
			in.fail(errCut)
			return nil
		}
		part := in.take(min(n-len(in.field), len(in.buf)-in.pos))
		in.field = append(slices.Grow(in.field, len(part)), part...)
	}
	v := in.field
	if cap(in.field) > 4<<20 {
		in.field = nil // not kept for the next one
	}
	return v
}

// rest returns what is left of the stream if that is at most n bytes; false if it is more.
func (in *input) rest(n int) ([]byte, bool) {
	if in.fill(n + 1) {
		return nil, false
	}
	return in.buf[in.pos:], in.err == nil
}
