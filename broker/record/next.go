package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
)

// CorruptError says that bytes are not the batch or the records that they should be.
type CorruptError struct {
	// BaseOffset is the offset that the batch has in its header, which may be damaged itself.
	BaseOffset int64
	// Reason says what is wrong, without the offset.
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt record batch at offset %d: %s", e.BaseOffset, e.Reason)
}

// headerPrefix is how much of a batch has to be seen to know its size and format: up to and with
// the magic byte, which all formats have at the same place.
const headerPrefix = posMagic + 1

// SizeOf returns the length of the batch that begins with b, of which it needs the first 17
// bytes; HeaderSize at least. It returns io.ErrUnexpectedEOF when b is shorter, and a
// *CorruptError when no batch of format v2 begins there.
func SizeOf(b []byte) (int, error) {
	if len(b) < headerPrefix {
		return 0, io.ErrUnexpectedEOF
	}
	length := int64(int32(binary.BigEndian.Uint32(b[posLength:])))
	if magic := int8(b[posMagic]); magic != magicV2 {
		return 0, corrupt(b, "format (magic) %d, not 2", magic)
	}
	if size := lengthBase + length; size < HeaderSize {
		return 0, corrupt(b, "size %d, less than a header's", size)
	}
	return int(lengthBase + length), nil
}

// Next splits the first batch off b; both results share its memory. It looks at format and size
// only; see Batch.Check.
//
// At the end of b the error is io.EOF. When b ends before the batch does, it is
// io.ErrUnexpectedEOF: a write that was cut short, or a range that ends anywhere, as in a Fetch
// response. When no batch begins there it is a *CorruptError. Mind that a damaged size mostly
// looks like a torn tail; Search tells whether intact batches come after it.
func Next(b []byte) (batch Batch, rest []byte, err error) {
	if len(b) == 0 {
		return nil, b, io.EOF
	}
	size, err := SizeOf(b)
	if err != nil {
		return nil, b, err
	}
	if len(b) < size {
		return nil, b, io.ErrUnexpectedEOF
	}
	return Batch(b[:size:size]), b[size:], nil
}

// All yields the batches of b. Where Next would return an error other than io.EOF it yields that
// last, with no batch.
func All(b []byte) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		for {
			batch, rest, err := Next(b)
			if err == io.EOF || !yield(batch, err) || err != nil {
				return
			}
			b = rest
		}
	}
}

// Check reports damage as a *CorruptError: a length that is not the header's, another format, a
// negative count, a wrong CRC. It does not look into the records.
func (b Batch) Check() error {
	size, err := SizeOf(b)
	switch {
	case err == io.ErrUnexpectedEOF:
		return &CorruptError{Reason: fmt.Sprintf("%d bytes, less than a header's", len(b))}
	case err != nil:
		return err
	case size != len(b):
		return corrupt(b, "size %d in %d bytes", size, len(b))
	}
	if sum := b.computeCRC(); sum != b.CRC() {
		return corrupt(b, "CRC %08x, should be %08x", b.CRC(), sum)
	}
	if b.Count() < 0 || b.LastOffsetDelta() < 0 {
		return corrupt(b, "count %d, last offset delta %d", b.Count(), b.LastOffsetDelta())
	}
	return nil
}

// Search returns the position of the first intact batch in b, CRC and all, whose base offset is
// at least from, or -1. It is how recovery tells the torn end of a log, after which nothing
// comes, from damage in the middle of one. A record may hold a batch as its value, so what is
// found is strong evidence, no proof.
func Search(b []byte, from int64) int {
	for pos := 0; pos+HeaderSize <= len(b); pos++ {
		skip := bytes.IndexByte(b[pos+posMagic:], magicV2)
		if skip < 0 {
			return -1
		}
		pos += skip
		batch, _, err := Next(b[pos:])
		if err == nil && batch.BaseOffset() >= from && batch.Codec().Valid() && batch.Check() == nil {
			return pos
		}
	}
	return -1
}

func corrupt(b []byte, format string, args ...any) *CorruptError {
	e := &CorruptError{Reason: fmt.Sprintf(format, args...)}
	if len(b) >= 8 {
		e.BaseOffset = int64(binary.BigEndian.Uint64(b))
	}
	return e
}
