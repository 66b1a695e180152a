package apply

import (
	"encoding/binary"
	"fmt"

	"holt/wire"
)

// What entries may hold, and what they do, changes only under a new format, a number that is
// replicated state: members of different versions of the program apply the same log. Each member
// tells its leader the newest format that it carries out; once all can, the leader
// raises it by a command. Until then all, the newer ones too, act by the old one.
//
//	0   before there were formats
//	1   the same
//	2   snapshots are staged and restored (restore.go)
//
// A member that meets a format, or a command of a leader's, that it does not know ends with one line, before it
// would differ from the others. So does one that opens data of such a format, as after a step
// back to an older version.

// OpFormat is a leader's command that raises the format. It takes no zxid. See AppendFormat for the body.
const OpFormat wire.OpCode = -101

// keyFormat is the key of the record with the format; there is none for 0.
const keyFormat = "f"

// AppendFormat appends the body of OpFormat.
func AppendFormat(b []byte, format uint64) []byte { return binary.AppendUvarint(b, format) }

// FormatError says that this program is too old for what it was to apply or open.
type FormatError struct {
	What string // in which the format is
	// Format is the one asked for, 0 if that is not known; Max this program's.
	Format, Max uint64
}

func (e *FormatError) Error() string {
	if e.Format == 0 {
		return e.What + " is unknown to this version of the program: install the one that the other members have"
	}
	return fmt.Sprintf("%s is of format %d, this version of the program knows up to %d: install the one that the other members have", e.What, e.Format, e.Max)
}

func decodeFormat(b []byte) (uint64, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n != len(b) {
		return 0, errTruncated
	}
	return v, nil
}

func (m *Machine) formatMax() uint64 {
	if m.cfg.FormatMax != 0 {
		return m.cfg.FormatMax
	}
	return FormatMax
}

// loadFormat reads the format of a store.
func (m *Machine) loadFormat(store Store) (uint64, error) {
	b, err := store.Record([]byte(keyFormat))
	if err != nil || b == nil {
		return 0, err
	}
	format, err := decodeFormat(b)
	if err == nil && format > m.formatMax() {
		err = &FormatError{"the data", format, m.formatMax()}
	}
	return format, err
}

// Format is the one in force. For any goroutine.
func (m *Machine) Format() uint64 { return m.format.Load() }

// FormatMax is the newest that this member carries out.
func (m *Machine) FormatMax() uint64 { return m.formatMax() }

// raiseFormat serves OpFormat.
func (x *execution) raiseFormat() wire.ErrCode {
	format, err := decodeFormat(x.cmd.Body)
	if err == nil && format > x.m.formatMax() {
		err = &FormatError{"the ensemble", format, x.m.formatMax()}
	}
	if err != nil {
		x.err = err
		return wire.ErrSystemError
	}
	x.format = max(x.format, format)
	return wire.OK
}
