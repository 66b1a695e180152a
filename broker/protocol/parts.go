package protocol

import (
	"fmt"
	"io"
)

// File is where records lie on disk. vfs.File of Pebble is one, and so is *os.File.
type File interface {
	io.ReaderAt
	// Fd is the descriptor for sendfile(2), or NoFd if there is none.
	Fd() uintptr
}

// NoFd is what Fd returns of a file that has no descriptor, as one in memory.
const NoFd = ^uintptr(0)

// Range is a run of bytes, in memory or in a file.
type Range struct {
	Bytes  []byte // used if File is nil
	File   File
	Offset int64
	Length int // bytes of File from Offset on
}

// Len is the number of bytes.
func (r Range) Len() int {
	if r.File != nil {
		return r.Length
	}
	return len(r.Bytes)
}

// copiedMax is the length up to which bytes are copied into a Parts' own buffer: a piece
// of its own costs the kernel about as much.
const copiedMax = 2 << 10

// Parts is a list of pieces that make one message: a buffer of its own for what is
// encoded, cut where bytes of others come in between. The zero value is empty.
// What AddRange refers to must neither change nor go away until the message is written.
type Parts struct {
	buf    []byte
	pieces []piece
	cut    int // buf[cut:] is not in pieces yet
	others int // bytes of others
}

// piece is a cut of buf if other is empty.
type piece struct {
	from, to int
	other    Range
}

// Reset empties p and keeps its memory.
func (p *Parts) Reset() {
	clear(p.pieces)
	p.buf, p.pieces, p.cut, p.others = p.buf[:0], p.pieces[:0], 0, 0
}

// Len is the number of bytes in all pieces.
func (p *Parts) Len() int { return len(p.buf) + p.others }

// AddRange appends a run of bytes by reference; a short one in memory is copied.
func (p *Parts) AddRange(r Range) {
	switch n := r.Len(); {
	case n == 0:
	case r.File == nil && n <= copiedMax:
		p.buf = append(p.buf, r.Bytes...)
	default:
		p.endPiece()
		p.pieces = append(p.pieces, piece{other: r})
		p.others += n
	}
}

// AddBytes appends a copy of b.
func (p *Parts) AddBytes(b []byte) { p.buf = append(p.buf, b...) }

func (p *Parts) endPiece() {
	if len(p.buf) > p.cut {
		p.pieces = append(p.pieces, piece{from: p.cut, to: len(p.buf)})
		p.cut = len(p.buf)
	}
}

// Append adds the pieces to dst, in order. They are valid until Reset or the next
// addition.
func (p *Parts) Append(dst []Range) []Range {
	p.endPiece()
	for _, s := range p.pieces {
		if s.other.Len() == 0 {
			s.other = Range{Bytes: p.buf[s.from:s.to:s.to]}
		}
		dst = append(dst, s.other)
	}
	return dst
}

// AppendTo appends all bytes to b, reading those that are in files.
func (p *Parts) AppendTo(b []byte) ([]byte, error) {
	for _, r := range p.Append(nil) {
		if r.File == nil {
			b = append(b, r.Bytes...)
			continue
		}
		start := len(b)
		b = append(b, make([]byte, r.Length)...)
		if n, err := r.File.ReadAt(b[start:], r.Offset); n < r.Length {
			return b[:start], fmt.Errorf("read %d bytes at %d: %w", r.Length, r.Offset, err)
		}
	}
	return b, nil
}
