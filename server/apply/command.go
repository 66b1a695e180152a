package apply

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unsafe"

	"holt/wire"
	"holt/znode"
)

// Origin numbers a command. See the package comment.
type Origin struct {
	// Member is the id of the member that the command came from; 0 for
	// commands of the leader's own, which have no number and are lost with it.
	Member uint64
	// Incarnation grows with each start of the member.
	Incarnation uint64
	Seq         uint64 // from 1
}

// Flags of a command: settings of its origin that decide the result, and facts about it.
type Flags uint16

const (
	// AfterRead says that the session has reads waiting between this command and an
	// earlier one: the leader puts the two into different entries. No effect here.
	AfterRead Flags = 1 << iota
	// EnforceQuota refuses what exceeds a hard limit [enforceQuota].
	EnforceQuota
	// SkipACL lets everybody do everything [skipACL].
	SkipACL
	// TTLEnabled allows nodes with a TTL [extendedTypesEnabled].
	TTLEnabled
	// Expired marks a closeSession of the leader's as one of a silent session. No effect here.
	Expired
	// NoDigest takes the scheme digest away [DigestAuthenticationProvider.enabled=false].
	NoDigest
	// SASL and X509 add these schemes.
	SASL
	X509
	// Admit marks what the leader has to judge before it proposes it: a reconfig. No effect here.
	Admit
	// Local says that the session is known to the command's member alone.
	Local
	// Alone has the leader give the command an entry of its own. No effect here.
	Alone

	flagsKnown = Alone<<1 - 1
)

// Schemes are the authentication schemes that the flags leave or add.
func (f Flags) Schemes() znode.Schemes {
	s := znode.SchemesDefault
	if f&NoDigest != 0 {
		s &^= znode.SchemeDigest
	}
	if f&SASL != 0 {
		s |= znode.SchemeSASL
	}
	if f&X509 != 0 {
		s |= znode.SchemeX509
	}
	return s
}

// OpAttach connects a session to the member that the command comes from, if the password is
// right. A client's reconnect; the body is that of AppendCreateSession.
const OpAttach wire.OpCode = -100

// Command is one request that changes something.
type Command struct {
	Origin
	Session wire.SessionID
	Xid     wire.Xid
	Op      wire.OpCode // a write of the protocol, or OpAttach
	Flags   Flags
	// Identities are those of the connection when the request arrived.
	Identities []wire.Identity
	// Body is the request's record exactly as received; what createSession, OpAttach and
	// the leader's own commands have there is told by the functions that append it.
	Body []byte
}

// Reasons why a command or entry cannot be decoded.
var (
	errTruncated  = errors.New("ends early")
	errFlags      = error(&FormatError{What: "a flag"})
	errRange      = errors.New("number out of range")
	errIdentities = errors.New("more identities than bytes")
)

// The fixed fields come before the variable ones: flags, session, incarnation, number.
const (
	commandSeq   = 2 + 8 + 8
	commandFixed = commandSeq + 8
)

// EncodedLen is the number of bytes that AppendTo appends.
func (c *Command) EncodedLen() int {
	n := commandFixed + uvarintLen(c.Member) + uvarintLen(zigzag(int64(c.Xid))) + uvarintLen(zigzag(int64(c.Op)))
	n += uvarintLen(uint64(len(c.Identities)))
	for i := range c.Identities {
		id := &c.Identities[i]
		n += uvarintLen(uint64(len(id.Scheme))) + len(id.Scheme) + uvarintLen(uint64(len(id.ID))) + len(id.ID)
	}
	return n + len(c.Body)
}

func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

// AppendTo appends the encoded command.
func (c *Command) AppendTo(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(c.Flags))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Session))
	b = binary.BigEndian.AppendUint64(b, c.Incarnation)
	b = binary.BigEndian.AppendUint64(b, c.Seq)
	b = binary.AppendUvarint(b, c.Member)
	b = binary.AppendVarint(b, int64(c.Xid))
	b = binary.AppendVarint(b, int64(c.Op))
	b = binary.AppendUvarint(b, uint64(len(c.Identities)))
	for i := range c.Identities {
		b = appendText(b, c.Identities[i].Scheme)
		b = appendText(b, c.Identities[i].ID)
	}
	return append(b, c.Body...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// PeekCommand returns what a leader needs to know of an encoded command; zeros if it is too
// short to be one.
func PeekCommand(b []byte) (wire.SessionID, Flags) {
	if len(b) < commandFixed {
		return 0, 0
	}
	return wire.SessionID(binary.BigEndian.Uint64(b[2:])), Flags(binary.BigEndian.Uint16(b))
}

// SetSeq gives an encoded command its number: a member decides on the order of its commands later
// than it encodes them.
func SetSeq(b []byte, seq uint64) { binary.BigEndian.PutUint64(b[commandSeq:], seq) }

// Decode reads an encoded command, all of b. Strings and body alias b. It fails on anything that AppendTo
// does not write; for bytes from other members.
func (c *Command) Decode(b []byte) error {
	_, err := c.decode(b, nil)
	return err
}

// decode is Decode with the identities appended to ids, which is returned.
func (c *Command) decode(b []byte, ids []wire.Identity) ([]wire.Identity, error) {
	s, n := c.decodeFields(b)
	from := len(ids)
	for range n {
		ids = append(ids, wire.Identity{Scheme: s.text(), ID: s.text()})
	}
	c.Identities = ids[from:len(ids):len(ids)]
	c.Body = s.b
	return ids, s.err
}

// decodeFields reads what is before the identities and returns their number, which the bytes left can hold.
func (c *Command) decodeFields(b []byte) (s scanner, identities uint64) {
	if len(b) < commandFixed {
		return scanner{err: errTruncated}, 0
	}
	c.Flags = Flags(binary.BigEndian.Uint16(b))
	c.Session = wire.SessionID(binary.BigEndian.Uint64(b[2:]))
	c.Incarnation = binary.BigEndian.Uint64(b[10:])
	s.b = b[commandFixed:]
	if c.Flags&^flagsKnown != 0 {
		s.fail(errFlags)
	}
	c.Seq = binary.BigEndian.Uint64(b[commandSeq:])
	c.Member = s.uvarint()
	c.Xid, c.Op = wire.Xid(s.int32()), wire.OpCode(s.int32())
	n := s.uvarint()
	if n > uint64(len(s.b))/2 {
		s.fail(errIdentities)
		return s, 0
	}
	return s, n
}

// CheckCommand is for a leader that gets an encoded command from a member: it says what is wrong
// with it if it cannot be decoded or is not numbered as that member's. In an entry it would stop every
// member of the ensemble. Does not allocate unless it fails.
func CheckCommand(b []byte, member uint64) error {
	var c Command
	s, n := c.decodeFields(b)
	for range n {
		s.text()
		s.text()
	}
	switch {
	case s.err != nil:
		return fmt.Errorf("command of member %d: %w", member, s.err)
	case c.Member != member || member == 0:
		return fmt.Errorf("command of member %d is numbered as one of member %d", member, c.Member)
	}
	return nil
}

// scanner reads the variable fields; it keeps the first error.
type scanner struct {
	b   []byte
	err error
}

func (s *scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.b = nil
}

func (s *scanner) uvarint() uint64 {
	v, n := binary.Uvarint(s.b)
	if n <= 0 {
		s.fail(errTruncated)
		return 0
	}
	s.b = s.b[n:]
	return v
}

func (s *scanner) int32() int32 {
	u := s.uvarint()
	v := int64(u>>1) ^ -int64(u&1)
	if v != int64(int32(v)) {
		s.fail(errRange)
		return 0
	}
	return int32(v)
}

func (s *scanner) text() string {
	n := s.uvarint()
	if n > uint64(len(s.b)) {
		s.fail(errTruncated)
		return ""
	}
	v := s.b[:n]
	s.b = s.b[n:]
	return unsafe.String(unsafe.SliceData(v), len(v))
}
