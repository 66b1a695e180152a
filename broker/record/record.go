package record

import (
	"iter"
	"math"
)

// Record is one record of a batch.
type Record struct {
	// Offset is the record's place in the log. Builder.Append gives its own.
	Offset int64
	// Timestamp is in milliseconds, or NoTimestamp.
	Timestamp int64
	// Key is nil when the record has none, which is not the same as an empty one.
	Key []byte
	// Value is nil in a tombstone.
	Value []byte
	// Headers are in the producer's order; keys may repeat.
	Headers []Header
}

// Header is a named value beside a record's own.
type Header struct {
	Key   []byte // text in UTF-8, by convention; never nil
	Value []byte // may be nil
}

// Records yields the batch's records, which it decompresses by d if it has to; d may be nil for
// batches that are not compressed. The batch has to be one that passed Check. An error, a
// *CorruptError, comes last and without a record; ErrTooLarge is wrapped in none.
//
// Keys, values and headers are slices of the batch or of a buffer that goes back to d when the
// loop ends, and Headers itself is reused by the next record: a caller copies what it keeps.
//
// Offsets are as the producer wrote them; only Validate makes sure that they rise by one.
func (b Batch) Records(d *Decompressor) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		block, release, err := d.open(b)
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer release()
		c := newCursor(b, block)
		for c.more() {
			if !c.next() {
				yield(Record{}, c.err)
				return
			}
			if !yield(c.rec, nil) {
				return
			}
		}
		if err := c.end(); err != nil {
			yield(Record{}, err)
		}
	}
}

// cursor walks over the records of a decompressed block.
type cursor struct {
	batch   Batch
	rest    []byte
	left    int32 // records still to come
	delta   int32 // offset delta of rec
	rec     Record
	headers []Header // backing of rec.Headers
	err     error
}

func newCursor(b Batch, block []byte) cursor {
	return cursor{batch: b, rest: block, left: b.Count()}
}

func (c *cursor) more() bool { return c.left > 0 }

// next reads the next record into rec, or fails with err.
func (c *cursor) next() bool {
	size, n := varint32(c.rest)
	if n == 0 || size < 0 || int64(size) > int64(len(c.rest)-n) {
		return c.fail("a record's length")
	}
	body := c.rest[n : n+int(size)]
	c.rest = c.rest[n+int(size):]
	c.left--
	return c.parse(body)
}

// parse takes a record's fields from body, which it has to use up.
func (c *cursor) parse(body []byte) bool {
	if len(body) == 0 { // the attributes, of which no bit is used
		return c.fail("a record without attributes")
	}
	body = body[1:]
	timeDelta, n := varint64(body)
	if n == 0 {
		return c.fail("a timestamp")
	}
	body = body[n:]
	if c.delta, n = varint32(body); n == 0 {
		return c.fail("an offset")
	}
	body = body[n:]
	var ok bool
	if c.rec.Key, body, ok = nullable(body); !ok {
		return c.fail("a key's length")
	}
	if c.rec.Value, body, ok = nullable(body); !ok {
		return c.fail("a value's length")
	}
	c.rec.Offset = c.batch.BaseOffset() + int64(c.delta)
	c.rec.Timestamp = c.batch.BaseTimestamp() + timeDelta
	if c.batch.TimestampType() == LogAppendTime {
		c.rec.Timestamp = c.batch.MaxTimestamp()
	}
	return c.parseHeaders(body)
}

func (c *cursor) parseHeaders(body []byte) bool {
	count, n := varint32(body)
	// Each header takes two bytes at least.
	if n == 0 || count < 0 || int64(count) > int64(len(body)-n)/2 {
		return c.fail("the number of headers")
	}
	body = body[n:]
	c.headers = c.headers[:0]
	for range count {
		var h Header
		var ok bool
		if h.Key, body, ok = nullable(body); !ok || h.Key == nil {
			return c.fail("a header's key")
		}
		if h.Value, body, ok = nullable(body); !ok {
			return c.fail("a header's value")
		}
		c.headers = append(c.headers, h)
	}
	if len(body) != 0 {
		return c.fail("a record's length, which is more than its fields'")
	}
	c.rec.Headers = c.headers
	if count == 0 {
		c.rec.Headers = nil
	}
	return true
}

// end reports bytes that are left behind the last record.
func (c *cursor) end() error {
	if len(c.rest) != 0 {
		return corrupt(c.batch, "%d bytes behind the last of %d records", len(c.rest), c.batch.Count())
	}
	return nil
}

func (c *cursor) fail(what string) bool {
	c.err = corrupt(c.batch, "record %d of %d: bad: %s", c.batch.Count()-c.left, c.batch.Count(), what)
	return false
}

// nullable reads a varint length, -1 for nil, and as many bytes.
func nullable(b []byte) (field, rest []byte, ok bool) {
	size, n := varint32(b)
	switch {
	case n == 0 || size < -1 || int64(size) > int64(len(b)-n):
		return nil, b, false
	case size == -1:
		return nil, b[n:], true
	}
	end := n + int(size)
	return b[n:end:end], b[end:], true
}

// varint32 reads a zig-zag number of 32 bits and returns how many bytes it took, at most five; 0
// for none.
func varint32(b []byte) (int32, int) {
	if len(b) > 0 && b[0] < 0x80 { // most lengths and deltas
		return int32(b[0]>>1) ^ -int32(b[0]&1), 1
	}
	var u uint32
	for i := 0; i < len(b) && i < 5; i++ {
		u |= uint32(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return int32(u>>1) ^ -int32(u&1), i + 1
		}
	}
	return 0, 0
}

// varint64 is varint32 for 64 bits and ten bytes.
func varint64(b []byte) (int64, int) {
	var u uint64
	for i := 0; i < len(b) && i < 10; i++ {
		u |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
	}
	return 0, 0
}

// appendVarint writes a zig-zag number; the bytes of one of 32 bits are the same.
func appendVarint(dst []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for u >= 0x80 {
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}

// varintLen returns how many bytes appendVarint adds.
func varintLen(v int64) int {
	n := 1
	for u := uint64(v)<<1 ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// nullableLen returns how many bytes appendNullable adds.
func nullableLen(b []byte) int {
	if b == nil {
		return 1
	}
	return varintLen(int64(len(b))) + len(b)
}

func appendNullable(dst, b []byte) []byte {
	if b == nil {
		return appendVarint(dst, -1)
	}
	return append(appendVarint(dst, int64(len(b))), b...)
}

// fieldMax is the most bytes that one record may have: its length is a number of 32 bits.
const fieldMax = math.MaxInt32
