package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// ErrTooLarge says that a batch's records are larger than the Decompressor's limit. Nothing is
// wrong with them otherwise as far as was seen.
var ErrTooLarge = errors.New("records are larger than the limit when decompressed")

// bufferKept is the largest buffer that goes back to the pool: a rare huge batch shall not keep
// its memory for ordinary ones.
const bufferKept = 4 << 20

// Decompressor decompresses the records of batches into buffers that it uses again, up to a
// limit per batch. It may be used by many goroutines; each of them holds at most the limit, and
// memory grows with what really comes out, not with what a header announces.
type Decompressor struct {
	max     int
	buffers sync.Pool // *[]byte
	gzip    sync.Pool // *gzip.Reader
	lz4     sync.Pool // *lz4.Reader
	zstd    *zstd.Decoder
}

// NewDecompressor returns a Decompressor that refuses batches with more than maxBytes of
// records. maxBytes is at least 1.
func NewDecompressor(maxBytes int) *Decompressor {
	d := &Decompressor{max: max(maxBytes, 1)}
	var err error
	d.zstd, err = newZstdDecoder()
	if err != nil {
		panic(fmt.Sprintf("zstd decoder of constant options: %v", err))
	}
	return d
}

// open returns the batch's records decompressed, and what to call after their last use.
func (d *Decompressor) open(b Batch) (block []byte, release func(), err error) {
	if b.Codec() == Uncompressed || b.Count() == 0 {
		return b.records(), func() {}, nil
	}
	if d == nil {
		return nil, nil, corrupt(b, "compressed (%v) where it must not be", b.Codec())
	}
	buf := d.buffer()
	*buf, err = d.decompress((*buf)[:0], b.records(), b.Codec())
	if err != nil {
		d.free(buf)
		if errors.Is(err, ErrTooLarge) {
			return nil, nil, fmt.Errorf("batch at offset %d: %w (%d bytes)", b.BaseOffset(), ErrTooLarge, d.max)
		}
		return nil, nil, corrupt(b, "decompress %v: %v", b.Codec(), err)
	}
	return *buf, func() { d.free(buf) }, nil
}

// decompress appends what src decompresses to to dst, and returns it also with an error.
func (d *Decompressor) decompress(dst, src []byte, c Codec) ([]byte, error) {
	switch c {
	case Gzip:
		return d.gunzip(dst, src)
	case Snappy:
		return unsnappy(dst, src, d.max)
	case LZ4:
		return d.unlz4(dst, src)
	case Zstd:
		return d.unzstd(dst, src)
	}
	return dst, fmt.Errorf("no such codec")
}

func (d *Decompressor) gunzip(dst, src []byte) ([]byte, error) {
	in := bytes.NewReader(src)
	r, _ := d.gzip.Get().(*gzip.Reader)
	var err error
	if r == nil {
		r, err = gzip.NewReader(in)
	} else {
		err = r.Reset(in)
	}
	if err != nil {
		return dst, err
	}
	defer d.gzip.Put(r)
	return d.readAll(dst, r, len(src))
}

func (d *Decompressor) unlz4(dst, src []byte) ([]byte, error) {
	r, _ := d.lz4.Get().(*lz4.Reader)
	if r == nil {
		r = lz4.NewReader(nil)
	}
	defer d.lz4.Put(r)
	r.Reset(bytes.NewReader(src))
	return d.readAll(dst, r, len(src))
}

// readAll appends all that r gives to dst, and stops beyond the limit.
func (d *Decompressor) readAll(dst []byte, r io.Reader, compressed int) ([]byte, error) {
	dst = grow(dst, min(4*compressed+512, d.max))
	for {
		if len(dst) == cap(dst) {
			dst = grow(dst, min(2*len(dst), d.max)+1) // one more than the limit, to see that it is passed
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst) > d.max {
			return dst, ErrTooLarge
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// grow returns dst with a capacity of n at least.
func grow(dst []byte, n int) []byte {
	if cap(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, n), dst...)
}

func (d *Decompressor) buffer() *[]byte {
	if buf, ok := d.buffers.Get().(*[]byte); ok {
		return buf
	}
	return new([]byte)
}

func (d *Decompressor) free(buf *[]byte) {
	if cap(*buf) <= bufferKept {
		d.buffers.Put(buf)
	}
}
