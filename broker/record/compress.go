package record

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compressor keeps encoders, some of which cost megabytes to make, for further use. The zero
// value is ready, a nil one makes an encoder for each batch. It may be used by many goroutines.
type Compressor struct {
	// pools holds a *sync.Pool of encoders for each Compression that was asked for: those of the
	// topics' settings, a handful.
	pools sync.Map
}

// encoder appends what src is compressed to to dst. It is for one goroutine at a time.
type encoder func(dst, src []byte) ([]byte, error)

// compress appends src to dst, compressed.
func (z *Compressor) compress(dst, src []byte, c Compression) ([]byte, error) {
	switch c.Codec { // those that need no encoder
	case Uncompressed:
		return append(dst, src...), nil
	case Snappy:
		return snappy(dst, src), nil
	}
	if z == nil {
		z = &Compressor{}
	}
	p, ok := z.pools.Load(c)
	if !ok {
		p, _ = z.pools.LoadOrStore(c, &sync.Pool{})
	}
	pool := p.(*sync.Pool)
	encode, ok := pool.Get().(encoder)
	if !ok {
		var err error
		if encode, err = newEncoder(c); err != nil {
			return dst, err
		}
	}
	defer pool.Put(encode)
	return encode(dst, src)
}

func newEncoder(c Compression) (encoder, error) {
	switch c.Codec {
	case Gzip:
		level := gzip.DefaultCompression
		if c.Level != 0 {
			level = min(max(c.Level, gzip.BestSpeed), gzip.BestCompression)
		}
		w, err := gzip.NewWriterLevel(io.Discard, level)
		return writing(w, w.Reset), err
	case LZ4:
		w := lz4.NewWriter(io.Discard)
		err := w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.CompressionLevelOption(lz4Level(c.Level)))
		return writing(w, w.Reset), err
	case Zstd:
		level := zstd.SpeedDefault
		if c.Level != 0 {
			level = zstd.EncoderLevelFromZstd(c.Level)
		}
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level))
		return func(dst, src []byte) ([]byte, error) { return w.EncodeAll(src, dst), nil }, err
	}
	return nil, fmt.Errorf("no codec %v", c.Codec)
}

// lz4Level maps Kafka's levels, of which 9 is the default of its library and 1 to 3 do not yet
// search, to the package's.
func lz4Level(level int) lz4.CompressionLevel {
	if level < 4 {
		return lz4.Fast
	}
	return lz4.CompressionLevel(1 << (8 + min(level-3, 9)))
}

// writing makes an encoder of a writer that can be reset.
func writing(w io.WriteCloser, reset func(io.Writer)) encoder {
	return func(dst, src []byte) ([]byte, error) {
		out := sink{dst}
		reset(&out)
		if _, err := w.Write(src); err != nil {
			return out.b, err
		}
		err := w.Close()
		return out.b, err
	}
}

// sink is an io.Writer that appends.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}
