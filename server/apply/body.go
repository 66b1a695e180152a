package apply

import (
	"encoding/binary"

	"holt/wire"
)

// Bodies that are no records of the protocol.

// AppendConnect appends the body of createSession, and of OpAttach: the negotiated timeout and
// the password, for createSession a new random one.
func AppendConnect(b []byte, timeoutMillis int32, passwd [wire.PasswdSize]byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(timeoutMillis))
	return append(b, passwd[:]...)
}

func decodeConnect(b []byte) (timeoutMillis int32, passwd [wire.PasswdSize]byte, ok bool) {
	if len(b) != 4+len(passwd) {
		return 0, passwd, false
	}
	copy(passwd[:], b[4:])
	return int32(binary.BigEndian.Uint32(b)), passwd, true
}

// AppendExpire appends the body of a leader's closeSession: it closes the session only
// if it has had attached connections, so that one taken up again by a command on its way, which the leader
// cannot know of, lives. (An empty body closes it anyhow.)
func AppendExpire(b []byte, attached uint32) []byte {
	return binary.BigEndian.AppendUint32(b, attached)
}

// AppendReap appends the body of a leader's deleteContainer. neverUsedMillis is how long a container that
// never had a child stays, 0 for good.
func AppendReap(b []byte, path string, neverUsedMillis int64) []byte {
	b = (&wire.DeleteContainerRequest{Path: path}).AppendTo(b)
	return wire.AppendInt64(b, neverUsedMillis)
}

// Kinds of a leader's reconfig: the first byte of its body.
const (
	bodyMembers = 'm' // who the members are, without a change
	bodyVerdict = 'v' // on the reconfig that follows in the entry
)

// AppendMembers appends the body of a leader's reconfig that writes down who the members are, as
// lines without a version. If versioned, the text's version becomes the first zxid of the epoch, else 0.
func AppendMembers(b []byte, lines string, versioned bool) []byte {
	b = append(b, bodyMembers, 0)
	if versioned {
		b[len(b)-1] = 1
	}
	return append(b, lines...)
}

// AppendVerdict appends the body of a leader's reconfig that tells what becomes of a client's, which
// follows in the same entry: refused with a code, or, with OK, carried out, lines being the members
// afterwards. It takes no zxid. If the client's is not taken, the change is made without it.
func AppendVerdict(b []byte, code wire.ErrCode, lines string) []byte {
	b = binary.BigEndian.AppendUint32(append(b, bodyVerdict), uint32(code))
	return append(b, lines...)
}

// verdict is what a leader has decided about a client's reconfig.
type verdict struct {
	given bool
	code  wire.ErrCode
	lines string
}

func decodeVerdict(b []byte) (verdict, bool) {
	if len(b) < 5 || b[0] != bodyVerdict {
		return verdict{}, false
	}
	return verdict{true, wire.ErrCode(int32(binary.BigEndian.Uint32(b[1:]))), string(b[5:])}, true
}
