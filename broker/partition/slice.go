package partition

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Slice is a run of whole batches that was read from a log: in memory, or a
// range of a file that stays readable until Release, even if the file is deleted
// meanwhile. The zero value is empty. It is for one goroutine, and only one of
// its copies may be used.
//
// Bytes that a truncation takes away while they are held do not stay: a range of
// a file is short then, or has other batches. Only a log's uncommitted end is
// ever truncated.
type Slice struct {
	n     int
	upper int64

	one    [1][]byte // the part, if there is one only
	chunk  *chunk    // and where it lies
	parts  [][]byte  // else
	chunks []*chunk

	h   *handle
	pos int64
}

// Len returns the number of bytes.
func (s *Slice) Len() int { return s.n }

// Upper returns an offset above all records of s, and not above any record that
// follows; see Log.AbortedIn. It is where the next read goes on.
func (s *Slice) Upper() int64 { return s.upper }

// Parts returns the bytes if they are in memory, nil otherwise. They must not be
// changed, nor used after Release.
func (s *Slice) Parts() [][]byte {
	switch {
	case s.parts != nil:
		return s.parts
	case s.chunk != nil:
		return s.one[:]
	}
	return nil
}

// File returns the range of a file if the bytes are there; f is nil otherwise.
// f must not be closed, nor used after Release. Its Fd is vfs.InvalidFd on file
// systems without descriptors.
func (s *Slice) File() (f vfs.File, pos int64, n int) {
	if s.h == nil {
		return nil, 0, 0
	}
	return s.h.File, s.pos, s.n
}

// AppendTo appends all bytes to b, reading them if need be.
func (s *Slice) AppendTo(b []byte) ([]byte, error) {
	for _, p := range s.Parts() {
		b = append(b, p...)
	}
	if s.h == nil {
		return b, nil
	}
	start := len(b)
	b = append(b, make([]byte, s.n)...)
	if err := readFull(s.h, b[start:], s.pos); err != nil {
		return b[:start], err
	}
	return b, nil
}

// Release gives the memory or the file back. Further calls do nothing.
func (s *Slice) Release() error {
	if s.chunk != nil {
		s.chunk.release()
	}
	for _, c := range s.chunks {
		c.release()
	}
	h := s.h
	*s = Slice{upper: s.upper}
	if h == nil {
		return nil
	}
	if err := h.release(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	return nil
}

func (s *Slice) addChunk(c *chunk, part []byte, next int64) {
	switch {
	case s.n == 0:
		s.one[0], s.chunk = part, c
	case s.parts == nil:
		s.parts = append(make([][]byte, 0, 8), s.one[0], part)
		s.chunks = append(make([]*chunk, 0, 8), s.chunk, c)
		s.one[0], s.chunk = nil, nil
	default:
		s.parts = append(s.parts, part)
		s.chunks = append(s.chunks, c)
	}
	s.n += len(part)
	s.upper = next
}
