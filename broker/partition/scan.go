package partition

import (
	"fmt"
	"io"

	"holt/broker/record"
)

// scanBytes is how much of a file is read at once while looking at headers, and
// scanWhole while whole batches are read one after the other.
const (
	scanBytes = 4 << 10
	scanWhole = 1 << 20
)

// scanner walks over the batches of a range of a file. In headers it reads the
// headers only, so that large batches cost no more than small ones; otherwise
// whole batches.
type scanner struct {
	f       io.ReaderAt
	pos     int64 // of the next batch
	end     int64
	headers bool
	buf     []byte // what was read at bufPos
	bufPos  int64
}

// scanHeaders returns a scanner of headers over f[pos:end].
func scanHeaders(f io.ReaderAt, pos, end int64) *scanner {
	return &scanner{f: f, pos: pos, end: end, headers: true}
}

// scanBatches returns a scanner of whole batches over f[pos:end].
func scanBatches(f io.ReaderAt, pos, end int64) *scanner {
	return &scanner{f: f, pos: pos, end: end}
}

// next returns the next batch, or its header, and where it lies; both are valid
// until the call after. At the end the error is io.EOF; io.ErrUnexpectedEOF
// and *record.CorruptError are as record.Next has them. The CRC is not looked at.
func (s *scanner) next() (record.Batch, int64, error) {
	pos := s.pos
	if pos >= s.end {
		return nil, pos, io.EOF
	}
	b, err := s.fill(record.HeaderSize)
	if err != nil {
		return nil, pos, err
	}
	size, err := record.SizeOf(b)
	if err != nil {
		return nil, pos, err
	}
	if len(b) < record.HeaderSize || pos+int64(size) > s.end {
		return nil, pos, io.ErrUnexpectedEOF
	}
	if s.headers {
		s.pos += int64(size)
		return record.Batch(b[:record.HeaderSize:record.HeaderSize]), pos, nil
	}
	if b, err = s.fill(size); err != nil {
		return nil, pos, err
	}
	s.pos += int64(size)
	return record.Batch(b[:size:size]), pos, nil
}

// fill returns the bytes from pos on, n at least unless the range ends before.
func (s *scanner) fill(n int) ([]byte, error) {
	n = int(min(int64(n), s.end-s.pos))
	if have := s.bufPos + int64(len(s.buf)) - s.pos; s.pos >= s.bufPos && have >= int64(n) {
		return s.buf[s.pos-s.bufPos:], nil
	}
	want := scanBytes
	if !s.headers {
		want = scanWhole
	}
	want = int(min(int64(max(want, n)), s.end-s.pos))
	if cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	s.buf = s.buf[:want]
	s.bufPos = s.pos
	if n, err := s.f.ReadAt(s.buf, s.pos); n < want {
		s.buf = s.buf[:0]
		return nil, fmt.Errorf("read %d bytes at %d: %w", want, s.pos, unexpected(err))
	}
	return s.buf, nil
}

// readBatch reads the batch at pos as a whole, given its size.
func readBatch(f io.ReaderAt, pos int64, size int) (record.Batch, error) {
	b := make([]byte, size)
	if err := readFull(f, b, pos); err != nil {
		return nil, err
	}
	batch, _, err := record.Next(b)
	return batch, err
}
