package apply

import (
	"encoding/binary"
	"fmt"
)

// entryVersion is the first byte of an entry. A change of it, or of what a
// command does, needs all members to know it before the first such entry.
const entryVersion = 1

const entryHeader = 1 + 8

// AppendEntryHeader begins an entry: commands follow by AppendEntryCommand. timeMillis is the leader's wall time;
// the machine keeps it from going back.
func AppendEntryHeader(b []byte, timeMillis int64) []byte {
	b = append(b, entryVersion)
	return binary.BigEndian.AppendUint64(b, uint64(timeMillis))
}

// AppendEntryCommand adds an encoded command to an entry.
func AppendEntryCommand(b []byte, cmd []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(cmd))), cmd...)
}

// AppendEntry appends an entry of encoded commands.
func AppendEntry(b []byte, timeMillis int64, cmds ...[]byte) []byte {
	if b == nil {
		n := entryHeader
		for _, c := range cmds {
			n += uvarintLen(uint64(len(c))) + len(c)
		}
		b = make([]byte, 0, n)
	}
	b = AppendEntryHeader(b, timeMillis)
	for _, c := range cmds {
		b = AppendEntryCommand(b, c)
	}
	return b
}

// entry walks over the commands of one.
type entry struct {
	millis int64
	rest   []byte
}

func openEntry(data []byte) (entry, error) {
	switch {
	case len(data) < entryHeader:
		return entry{}, errTruncated
	case data[0] != entryVersion:
		return entry{}, &FormatError{What: fmt.Sprintf("an entry of version %d", data[0])}
	}
	return entry{int64(binary.BigEndian.Uint64(data[1:])), data[entryHeader:]}, nil
}

// next returns the next command, nil at the end.
func (e *entry) next() ([]byte, error) {
	if len(e.rest) == 0 {
		return nil, nil
	}
	n, used := binary.Uvarint(e.rest)
	if used <= 0 || n > uint64(len(e.rest)-used) {
		return nil, errTruncated
	}
	end := used + int(n)
	cmd := e.rest[used:end:end]
	e.rest = e.rest[end:]
	return cmd, nil
}
