package record

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

const (
	// zstdWindowMax is the window of zstd's highest level (22), which Kafka allows.
	zstdWindowMax = 128 << 20
	// zstdBlockMax is the most that a block of zstd holds.
	zstdBlockMax = 128 << 10
	// zstdRatio is how far an announced size is believed. Few batches are packed closer.
	zstdRatio = 64

	zstdMagic        = 0xfd2fb528
	zstdHasChecksum  = 0x04 // in the frame header's descriptor
	zstdWindowLogMin = 10
)

var errZstdSize = errors.New("a frame announces more than it can hold")

// newZstdDecoder returns a decoder of which DecodeAll alone is used: it starts no goroutines and
// takes one of as many decoders as there are cores. Its limit is the capacity of the buffer that
// it is given: of its own it would allocate whatever a frame announces.
func newZstdDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(zstdWindowMax))
}

// unzstd decodes into a buffer of a guessed size, and a larger one as long as that is too small
// and was filled: memory grows with what comes out.
func (d *Decompressor) unzstd(dst, src []byte) ([]byte, error) {
	guess := 4*len(src) + 2*zstdBlockMax
	var h zstd.Header
	if h.Decode(src) == nil && h.HasFCS {
		if h.FrameContentSize <= uint64(zstdRatio*len(src)) {
			guess = int(h.FrameContentSize) + 64 // beyond which the decoder likes to write
		} else {
			src = withoutSize(src, h)
		}
	}
	dst = grow(dst, min(guess, d.max))
	for {
		limit := min(cap(dst), d.max)
		out, err := d.zstd.DecodeAll(src, dst[:0:limit])
		if err == nil {
			return out, nil
		}
		// A buffer that is too small shows as one of several errors, in the block that did not
		// fit; or at once, if a frame says so.
		filled := limit-len(out) <= zstdBlockMax
		announced := !filled && errors.Is(err, zstd.ErrDecoderSizeExceeded)
		switch {
		case !filled && !announced:
			return out, err
		case limit == d.max:
			return dst, ErrTooLarge
		case announced && limit > zstdRatio*len(src): // in a frame after the first
			return dst, errZstdSize
		}
		dst = grow(dst[:0], min(max(4*limit, 2*zstdBlockMax), d.max))
	}
}

// withoutSize returns a copy of the frames in src, the first of which does not announce the size
// that h says.
func withoutSize(src []byte, h zstd.Header) []byte {
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	log := max(bits.Len64(max(window, 1)-1), zstdWindowLogMin)
	descriptor := byte(0)
	if h.HasCheckSum {
		descriptor = zstdHasChecksum
	}
	out := binary.LittleEndian.AppendUint32(make([]byte, 0, len(src)+2), zstdMagic)
	out = append(out, descriptor, byte(min(log-zstdWindowLogMin, 31)<<3))
	return append(out, src[h.HeaderSize:]...)
}
