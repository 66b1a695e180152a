package protocol

import (
	"encoding/binary"
	"math/bits"
)

func appendInt16(b []byte, v int16) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func appendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func appendInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

func appendUvarint(b []byte, v int) []byte { return binary.AppendUvarint(b, uint64(v)) }

// uvarintLen is the length of v as appendUvarint writes it.
func uvarintLen(v int) int { return (bits.Len64(uint64(v)|1) + 6) / 7 }

// appendCount writes the length of an array, or of bytes, that is not null.
func appendCount(b []byte, n int, flexible bool) []byte {
	if flexible {
		return appendUvarint(b, n+1)
	}
	return appendInt32(b, int32(n))
}

func appendNull(b []byte, flexible bool) []byte {
	if flexible {
		return append(b, 0)
	}
	return appendInt32(b, -1)
}

func appendString(b []byte, s string, flexible bool) []byte {
	if flexible {
		b = appendUvarint(b, len(s)+1)
	} else {
		b = appendInt16(b, int16(len(s)))
	}
	return append(b, s...)
}

// appendOptional writes a nullable string, of which the empty one is null.
func appendOptional(b []byte, s string, flexible bool) []byte {
	switch {
	case s != "":
		return appendString(b, s, flexible)
	case flexible:
		return append(b, 0)
	}
	return appendInt16(b, -1)
}

// appendNoTags ends a struct that has no tagged fields to write.
func appendNoTags(b []byte, flexible bool) []byte {
	if flexible {
		return append(b, 0)
	}
	return b
}
