package wire

import (
	"encoding/binary"
	"unsafe"
)

// Decoder reads values off the front of a byte slice. It keeps the first error;
// after one, every method returns the zero value, so a record is decoded field
// by field and Err asked once at the end. Bytes after the last field are nobody's
// error: the original ignores them.
//
// The zero value reads from nothing. A Decoder may be reused by Reset.
type Decoder struct {
	b   []byte // what is left; nil after an error
	err error
}

// decodeError is a constant error, so that failing costs nothing.
type decodeError string

func (e decodeError) Error() string { return string(e) }

const (
	errTruncated = decodeError("record ends early")
	errLength    = decodeError("unreasonable length")
	errNullPath  = decodeError("path is null")
)

// NewDecoder returns a decoder of b. It aliases b.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// Reset makes d read from b, forgetting any error.
func (d *Decoder) Reset(b []byte) { d.b, d.err = b, nil }

// Err returns the first error, nil if all that was asked for was there.
func (d *Decoder) Err() error { return d.err }

// Len is the number of bytes not yet read; 0 after an error.
func (d *Decoder) Len() int { return len(d.b) }

// Rest returns the bytes not yet read, aliasing the input, without reading them.
func (d *Decoder) Rest() []byte { return d.b }

func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

// Int32 reads four bytes.
func (d *Decoder) Int32() int32 {
	if len(d.b) < 4 {
		d.fail(errTruncated)
		return 0
	}
	v := int32(binary.BigEndian.Uint32(d.b))
	d.b = d.b[4:]
	return v
}

// Int64 reads eight bytes.
func (d *Decoder) Int64() int64 {
	if len(d.b) < 8 {
		d.fail(errTruncated)
		return 0
	}
	v := int64(binary.BigEndian.Uint64(d.b))
	d.b = d.b[8:]
	return v
}

// Bool reads one byte; anything but 0 is true.
func (d *Decoder) Bool() bool {
	if len(d.b) < 1 {
		d.fail(errTruncated)
		return false
	}
	v := d.b[0] != 0
	d.b = d.b[1:]
	return v
}

// Buffer reads a length and as many bytes, which alias the input: nil for null, non-nil
// for empty. Its capacity is its length, so appending to it copies.
func (d *Decoder) Buffer() []byte {
	n := d.Int32()
	if n < 0 {
		if n != -1 {
			d.fail(errLength)
		}
		return nil
	}
	if d.err != nil {
		return nil
	}
	if int(n) > len(d.b) {
		d.fail(errTruncated)
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// String reads a string, which aliases the input; null is "".
func (d *Decoder) String() string {
	v := d.Buffer()
	return unsafe.String(unsafe.SliceData(v), len(v))
}

// Path reads a string that must not be null.
// ZooKeeper: a null path ends in a NullPointerException, answered by MarshallingError.
func (d *Decoder) Path() string {
	v := d.Buffer()
	if v == nil {
		d.fail(errNullPath)
		return ""
	}
	return unsafe.String(unsafe.SliceData(v), len(v))
}

// nullString reads a string whose being null has a meaning.
func (d *Decoder) nullString() *string {
	v := d.Buffer()
	if v == nil {
		return nil
	}
	s := unsafe.String(unsafe.SliceData(v), len(v))
	return &s
}

// count reads the count of a vector whose elements take at least min bytes each; −1
// for null. A count that the bytes left cannot hold is an error before anything is
// allocated for it. As in the original, any other negative count is an empty vector.
func (d *Decoder) count(min int) int {
	n := d.Int32()
	switch {
	case d.err != nil || n == -1:
		return -1
	case n < 0:
		return 0
	case int(n) > len(d.b)/min:
		d.fail(errTruncated)
		return -1
	}
	return int(n)
}

// Strings reads a vector of strings, which alias the input; nil for null.
func (d *Decoder) Strings() []string {
	n := d.count(4)
	if n < 0 {
		return nil
	}
	v := make([]string, n)
	for i := range v {
		v[i] = d.String()
	}
	if d.err != nil {
		return nil
	}
	return v
}
