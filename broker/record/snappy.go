package record

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/klauspost/compress/s2"
)

// Snappy comes as one bare block (librdkafka, franz-go) or in the frames of Java's snappy
// library: a header of 16 bytes, then blocks with their compressed length before each.
//
//	82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 | compatible i32 | { length i32 | block }…
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHeaderSize = 16
	// xerialBlock is how much goes into a block, as in Java's library.
	xerialBlock = 32 << 10
	// snappyRatio is above what a block can expand by: its densest element makes 64 bytes of 3.
	snappyRatio = 22
)

var (
	errSnappyCut  = errors.New("a block ends early")
	errSnappySize = errors.New("a block announces more than it can hold")
)

// unsnappy appends what src holds, framed or bare, to dst.
func unsnappy(dst, src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialMagic) {
		return unsnappyBlock(dst, src, limit)
	}
	if len(src) < xerialHeaderSize {
		return dst, errSnappyCut
	}
	src = src[xerialHeaderSize:]
	for len(src) > 0 {
		if len(src) < 4 {
			return dst, errSnappyCut
		}
		size := int64(int32(binary.BigEndian.Uint32(src)))
		if size < 0 || size > int64(len(src)-4) {
			return dst, errSnappyCut
		}
		var err error
		if dst, err = unsnappyBlock(dst, src[4:4+size], limit); err != nil {
			return dst, err
		}
		src = src[4+size:]
	}
	return dst, nil
}

func unsnappyBlock(dst, block []byte, limit int) ([]byte, error) {
	size, err := s2.DecodedLen(block)
	if err != nil {
		return dst, err
	}
	if size > snappyRatio*len(block) {
		return dst, errSnappySize
	}
	end := len(dst) + size
	if end > limit {
		return dst, ErrTooLarge
	}
	if cap(dst) < end {
		dst = grow(dst, min(max(end, 2*cap(dst)), limit))
	}
	if _, err := s2.Decode(dst[len(dst):end:end], block); err != nil {
		return dst, err
	}
	return dst[:end], nil
}

// snappy appends src in Java's frames, which every client reads, to dst.
func snappy(dst, src []byte) []byte {
	dst = append(dst, xerialMagic...)
	dst = binary.BigEndian.AppendUint32(dst, 1) // version, and the oldest that reads it
	dst = binary.BigEndian.AppendUint32(dst, 1)
	for len(src) > 0 {
		part := src[:min(len(src), xerialBlock)]
		src = src[len(part):]
		at := len(dst)
		dst = grow(dst, at+4+s2.MaxEncodedLen(len(part)))
		block := s2.EncodeSnappy(dst[at+4:cap(dst)], part)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(block)))
		dst = dst[:at+4+len(block)]
	}
	return dst
}
