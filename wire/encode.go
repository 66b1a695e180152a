package wire

import "encoding/binary"

// Record is a request, reply or part of one.
type Record interface {
	// AppendTo appends the record's encoding to b and returns the extended slice.
	AppendTo(b []byte) []byte
	// Decode replaces every field by what d holds next. After an error of d,
	// which d keeps, the fields not reached are zero. Strings and buffers alias
	// the input of d.
	Decode(d *Decoder)
}

// AppendInt32 appends v.
func AppendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

// AppendInt64 appends v.
func AppendInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// AppendBool appends one byte, 0 or 1.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendString appends v with its length; "" is written as empty, not as null.
func AppendString(b []byte, v string) []byte { return append(AppendInt32(b, int32(len(v))), v...) }

// AppendBuffer appends v with its length; nil is written as null.
func AppendBuffer(b []byte, v []byte) []byte {
	if v == nil {
		return AppendInt32(b, -1)
	}
	return append(AppendInt32(b, int32(len(v))), v...)
}

// AppendStrings appends a vector of strings; nil is written as empty.
func AppendStrings(b []byte, v []string) []byte {
	b = AppendInt32(b, int32(len(v)))
	for _, s := range v {
		b = AppendString(b, s)
	}
	return b
}

// appendNullString appends *v, or null for nil.
func appendNullString(b []byte, v *string) []byte {
	if v == nil {
		return AppendInt32(b, -1)
	}
	return AppendString(b, *v)
}
