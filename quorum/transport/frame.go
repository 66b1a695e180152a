package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	frameHeader = 8
	// frameBytesSoft is the size at which a sender begins a new frame.
	frameBytesSoft = 256 << 10
	// frameBytesMax is the size above which a frame is refused: more than the
	// largest entry anybody proposes.
	frameBytesMax = 128 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamaged = errors.New("frame is damaged")

// beginFrame leaves room for a header; endFrame fills it in.
func beginFrame(b []byte) ([]byte, int) { return append(b, make([]byte, frameHeader)...), len(b) }

func endFrame(b []byte, mark int) {
	body := b[mark+frameHeader:]
	binary.BigEndian.PutUint32(b[mark:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[mark+4:], crc32.Checksum(body, castagnoli))
}

// appendItem adds an item of a size known only afterwards.
func appendItem(b []byte, encode func([]byte) ([]byte, error)) ([]byte, error) {
	// Five bytes hold any length; the uvarint is padded to them, so that the
	// item need not be moved.
	mark := len(b)
	b = append(b, 0x80, 0x80, 0x80, 0x80, 0)
	b, err := encode(b)
	if err != nil {
		return nil, err
	}
	n := len(b) - mark - 5
	for i := range 4 {
		b[mark+i] = byte(n>>(7*i))&0x7f | 0x80
	}
	b[mark+4] = byte(n >> 28)
	return b, nil
}

// readFrame reads one frame into memory of its own, nil for a sign of life.
func readFrame(r io.Reader) ([]byte, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n, crc := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
	if n > frameBytesMax {
		return nil, fmt.Errorf("frame of %d bytes: %w", n, errDamaged)
	}
	if n == 0 {
		return nil, nil
	}
	body, err := readGrowing(r, int(n))
	if err != nil {
		return nil, err
	}
	if crc32.Checksum(body, castagnoli) != crc {
		return nil, errDamaged
	}
	return body, nil
}

// readGrowing reads n bytes, reserving no more than about twice what has
// arrived.
func readGrowing(r io.Reader, n int) ([]byte, error) {
	body := make([]byte, min(n, 256<<10))
	for got := 0; ; {
		if _, err := io.ReadFull(r, body[got:]); err != nil {
			return nil, err
		}
		if got = len(body); got == n {
			return body, nil
		}
		body = append(body, make([]byte, min(n-got, got))...)
	}
}

// items calls f with each item of a frame.
func items(body []byte, f func(item []byte) error) error {
	r := reader{b: body}
	for len(r.b) > 0 {
		item := r.bytes()
		if r.bad {
			return errMalformed
		}
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}
