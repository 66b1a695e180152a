package record

// skim is next for what most records are: numbers of one or two bytes and no headers. It leaves out
// what only readers need: of the key it tells whether there is one. On anything else it
// reports false and has changed nothing, and next judges. Producers send ten thousand such records
// in a megabyte; this is half of what next takes for each.
func (c *cursor) skim() bool {
	b := c.rest
	// The record's length, attributes, both deltas and the key's length, of two bytes at most, are
	// within what is there; so is the value's length, behind the key.
	const numbers = 9
	if len(b) < numbers {
		return false
	}
	size, i := short(b, 0)
	end := i + size
	timeDelta, i := short(b, i+1)
	delta, i := short(b, i)
	key, i := short(b, i)
	if !isShort(size) || !isShort(timeDelta) || !isShort(delta) || !isShort(key) || size < 0 || end > len(b) || key < -1 {
		return false
	}
	if key > 0 {
		i += key
	}
	if i+2 > len(b) {
		return false
	}
	value, i := short(b, i)
	if !isShort(value) || value < -1 {
		return false
	}
	if value > 0 {
		i += value
	}
	if i+1 != end || b[i] != 0 { // the number of headers
		return false
	}
	c.rest = b[end:]
	c.left--
	c.delta = int32(delta)
	c.rec = Record{Offset: c.batch.BaseOffset() + int64(delta), Timestamp: c.batch.BaseTimestamp() + int64(timeDelta)}
	if c.batch.TimestampType() == LogAppendTime {
		c.rec.Timestamp = c.batch.MaxTimestamp()
	}
	if key >= 0 {
		c.rec.Key = b[:0]
	}
	return true
}

// isShort reports whether short has read a whole number.
func isShort(v int) bool { return -1<<13 <= v && v < 1<<13 }

// short reads a zig-zag number of one or two bytes at place i and returns the place behind it. What
// it makes of one that goes on after two is beyond the numbers that isShort takes.
func short(b []byte, i int) (int, int) {
	u, n := uint(b[i]), i+1
	if u >= 0x80 {
		u, n = u&0x7f|uint(b[n])<<7, i+2
	}
	return int(u>>1) ^ -int(u&1), n
}
