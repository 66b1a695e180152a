package apply

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"holt/wire"
)

// OpAttach is a client's reconnect: it takes over its session on another
// connection, maybe on another member. Not an op code of the protocol.
const OpAttach wire.OpCode = -100

// Flags are what a command's origin or the leader says about it.
type Flags uint8

const (
	// AfterRead: reads of the session wait between an earlier command of it and
	// this one. The leader puts the two into different entries, so that a
	// member can answer those reads in between.
	AfterRead Flags = 1 << iota
	// EnforceQuota, SkipACL and TTLEnabled are settings of the origin's process.
	EnforceQuota
	SkipACL
	TTLEnabled
	// Expired: a closeSession that the leader decided on.
	Expired
)

// Origin numbers a command. Member 0 is the leader itself, whose commands have
// no number.
type Origin struct {
	Member, Incarnation, Seq uint64
}

// Command is one command of an entry. Slices and strings of a decoded one alias
// the entry.
type Command struct {
	Origin     Origin
	Session    wire.SessionID
	Xid        wire.Xid
	Op         wire.OpCode
	Flags      Flags
	Identities []wire.Identity
	// Body is the request record as the client sent it; for createSession and
	// attach what AppendConnect makes.
	Body []byte
}

// The encoding of a command, numbers big-endian:
//
//	flags 1 │ session 8 │ xid 4 │ op 4 │ member uv │ incarnation uv │ seq uv │
//	identities uv │ (scheme, id: length uv, bytes)… │ body: length uv, bytes
//
// The fixed part comes first so that PeekCommand need not decode the rest.
const commandFixed = 1 + 8 + 4 + 4

// EncodedLen is the most bytes AppendTo appends.
func (c *Command) EncodedLen() int {
	n := commandFixed + 5*binary.MaxVarintLen64 + len(c.Body)
	for i := range c.Identities {
		n += 2*binary.MaxVarintLen32 + len(c.Identities[i].Scheme) + len(c.Identities[i].ID)
	}
	return n
}

// AppendTo appends the encoding.
func (c *Command) AppendTo(b []byte) []byte {
	b = append(b, byte(c.Flags))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Session))
	b = binary.BigEndian.AppendUint32(b, uint32(c.Xid))
	b = binary.BigEndian.AppendUint32(b, uint32(c.Op))
	b = binary.AppendUvarint(b, c.Origin.Member)
	b = binary.AppendUvarint(b, c.Origin.Incarnation)
	b = binary.AppendUvarint(b, c.Origin.Seq)
	b = binary.AppendUvarint(b, uint64(len(c.Identities)))
	for i := range c.Identities {
		b = appendText(b, c.Identities[i].Scheme)
		b = appendText(b, c.Identities[i].ID)
	}
	return appendText(b, unsafe.String(unsafe.SliceData(c.Body), len(c.Body)))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// PeekCommand returns the session and flags of an encoded command; zeros if it
// is too short to have any.
func PeekCommand(b []byte) (wire.SessionID, Flags) {
	if len(b) < commandFixed {
		return 0, 0
	}
	return wire.SessionID(binary.BigEndian.Uint64(b[1:])), Flags(b[0])
}

var errShort = errors.New("ends early")

// reader takes an encoding apart; it keeps the first error.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fixed(n int) []byte {
	if r.err != nil || len(r.b) < n {
		r.err = errShort
		return make([]byte, n)
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.err != nil || n <= 0 {
		r.err = errShort
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if r.err != nil || n > uint64(len(r.b)) {
		r.err = errShort
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) text() string {
	p := r.bytes()
	return unsafe.String(unsafe.SliceData(p), len(p))
}

// decode reads the next command into c, whose Identities it reuses.
func (r *reader) decode(c *Command) {
	p := r.fixed(commandFixed)
	c.Flags = Flags(p[0])
	c.Session = wire.SessionID(binary.BigEndian.Uint64(p[1:]))
	c.Xid = wire.Xid(binary.BigEndian.Uint32(p[9:]))
	c.Op = wire.OpCode(binary.BigEndian.Uint32(p[13:]))
	c.Origin = Origin{Member: r.uvarint(), Incarnation: r.uvarint(), Seq: r.uvarint()}
	n := r.uvarint()
	if n > uint64(len(r.b))/2 { // an identity takes two bytes at least
		r.err = errShort
		return
	}
	c.Identities = c.Identities[:0]
	for range n {
		c.Identities = append(c.Identities, wire.Identity{Scheme: r.text(), ID: r.text()})
	}
	c.Body = r.bytes()
}

// entryVersion is the format of an entry; a machine refuses one it does not
// know.
const entryVersion = 1

// AppendEntry appends a Raft entry: the leader's time in ms and commands as
// their origins encoded them.
//
//	version 1 │ time 8 │ commands until the end
func AppendEntry(b []byte, timeMillis int64, commands ...[]byte) []byte {
	n := 9
	for _, c := range commands {
		n += len(c)
	}
	if cap(b)-len(b) < n {
		b = append(make([]byte, 0, len(b)+n), b...)
	}
	b = append(b, entryVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(timeMillis))
	for _, c := range commands {
		b = append(b, c...)
	}
	return b
}

// openEntry returns the stamp of an entry and a reader of its commands.
func openEntry(data []byte) (timeMillis int64, r reader, err error) {
	if len(data) < 9 {
		return 0, r, errShort
	}
	if data[0] != entryVersion {
		return 0, r, fmt.Errorf("format version %d, this member knows %d: it needs a newer holt", data[0], entryVersion)
	}
	return int64(binary.BigEndian.Uint64(data[1:])), reader{b: data[9:]}, nil
}

// AppendConnect makes the body of createSession and attach.
func AppendConnect(b []byte, timeoutMillis int32, passwd [wire.PasswdSize]byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(timeoutMillis))
	return append(b, passwd[:]...)
}

func decodeConnect(body []byte) (timeoutMillis int32, passwd [wire.PasswdSize]byte, ok bool) {
	if len(body) != 4+wire.PasswdSize {
		return 0, passwd, false
	}
	copy(passwd[:], body[4:])
	return int32(binary.BigEndian.Uint32(body)), passwd, true
}
