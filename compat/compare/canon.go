package compare

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"holt/wire"
)

// Canon replaces, in the bytes that one server sent, what two correct servers may
// choose differently, so that the rest can be compared byte by byte:
//
//   - a zxid z up to 0 stays; one from before the script began becomes zxidOld;
//     any other becomes zxidBase + (z − the script's first);
//   - a time of 0 stays, a time near now, or in the past if its zxid is from before the script,
//     becomes timeCreated or, where the Stat says that the node was changed later,
//     timeChanged. Anything else stays and will differ: a time far from now, a node
//     not changed whose two times differ;
//   - an id of a session that the script opened becomes sessionBase + its number;
//   - a password that is not all zero becomes passwdSet;
//   - the elements of a list without order are sorted: children, ephemeral nodes, identities,
//     and the entries of an ACL with the same permissions, which "auth" may have become.
//
// Lengths never change.
type Canon struct {
	base     int64           // zxid when the script began
	last     int64           // highest zxid seen
	now      time.Time       // when the script began
	sessions map[int64]int64 // real id to canonical
	ids      []int64         // real ids, by number
	scratch  [][]byte        // of sortStrings
	sorted   []byte
}

const (
	zxidOld     int64 = 1 << 40
	zxidBase    int64 = 1 << 41
	zxidLast    int64 = 1<<42 + 1<<30 // in a request: the highest zxid seen
	zxidAhead   int64 = 1<<42 + 1<<31 // in a request: one the server has not reached
	sessionBase int64 = 0x5e55 << 40
	timeCreated int64 = 1
	timeChanged int64 = 2
	passwdSet         = "passwordpassword"
)

// timeSlack is how far from now a time may be. Scripts are shorter.
const timeSlack = 10 * time.Minute

func newCanon(base int64, now time.Time) *Canon {
	return &Canon{base: base, last: base, now: now, sessions: map[int64]int64{}}
}

// zxid returns the canonical form of z and remembers the highest.
func (c *Canon) zxid(z int64) int64 {
	switch {
	case z <= 0:
		return z
	case z <= c.base:
		return zxidOld
	}
	c.last = max(c.last, z)
	return zxidBase + z - c.base
}

// real turns a canonical zxid into this server's.
func (c *Canon) real(z int64) int64 {
	switch {
	case z == zxidLast:
		return c.last
	case z == zxidAhead:
		return c.last + 1000
	case z >= zxidBase-1<<30 && z < zxidBase+1<<30:
		return c.base + z - zxidBase
	}
	return z
}

// session returns the canonical form of an id.
func (c *Canon) session(id int64) int64 {
	if s, ok := c.sessions[id]; ok {
		return s
	}
	return id
}

// opened gives the next number to a session.
func (c *Canon) opened(id int64) {
	if _, ok := c.sessions[id]; !ok {
		c.sessions[id] = sessionBase + int64(len(c.ids))
		c.ids = append(c.ids, id)
	}
}

func (c *Canon) patchZxid(b []byte) {
	binary.BigEndian.PutUint64(b, uint64(c.zxid(int64(binary.BigEndian.Uint64(b)))))
}

// header replaces the zxid of a reply's header.
func (c *Canon) header(payload []byte) {
	if len(payload) >= 12 {
		c.patchZxid(payload[4:12])
	}
}

// Offsets in a Stat.
const (
	statCzxid, statMzxid, statCtime, statMtime = 0, 8, 16, 24
	statOwner, statPzxid, statSize             = 44, 60, 68
)

// stat replaces what is to be replaced in the Stat at the start of b, if all of it is there.
func (c *Canon) stat(b []byte) {
	if len(b) < statSize {
		return
	}
	int64at := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[i:])) }
	put := func(i int, v int64) { binary.BigEndian.PutUint64(b[i:], uint64(v)) }
	ctime, mtime := int64at(statCtime), int64at(statMtime)
	// A node of the server's own, which no transaction made, may be written by none.
	unchanged := int64at(statCzxid) == int64at(statMzxid) && (int64at(statCzxid) != 0 || ctime != 0)
	if c.passes(ctime, int64at(statCzxid)) {
		put(statCtime, timeCreated)
		if mtime == ctime {
			put(statMtime, timeCreated)
		}
	}
	if !unchanged && mtime >= ctime && c.passes(mtime, int64at(statMzxid)) {
		put(statMtime, timeChanged)
	}
	c.patchZxid(b[statCzxid:])
	c.patchZxid(b[statMzxid:])
	c.patchZxid(b[statPzxid:])
	put(statOwner, c.session(int64at(statOwner)))
}

// passes reports whether a time may be that of a transaction: one near now, or any that is past if the
// transaction was before this script.
func (c *Canon) passes(millis, zxid int64) bool {
	d := c.now.Sub(time.UnixMilli(millis))
	before := 0 < zxid && zxid <= c.base && millis > 0
	return -timeSlack < d && (d < timeSlack || before)
}

// connect replaces what is to be replaced in a ConnectResponse and returns the real id.
func (c *Canon) connect(payload []byte) (id int64) {
	if len(payload) < 20 {
		return 0
	}
	id = int64(binary.BigEndian.Uint64(payload[8:]))
	if id != 0 {
		c.opened(id)
		binary.BigEndian.PutUint64(payload[8:], uint64(c.session(id)))
	}
	if p := payload[20:]; len(p) >= wire.PasswdSize && !bytes.Equal(p[:wire.PasswdSize], make([]byte, wire.PasswdSize)) {
		copy(p[:wire.PasswdSize], passwdSet)
	}
	return id
}

// reply replaces what is to be replaced in the reply to a request of op.
func (c *Canon) reply(op wire.OpCode, payload []byte) {
	c.header(payload)
	if len(payload) <= replyHeaderSize {
		return
	}
	// Errors have no body, but for a multiRead that breaks off: what it had until then.
	body := payload[replyHeaderSize:]
	d := wire.NewDecoder(body)
	rest := func() []byte { return body[len(body)-d.Len():] }
	switch op {
	case wire.OpExists, wire.OpSetData, wire.OpSetACL:
		c.stat(body)
	case wire.OpGetData, wire.OpReconfig, wire.OpCreate2, wire.OpCreateContainer, wire.OpCreateTTL:
		d.Buffer()
		c.stat(rest())
	case wire.OpGetACL:
		c.stat(c.sortACLs(body))
	case wire.OpGetChildren, wire.OpGetEphemerals:
		c.sortStrings(body, 1)
	case wire.OpGetChildren2:
		c.stat(c.sortStrings(body, 1))
	case wire.OpGetChildrenPage:
		if b := c.sortStrings(body, 1); len(b) >= statSize+8 {
			c.stat(b)
			c.patchZxid(b[statSize:])
		}
	case wire.OpWhoAmI:
		c.sortStrings(body, 2)
	case wire.OpMulti, wire.OpMultiRead:
		c.multi(body)
	}
}

const replyHeaderSize = 16

// multi goes through the results of a multi or multiRead.
func (c *Canon) multi(body []byte) {
	d := wire.NewDecoder(body)
	for {
		var h wire.MultiHeader
		h.Decode(d)
		if d.Err() != nil || h.Done {
			return
		}
		switch h.Type {
		case wire.OpError:
			d.Int32()
			continue
		case wire.OpCreate:
			d.Buffer()
			continue
		case wire.OpGetChildren:
			d.Reset(c.sortStrings(body[len(body)-d.Len():], 1))
			continue
		case wire.OpCreate2, wire.OpGetData:
			d.Buffer()
		case wire.OpSetData:
		default:
			continue
		}
		rest := body[len(body)-d.Len():]
		c.stat(rest)
		d.Reset(rest[min(len(rest), statSize):])
	}
}

// sortACLs sorts, in the ACL at the start of b, entries with the same permissions next to each
// other, and returns what follows it; nil if it is not complete.
func (c *Canon) sortACLs(b []byte) []byte {
	d := wire.NewDecoder(b)
	n := int(d.Int32())
	if d.Err() != nil || n < 0 || n > len(b)/12 {
		return nil
	}
	c.scratch, c.sorted = c.scratch[:0], c.sorted[:0]
	flush := func() {
		slices.SortFunc(c.scratch, bytes.Compare)
		for _, e := range c.scratch {
			c.sorted = append(c.sorted, e...)
		}
		c.scratch = c.scratch[:0]
	}
	for range n {
		at := len(b) - d.Len()
		d.Int32()
		d.Buffer()
		d.Buffer()
		if d.Err() != nil {
			return nil
		}
		entry := b[at : len(b)-d.Len()]
		if len(c.scratch) > 0 && !bytes.Equal(c.scratch[0][:4], entry[:4]) {
			flush()
		}
		c.scratch = append(c.scratch, entry)
	}
	flush()
	end := len(b) - d.Len()
	copy(b[4:end], c.sorted)
	return b[end:]
}

// sortStrings sorts the vector at the start of b, whose elements are so many strings each, and
// returns what follows it; nil if the vector is not complete.
func (c *Canon) sortStrings(b []byte, each int) []byte {
	d := wire.NewDecoder(b)
	n := int(d.Int32())
	if d.Err() != nil || n < 0 || n > len(b)/4 {
		return nil
	}
	c.scratch = c.scratch[:0]
	for range n {
		at := len(b) - d.Len()
		for range each {
			d.Buffer()
		}
		if d.Err() != nil {
			return nil
		}
		c.scratch = append(c.scratch, b[at:len(b)-d.Len()])
	}
	end := len(b) - d.Len()
	// The length stands first and would decide; the text shall.
	slices.SortFunc(c.scratch, func(x, y []byte) int { return bytes.Compare(x[4:], y[4:]) })
	c.sorted = c.sorted[:0]
	for _, e := range c.scratch {
		c.sorted = append(c.sorted, e...)
	}
	copy(b[4:end], c.sorted)
	return b[end:]
}
