package wire

import "strconv"

// Zxid is the number of a transaction: the epoch of the leader that ordered it
// in the high 32 bits, a counter within the epoch in the low 32. Zxids of one
// ensemble are ordered as integers and never go backwards.
type Zxid int64

// MakeZxid puts the two halves together.
func MakeZxid(epoch, counter uint32) Zxid { return Zxid(uint64(epoch)<<32 | uint64(counter)) }

// Epoch is the high half.
func (z Zxid) Epoch() uint32 { return uint32(uint64(z) >> 32) }

// Counter is the low half.
func (z Zxid) Counter() uint32 { return uint32(z) }

// String prints as ZooKeeper does, 0x and the bits in hex without padding.
func (z Zxid) String() string { return hex64(uint64(z)) }

// SessionID names a session; 0 is none. The member that created the session is
// in the top byte.
type SessionID int64

// String prints as ZooKeeper does, 0x and the bits in hex without padding.
func (s SessionID) String() string { return hex64(uint64(s)) }

func hex64(v uint64) string { return "0x" + strconv.FormatUint(v, 16) }

// Xid numbers the requests of a connection; a reply carries the number of its
// request. Clients count up from 1; the negative ones below are reserved.
type Xid int32

const (
	XidNotification Xid = -1 // a watch event, from the server unasked
	XidPing         Xid = -2 // replies to pings carry it whatever the request had
	XidAuth         Xid = -4 // used by clients for auth packets
	XidSetWatches   Xid = -8 // used by clients for setWatches and setWatches2
)
