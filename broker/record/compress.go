package record

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// compress appends src to dst, compressed. The encoders are made for the call: batches are
// built compressed by command lines, and by brokers only for topics that ask for another codec
// than their producers use.
func compress(dst, src []byte, c Compression) ([]byte, error) {
	switch c.Codec {
	case Uncompressed:
		return append(dst, src...), nil
	case Gzip:
		level := gzip.DefaultCompression
		if c.Level != 0 {
			level = min(max(c.Level, gzip.BestSpeed), gzip.BestCompression)
		}
		out := sink{dst}
		w, err := gzip.NewWriterLevel(&out, level)
		return finish(&out, w, src, err)
	case Snappy:
		return snappy(dst, src), nil
	case LZ4:
		out := sink{dst}
		w := lz4.NewWriter(&out)
		err := w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.CompressionLevelOption(lz4Level(c.Level)))
		return finish(&out, w, src, err)
	case Zstd:
		level := zstd.SpeedDefault
		if c.Level != 0 {
			level = zstd.EncoderLevelFromZstd(c.Level)
		}
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level))
		if err != nil {
			return dst, err
		}
		return w.EncodeAll(src, dst), nil
	}
	return dst, fmt.Errorf("no codec %v", c.Codec)
}

// lz4Level maps Kafka's levels, of which 9 is the default of its library and 1 to 3 do not yet
// search, to the package's.
func lz4Level(level int) lz4.CompressionLevel {
	if level < 4 {
		return lz4.Fast
	}
	return lz4.CompressionLevel(1 << (8 + min(level-3, 9)))
}

// sink is an io.Writer that appends.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// finish writes src through w, unless that could not be made.
func finish(out *sink, w io.WriteCloser, src []byte, err error) ([]byte, error) {
	if err != nil {
		return out.b, err
	}
	if _, err := w.Write(src); err != nil {
		return out.b, err
	}
	err = w.Close()
	return out.b, err
}
