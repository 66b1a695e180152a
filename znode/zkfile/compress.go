package zkfile

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

// Compression is what is around a snapshot.
type Compression string

// The values of ZooKeeper's snapshot.compression.method.
const (
	Plain  Compression = ""
	Gzip   Compression = "gz"
	Snappy Compression = "snappy"
)

// suffix is what the name of a compressed snapshot ends in.
func (c Compression) suffix() string {
	if c == Plain {
		return ""
	}
	return "." + string(c)
}

// Snappy comes in the frames of Java's snappy library:
//
//	82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 | compatible i32 | { length i32 | block }…
const (
	snappyMagic  = "\x82SNAPPY\x00"
	snappyHeader = len(snappyMagic) + 8
	// snappyBlock is how much goes into a block, as in Java's library, and
	// snappyBlockMax how much may come out of one.
	snappyBlock    = 32 << 10
	snappyBlockMax = 16 << 20
)

var errSnappy = errors.New("snappy: bad block")

// isCompressionError says whether err is about what was compressed, not about the reading of it.
func isCompressionError(err error) bool {
	return errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, errSnappy) ||
		errors.As(err, new(flate.CorruptInputError))
}

// decompress looks at the first bytes of r and takes off what is around the snapshot.
func decompress(r io.Reader) (io.Reader, error) {
	head := make([]byte, len(snappyMagic))
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	head = head[:n]
	r = io.MultiReader(bytes.NewReader(head), r)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, &DamageError{Err: err}
		}
		return z, nil
	case string(head) == snappyMagic:
		header := make([]byte, snappyHeader)
		if _, err := io.ReadFull(r, header); err != nil {
			return nil, &DamageError{Err: errCut}
		}
		return &snappyReader{r: r}, nil
	}
	return r, nil
}

type snappyReader struct {
	r     io.Reader
	block []byte // compressed
	plain []byte
	rest  []byte // of plain
}

func (s *snappyReader) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *snappyReader) next() error {
	var size [4]byte
	if _, err := io.ReadFull(s.r, size[:]); err != nil {
		return err // io.EOF between two blocks is the end
	}
	n := int(int32(binary.BigEndian.Uint32(size[:])))
	if n < 0 || n > snappyBlockMax {
		return errSnappy
	}
	// Not n at once: the stream may not have them.
	buf := bytes.NewBuffer(s.block[:0])
	if _, err := io.CopyN(buf, s.r, int64(n)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	s.block = buf.Bytes()
	plain, err := s2.DecodedLen(s.block)
	if err != nil || plain > snappyBlockMax {
		return errSnappy
	}
	if s.plain, err = s2.Decode(s.plain[:cap(s.plain)], s.block); err != nil {
		return fmt.Errorf("%w: %w", errSnappy, err)
	}
	s.rest = s.plain
	return nil
}

// compress puts c around what is written. Close ends it and leaves w open.
func compress(w io.Writer, c Compression) (io.WriteCloser, error) {
	switch c {
	case Plain:
		return nopCloser{w}, nil
	case Gzip:
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	case Snappy:
		header := append([]byte(snappyMagic), 0, 0, 0, 1, 0, 0, 0, 1)
		if _, err := w.Write(header); err != nil {
			return nil, err
		}
		return &snappyWriter{w: w}, nil
	}
	return nil, fmt.Errorf("compression %q is unknown: gz, snappy or none", string(c))
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

type snappyWriter struct {
	w     io.Writer
	plain []byte
	frame []byte
}

func (s *snappyWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := min(len(p), snappyBlock-len(s.plain))
		s.plain = append(s.plain, p[:n]...)
		p, written = p[n:], written+n
		if len(s.plain) == snappyBlock {
			if err := s.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func (s *snappyWriter) flush() error {
	if len(s.plain) == 0 {
		return nil
	}
	block := s2.EncodeSnappy(nil, s.plain)
	s.frame = binary.BigEndian.AppendUint32(s.frame[:0], uint32(len(block)))
	s.frame = append(s.frame, block...)
	s.plain = s.plain[:0]
	_, err := s.w.Write(s.frame)
	return err
}

func (s *snappyWriter) Close() error { return s.flush() }
