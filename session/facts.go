package session

import (
	"encoding/binary"
	"fmt"

	"holt/wire"
)

// Facts are what is replicated of a session.
type Facts struct {
	ID            wire.SessionID
	Passwd        [wire.PasswdSize]byte
	TimeoutMillis int32 // negotiated, of the last connection
	// Attached counts the connections that the session had, from 1. It tells the
	// session as it was when somebody decided to close it from one that was taken up again since.
	Attached uint32
	Owner    uint64 // the member that the session is connected to
}

// recordSize is the length of an encoded record, which is without the id.
const recordSize = wire.PasswdSize + 4 + 4 + 8

// AppendTo appends the facts but for the id, for a store where the id is the key.
func (f *Facts) AppendTo(b []byte) []byte {
	b = append(b, f.Passwd[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(f.TimeoutMillis))
	b = binary.BigEndian.AppendUint32(b, f.Attached)
	return binary.BigEndian.AppendUint64(b, f.Owner)
}

// DecodeFacts reads what AppendTo wrote.
func DecodeFacts(id wire.SessionID, b []byte) (Facts, error) {
	if len(b) != recordSize {
		return Facts{}, fmt.Errorf("record of session %s: %d bytes, want %d", id, len(b), recordSize)
	}
	f := Facts{ID: id}
	b = b[copy(f.Passwd[:], b):]
	f.TimeoutMillis = int32(binary.BigEndian.Uint32(b))
	f.Attached = binary.BigEndian.Uint32(b[4:])
	f.Owner = binary.BigEndian.Uint64(b[8:])
	return f, nil
}
