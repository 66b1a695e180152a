package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"holt/broker/kerror"
)

// TestKgoBlocks: franz-go decompresses what this package compresses and the other way round, in
// all sizes around those of blocks.
func TestKgoBlocks(t *testing.T) {
	theirs, ours := kgo.DefaultDecompressor(), NewDecompressor(1<<20)
	z := &Compressor{}
	codecOf := map[Codec]kgo.CompressionCodec{Gzip: kgo.GzipCompression(), Snappy: kgo.SnappyCompression(),
		LZ4: kgo.Lz4Compression(), Zstd: kgo.ZstdCompression()}
	for _, codec := range codecs[1:] {
		compressor, err := kgo.DefaultCompressor(codecOf[codec])
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 100, 32 << 10, 32<<10 + 1, 64 << 10, 128<<10 + 1, 300_000, 1 << 20} {
			plain := bytes.Repeat([]byte("0123456789abcdef-"), size/17+1)[:size]
			block, err := z.compress(nil, plain, Compression{Codec: codec})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := theirs.Decompress(block, kgo.CompressionCodecType(codec)); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%v, %d bytes: franz-go reads %d bytes of ours, %v", codec, size, len(got), err)
			}
			block, _ = compressor.Compress(new(bytes.Buffer), plain)
			if got, err := ours.decompress(nil, block, codec); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%v, %d bytes: %d bytes read of franz-go's, %v", codec, size, len(got), err)
			}
		}
	}
}

func TestLevels(t *testing.T) {
	plain := bytes.Repeat([]byte("some text that repeats, "), 1000)
	d := NewDecompressor(1 << 20)
	for _, codec := range codecs {
		for _, level := range []int{-131072, -1, 0, 1, 3, 4, 9, 12, 17, 22, 1000} {
			block, err := (*Compressor)(nil).compress(nil, plain, Compression{codec, level})
			if err != nil {
				t.Errorf("%v, level %d: %v", codec, level, err)
				continue
			}
			if codec == Uncompressed {
				continue
			}
			if got, err := d.decompress(nil, block, codec); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%v, level %d: %d bytes, %v", codec, level, len(got), err)
			}
		}
	}
}

// bomb returns a batch of one record with that many zeros.
func bomb(t testing.TB, codec Codec, size int) Batch {
	return build(t, BuilderOptions{Compression: Compression{Codec: codec}}, Record{Value: make([]byte, size)})
}

func TestLimit(t *testing.T) {
	const size = 3 << 20
	for _, codec := range codecs[1:] {
		b := bomb(t, codec, size)
		exact := size + 13 // the record around the value
		for limit, want := range map[int]error{100: ErrTooLarge, 1 << 20: ErrTooLarge, exact - 1: ErrTooLarge, exact: nil, 1 << 30: nil} {
			d := NewDecompressor(limit)
			block, release, err := d.open(b)
			if !errors.Is(err, want) {
				t.Errorf("%v with limit %d: %v", codec, limit, err)
			}
			if err == nil {
				if len(block) != exact {
					t.Fatalf("%d bytes, this test thinks %d", len(block), exact)
				}
				release()
			}
		}
		o := ValidateOptions{ProduceVersion: 9, Decompressor: NewDecompressor(1 << 20)}
		if _, bad := Validate(bytes.Clone(b), o); bad == nil || bad.Code != kerror.MessageTooLarge {
			t.Errorf("%v: Validate of a bomb: %v", codec, bad)
		}
	}
}

// TestLyingSizes: a size that a block announces and does not hold is never allocated.
func TestLyingSizes(t *testing.T) {
	huge := uint64(1) << 29
	zstdFrame := func(descriptor, window byte, size uint64) []byte {
		b := []byte{0x28, 0xb5, 0x2f, 0xfd, descriptor}
		if descriptor&0x20 == 0 {
			b = append(b, window)
		}
		if descriptor>>6 == 3 {
			b = binary.LittleEndian.AppendUint64(b, size)
		}
		return append(b, 1, 0, 0) // one empty raw block, the last
	}
	for name, c := range map[string]struct {
		codec Codec
		block []byte
	}{
		"snappy, bare":         {Snappy, append(binary.AppendUvarint(nil, huge), make([]byte, 200)...)},
		"snappy, framed":       {Snappy, append(binary.BigEndian.AppendUint32(append(bytes.Clone(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1), 10), binary.AppendUvarint(make([]byte, 0, 10), huge)[:5]...)},
		"snappy, frame length": {Snappy, binary.BigEndian.AppendUint32(append(bytes.Clone(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1), 0x7fffffff)},
		"zstd, content":        {Zstd, zstdFrame(0xe0, 0, huge)},
		"zstd, window":         {Zstd, zstdFrame(0, 0x88, 0)},
		"zstd, both":           {Zstd, zstdFrame(0xc0, 0x88, huge)},
		"zstd, second frame":   {Zstd, append(zstdFrame(0, 0, 0), zstdFrame(0xc0, 0x88, huge)...)},
	} {
		d := NewDecompressor(1 << 30)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := d.decompress(nil, c.block, c.codec)
		runtime.ReadMemStats(&after)
		if len(out) != 0 {
			t.Errorf("%s: %d bytes of nothing, %v", name, len(out), err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
			t.Errorf("%s: %d bytes allocated for %d, %v", name, grown, len(c.block), err)
		}
	}
}

// TestSnappyForms: framed by Java and bare as librdkafka writes it, with a frame of several
// blocks.
func TestSnappyForms(t *testing.T) {
	plain := bytes.Repeat([]byte("abc"), 40_000)
	for name, block := range map[string][]byte{"bare": s2.EncodeSnappy(nil, plain), "framed": snappy(nil, plain)} {
		if got, err := unsnappy(nil, block, 1<<20); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		for n := range len(block) { // every prefix fails, or gives whole blocks
			got, err := unsnappy(nil, block[:n], 1<<20)
			if err == nil && (!bytes.HasPrefix(plain, got) || len(got)%xerialBlock != 0) {
				t.Fatalf("%s: %d of %d bytes give %d", name, n, len(block), len(got))
			}
		}
	}
}

// TestConcatenated: zstd and gzip allow several frames, and readers read all of them.
func TestConcatenated(t *testing.T) {
	for _, codec := range []Codec{Gzip, Zstd} {
		one, err := (*Compressor)(nil).compress(nil, []byte("hello, "), Compression{Codec: codec})
		if err != nil {
			t.Fatal(err)
		}
		got, err := NewDecompressor(100).decompress(nil, append(bytes.Clone(one), one...), codec)
		if string(got) != "hello, hello, " {
			t.Errorf("%v: %q, %v", codec, got, err)
		}
	}
}

// TestSmallBuffers: whatever is left in the pool, zstd finds a buffer that is large enough. It
// has several errors for one that is not.
func TestSmallBuffers(t *testing.T) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	stream := func(plain []byte) []byte { // without the size, as Java writes it
		var out bytes.Buffer
		w.Reset(&out)
		for part := plain; len(part) > 0; part = part[min(len(part), 1000):] {
			if _, err := w.Write(part[:min(len(part), 1000)]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for _, size := range []int{1, 1000, 70_000, 131_072, 131_073, 500_000, 5_000_000} {
		for name, plain := range map[string][]byte{"zeros": make([]byte, size), "text": fmt.Appendf(nil, "%0*d", size, 123456789)} {
			for _, block := range [][]byte{stream(plain), w.EncodeAll(plain, nil)} {
				for _, room := range []int{0, 1, 100, 65_536, 200_000, 1 << 20} {
					got, err := NewDecompressor(6_000_000).unzstd(make([]byte, 0, room), block)
					if err != nil || !bytes.Equal(got, plain) {
						t.Errorf("%s, %d bytes in a buffer of %d: %d, %v", name, size, room, len(got), err)
					}
				}
			}
		}
	}
}

// TestReuse: buffers and decoders that an error left behind serve the next batch.
func TestReuse(t *testing.T) {
	d := NewDecompressor(1 << 20)
	for range 3 {
		for _, codec := range codecs[1:] {
			good := build(t, BuilderOptions{Compression: Compression{Codec: codec}}, sample(50)...)
			bad := edit(good, func(b Batch) { clear(b[HeaderSize+8:]) })
			for r, err := range bad.Records(d) {
				if err == nil {
					t.Errorf("%v: a record of a damaged block: %v", codec, r)
				}
			}
			if got, want := text(collect(t, good, d)), text(sample(50)); got != want {
				t.Errorf("%v:\n%s\nwant\n%s", codec, got, want)
			}
		}
	}
}
