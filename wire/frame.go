package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// BeginFrame appends room for a frame's length to b. The caller appends the payload
// and hands mark to EndFrame.
func BeginFrame(b []byte) (frame []byte, mark int) { return append(b, 0, 0, 0, 0), len(b) }

// EndFrame writes the length of what was appended to b since the BeginFrame that
// returned mark.
func EndFrame(b []byte, mark int) []byte {
	binary.BigEndian.PutUint32(b[mark:], uint32(len(b)-mark-4))
	return b
}

// MaxFrameDefault is the largest payload a ZooKeeper server takes unless told
// otherwise (jute.maxbuffer).
const MaxFrameDefault = 0xfffff

// ErrFrameTooLarge is the cause of FrameReader.Next's error for a length beyond the limit,
// ErrFrameNegative for one below zero. The stream is of no use after either.
const (
	ErrFrameTooLarge = decodeError("frame too large")
	ErrFrameNegative = decodeError("negative frame length")
)

// Sizes of a FrameReader's buffer.
const (
	frameBufMin = 4 << 10  // what an idle connection holds
	frameBufMax = 64 << 10 // what many small frames in flight may grow it to; one large frame, to its size
)

// FrameReader cuts a stream into frames. Its buffer is small while little
// arrives, grows with the bytes that have arrived (never with what a length
// promises) and shrinks again.
type FrameReader struct {
	r          io.Reader
	max        int
	buf        []byte
	start, end int // buf[start:end] is read but not handed out
	filled     int // bytes that arrived in the last round of reading
}

// NewFrameReader returns a reader of frames with payloads of at most max bytes.
func NewFrameReader(r io.Reader, max int) *FrameReader { return &FrameReader{r: r, max: max} }

// Next returns the payload of the next frame, valid until the next call of Next
// or Peek4. At the stream's end it returns io.EOF between frames and
// io.ErrUnexpectedEOF within one. Any other error of the reader is returned as it
// is, and Next may be called again (after a deadline has passed, say) without
// losing bytes.
func (f *FrameReader) Next() ([]byte, error) {
	if err := f.fill(4); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(f.buf[f.start:])))
	if n < 0 {
		return nil, fmt.Errorf("%d bytes: %w", n, ErrFrameNegative)
	}
	if n > f.max {
		return nil, fmt.Errorf("%d bytes, at most %d: %w", n, f.max, ErrFrameTooLarge)
	}
	if err := f.fill(4 + n); err != nil {
		return nil, err
	}
	payload := f.buf[f.start+4 : f.start+4+n : f.start+4+n]
	f.start += 4 + n
	return payload, nil
}

// Buffered reports whether Next would return without reading: a complete frame,
// or a length it refuses, is in memory.
func (f *FrameReader) Buffered() bool {
	have := f.end - f.start
	if have < 4 {
		return false
	}
	n := int(int32(binary.BigEndian.Uint32(f.buf[f.start:])))
	return n < 0 || n > f.max || have >= 4+n
}

// Peek4 returns the next four bytes without consuming them: a length, or one of the
// four-letter words, which come first on a connection and are no lengths anybody means.
func (f *FrameReader) Peek4() ([4]byte, error) {
	if err := f.fill(4); err != nil {
		return [4]byte{}, err
	}
	return [4]byte(f.buf[f.start:]), nil
}

// Take consumes and returns the next n bytes as they are, valid until the next
// call: a four-letter word with what belongs to it.
func (f *FrameReader) Take(n int) ([]byte, error) {
	if err := f.fill(n); err != nil {
		return nil, err
	}
	b := f.buf[f.start : f.start+n : f.start+n]
	f.start += n
	return b, nil
}

// Rest returns what was read and not handed out. The reader is of no use afterwards: for a
// stream that turns out to need another reader.
func (f *FrameReader) Rest() []byte {
	rest := f.buf[f.start:f.end]
	f.buf, f.start, f.end = nil, 0, 0
	return rest
}

// fill reads until n bytes are in the buffer.
func (f *FrameReader) fill(n int) error {
	if f.end-f.start >= n {
		return nil
	}
	f.makeRoom()
	for f.end-f.start < n {
		if f.end == len(f.buf) {
			f.grow(n)
		}
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

// makeRoom moves what is left to the front and gives the buffer the size that the last
// round of reading calls for.
func (f *FrameReader) makeRoom() {
	size := len(f.buf)
	left := f.buf[f.start:f.end]
	switch {
	case size == 0, len(left) == 0 && (size > frameBufMax || size > frameBufMin && f.filled <= size/4):
		// The last round was small, as the pings of an idle connection are, or it was
		// one frame too large for its buffer to be kept.
		f.buf = make([]byte, frameBufMin)
	case f.end == size && size < frameBufMax:
		// Reading ended for want of room: more is waiting.
		f.buf = make([]byte, 2*size)
	}
	f.start, f.end = 0, copy(f.buf, left)
	f.filled = 0
}

// grow makes room for more of a frame of n bytes, at most doubling the buffer.
func (f *FrameReader) grow(n int) {
	buf := make([]byte, min(n, 2*len(f.buf)))
	f.end = copy(buf, f.buf[f.start:f.end])
	f.start, f.buf = 0, buf
}
