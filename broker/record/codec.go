package record

import "strconv"

// Codec is how the records of a batch are compressed, by its number in the attributes.
type Codec int8

// The codecs of Kafka.
const (
	Uncompressed Codec = 0
	Gzip         Codec = 1
	Snappy       Codec = 2
	LZ4          Codec = 3
	Zstd         Codec = 4
)

// KeepCodec, as a topic's codec, leaves batches as their producer compressed them. No batch has
// it.
const KeepCodec Codec = -1

var codecNames = [...]string{KeepCodec + 1: "producer", Uncompressed + 1: "none",
	Gzip + 1: "gzip", Snappy + 1: "snappy", LZ4 + 1: "lz4", Zstd + 1: "zstd"}

// Valid reports whether c is a codec that a batch may have.
func (c Codec) Valid() bool { return c >= Uncompressed && c <= Zstd }

// String returns the name that settings use: "none", "gzip", "snappy", "lz4", "zstd", and
// "producer" for KeepCodec.
func (c Codec) String() string {
	if i := int(c) + 1; i >= 0 && i < len(codecNames) {
		return codecNames[i]
	}
	return "codec" + strconv.Itoa(int(c))
}

// ParseCodec returns the codec that a compression.type names; Kafka also knows "uncompressed".
func ParseCodec(name string) (Codec, bool) {
	if name == "uncompressed" {
		return Uncompressed, true
	}
	for i, n := range codecNames {
		if n == name {
			return Codec(i - 1), true
		}
	}
	return 0, false
}

// Compression is a codec and how hard it tries.
type Compression struct {
	Codec Codec
	// Level mirrors compression.gzip.level (1 to 9), compression.lz4.level (1 to 17) and
	// compression.zstd.level (-131072 to 22); 0 is the codec's default. Where the library knows
	// fewer levels the nearest is taken.
	Level int
}
