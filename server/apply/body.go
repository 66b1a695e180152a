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
