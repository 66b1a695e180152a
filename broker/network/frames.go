package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"holt/broker/protocol"
	"holt/wire/socket"
)

const (
	readBufferMin = 512      // what an idle connection holds
	readBufferMax = 16 << 10 // what many small requests in flight grow it to
	// frameTrust is how much is allocated on the word of a length. More comes
	// when that much has arrived, or if a pool has it anyway.
	frameTrust = 64 << 10
)

var (
	errFrameTooLarge = errors.New("frame too large")
	errFrameNegative = errors.New("negative frame length")
)

// frameReader cuts a stream into frames, each in a pooled buffer of its own, for a
// request may outlive the reading of the next.
type frameReader struct {
	r       io.Reader
	buffers *buffers
	budget  *budget
	// arrived, if not nil, is told now and then that bytes of a large frame come in.
	arrived func()

	buf        []byte
	start, end int
	filled     int // bytes that arrived in the last round of reading
}

// limits of next.
type frameLimits struct {
	max     int // of any frame
	control int // of those that do not begin with the key of Produce
}

// peek returns what is in memory, unread.
func (f *frameReader) peek() []byte { return f.buf[f.start:f.end] }

// next returns the next frame, of which the first n bytes of the buffer are the
// payload. At the stream's end it returns io.EOF between frames and
// io.ErrUnexpectedEOF within one.
func (f *frameReader) next(limits frameLimits) (*buffer, int, error) {
	if err := f.fill(4); err != nil {
		return nil, 0, err
	}
	n := int(int32(binary.BigEndian.Uint32(f.buf[f.start:])))
	switch {
	case n < 0:
		return nil, 0, fmt.Errorf("%d bytes: %w", n, errFrameNegative)
	case n > limits.max:
		return nil, 0, fmt.Errorf("%d bytes, at most %d: %w", n, limits.max, errFrameTooLarge)
	case n > limits.control:
		if err := f.fill(6); err != nil {
			return nil, 0, err
		}
		if key := protocol.Key(binary.BigEndian.Uint16(f.buf[f.start+4:])); key != protocol.Produce {
			return nil, 0, fmt.Errorf("%d bytes, at most %d without records: %w", n, limits.control, errFrameTooLarge)
		}
	}
	f.start += 4
	b, err := f.read(n)
	return b, n, err
}

// buffered reports whether a complete frame is in memory.
func (f *frameReader) buffered() bool {
	have := f.end - f.start
	return have >= 4 && have-4 >= int(binary.BigEndian.Uint32(f.buf[f.start:]))
}

// read takes n bytes into a buffer of their own: what is in memory is copied, the
// rest read straight.
func (f *frameReader) read(n int) (*buffer, error) {
	b, err := f.room(nil, n, 0)
	if err != nil {
		return nil, err
	}
	have := copy(b.b[:min(n, len(b.b))], f.peek())
	f.start += have
	for have < n {
		if have == len(b.b) {
			if b, err = f.room(b, n, have); err != nil {
				return nil, err
			}
		}
		m, err := socket.ReadLarge(f.r, b.b[have:min(n, len(b.b))], f.arrived)
		have += m
		f.filled = readBufferMax // it is not idle
		if err != nil {
			f.discard(b)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return b, nil
}

// room returns a buffer for a frame of n bytes, of which have are in old.
func (f *frameReader) room(old *buffer, n, have int) (*buffer, error) {
	size := min(n, max(frameTrust, 4*have))
	b := f.buffers.reuse(n)
	if b == nil {
		b = f.buffers.get(size)
	}
	if more := large(b); more > 0 {
		if err := f.budget.take(more); err != nil {
			f.buffers.put(b)
			if old != nil {
				f.discard(old)
			}
			return nil, err
		}
	}
	if old != nil {
		copy(b.b, old.b[:have])
		f.discard(old)
	}
	return b, nil
}

// discard gives back a buffer that read made room in.
func (f *frameReader) discard(b *buffer) {
	f.budget.give(large(b))
	f.buffers.put(b)
}

// large is what a buffer counts towards the budget.
func large(b *buffer) int64 {
	if len(b.b) <= frameTrust {
		return 0
	}
	return int64(len(b.b))
}

// fill reads until n bytes, at most readBufferMin, are in memory.
func (f *frameReader) fill(n int) error {
	if f.end-f.start >= n {
		return nil
	}
	f.makeRoom()
	for f.end-f.start < n {
		m, err := f.r.Read(f.buf[f.end:])
		f.end += m
		f.filled += m
		if err != nil && f.end-f.start < n {
			if err == io.EOF && f.end > f.start {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// makeRoom moves what is left to the front and gives the buffer the size that the
// last round of reading calls for.
func (f *frameReader) makeRoom() {
	size, left := len(f.buf), f.buf[f.start:f.end]
	switch {
	case size == 0, size > readBufferMin && len(left) <= readBufferMin && f.filled <= readBufferMin/2:
		f.buf = make([]byte, readBufferMin)
	case f.end == size && size < readBufferMax:
		f.buf = make([]byte, min(4*size, readBufferMax)) // reading ended for want of room
	}
	f.start, f.end, f.filled = 0, copy(f.buf, left), 0
}
