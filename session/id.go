package session

import (
	"encoding/binary"

	"holt/wire"
)

// FirstID is where a member that starts at the given time (ms since 1970) begins
// to number sessions; the ids in use are those that NextID makes from it. The
// member, 1 to 254, is the top byte. (ZooKeeper: SessionTrackerImpl.initializeNextSessionId.)
func FirstID(member uint64, startMillis int64) wire.SessionID {
	return wire.SessionID(member<<56 | uint64(startMillis)<<24>>8)
}

// NextID is the id after id. It never leaves the member's range and is never one that
// has a meaning of its own.
func NextID(id wire.SessionID) wire.SessionID {
	const low = 1<<56 - 1
	next := uint64(id)&^low | (uint64(id)+1)&low
	if next&low == 0 { // member 128's would be a container's owner
		next++
	}
	return wire.SessionID(next)
}

// ZooKeeperPasswd is the password that ZooKeeper gives to a session, which is a
// function of the id (java.util.Random). Sessions taken over from it keep theirs.
func ZooKeeperPasswd(id wire.SessionID) (p [wire.PasswdSize]byte) {
	const multiplier, mask = 0x5deece66d, 1<<48 - 1
	seed := (uint64(id) ^ 0xb3415c00 ^ multiplier) & mask
	for i := 0; i < len(p); i += 4 {
		seed = (seed*multiplier + 0xb) & mask
		binary.LittleEndian.PutUint32(p[i:], uint32(seed>>16))
	}
	return p
}
