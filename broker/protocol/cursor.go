package protocol

import (
	"encoding/binary"
	"errors"
	"math"
	"unsafe"
)

// ErrMalformed is the cause of every error of decoding: the frame is not what
// its header says. Nothing of a malformed request is to be acted on; the
// connection is closed.
var ErrMalformed = errors.New("malformed")

// cursor reads primitives off a frame. The first thing that does not fit makes it
// bad for good, and everything after reads as zero; the caller asks once at the
// end.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) fail() {
	c.b, c.bad = nil, true
}

func (c *cursor) take(n int) []byte {
	if uint(n) > uint(len(c.b)) {
		c.fail()
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) int8() int8 {
	if b := c.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (c *cursor) uuid() (id [16]byte) {
	copy(id[:], c.take(16))
	return id
}

func (c *cursor) uvarint() uint32 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || v > math.MaxUint32 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return uint32(v)
}

// length reads the length of something nullable: -1 for null.
func (c *cursor) length(flexible bool) int {
	var n int
	if flexible {
		n = int(c.uvarint()) - 1
	} else {
		n = int(c.int32())
	}
	if c.bad {
		return -1
	}
	if n < -1 {
		c.fail()
		return -1
	}
	return n
}

// bytes reads nullable bytes; nil is null, and empty ones are not nil.
func (c *cursor) bytes(flexible bool) []byte {
	n := c.length(flexible)
	if n < 0 {
		return nil
	}
	b := c.take(n)
	if b == nil && !c.bad {
		b = []byte{}
	}
	return b
}

// string reads a string that lies in the frame; ok is false for null.
func (c *cursor) string(flexible bool) (s string, ok bool) {
	var n int
	if flexible {
		n = int(c.uvarint()) - 1
	} else {
		n = int(c.int16())
	}
	if c.bad || n < 0 {
		if n < -1 {
			c.fail()
		}
		return "", false
	}
	if n > math.MaxInt16 {
		c.fail() // the longest that Kafka takes, compact ones too
		return "", false
	}
	b := c.take(n)
	return unsafe.String(unsafe.SliceData(b), len(b)), !c.bad
}

// must reads a string that must not be null.
func (c *cursor) must(flexible bool) string {
	s, ok := c.string(flexible)
	if !ok {
		c.fail()
	}
	return s
}

// count reads the length of an array of elements that take least bytes or more, and
// refuses one that the rest of the frame has no room for. Null is 0.
func (c *cursor) count(flexible bool, least int) int {
	n := c.length(flexible)
	if n <= 0 {
		return 0
	}
	if n > len(c.b)/least {
		c.fail()
		return 0
	}
	return n
}

// tags reads a section of tagged fields. Those that known takes are its business;
// it gets a cursor over the field alone and reports whether it knows the tag. The
// rest is skipped. known may be nil.
func (c *cursor) tags(known func(tag uint32, field *cursor) bool) {
	if len(c.b) > 0 && c.b[0] == 0 { // by far the commonest
		c.b = c.b[1:]
		return
	}
	for n := c.uvarint(); n > 0 && !c.bad; n-- {
		tag, size := c.uvarint(), c.uvarint()
		field := cursor{b: c.take(int(size))}
		if c.bad {
			return
		}
		if known != nil && known(tag, &field) && field.bad {
			c.fail()
		}
	}
}
