package znode

import (
	"unsafe"

	"holt/wire"
)

// Node is one znode. A node that was published, that is returned by a Tree's
// or Store's reading methods, never changes: hold it as long as needed, write
// to nothing in it.
type Node struct {
	Path string
	// Data is nil if the client stored null, which is not the same as empty.
	Data []byte
	ACL  *ACL

	Czxid, Mzxid, Pzxid wire.Zxid
	Ctime, Mtime        int64 // ms since 1970, from the entries

	// Version and Aversion are as in Stat. Cversion is the persisted form: how
	// many children were ever created. Sequence numbers come from it;
	// clients see another number (Stat).
	Version, Cversion, Aversion int32
	NumChildren                 int32
	Owner                       Owner

	crc      uint32 // node digest, valid if crcKnown
	crcKnown bool
	// StoreFlags is the store's own: kept with the node, no part of the tree's
	// state or digest.
	StoreFlags uint8
}

// Stat is what clients are told. Differs from the fields in Cversion, shown as
// creations and deletions of children (wrapping), and in the owner,
// shown for sessions only.
func (n *Node) Stat() wire.Stat {
	s := wire.Stat{
		Czxid: n.Czxid, Mzxid: n.Mzxid, Pzxid: n.Pzxid,
		Ctime: n.Ctime, Mtime: n.Mtime,
		Version: n.Version, Aversion: n.Aversion,
		Cversion:    n.Cversion*2 - n.NumChildren,
		DataLength:  int32(len(n.Data)),
		NumChildren: n.NumChildren,
	}
	if n.Owner.IsSession() {
		s.EphemeralOwner = int64(n.Owner)
	}
	return s
}

// Size is roughly how much memory the node keeps alive, its ACL included.
func (n *Node) Size() int64 {
	return int64(unsafe.Sizeof(*n)) + int64(len(n.Path)) + int64(len(n.Data)) + n.ACL.size()
}

// SetContents makes n own copies of path and data in one allocation. Keeps nil and empty data apart.
func (n *Node) SetContents(path string, data []byte) {
	buf := make([]byte, len(path)+len(data))
	copy(buf, path)
	copy(buf[len(path):], data)
	n.Path = unsafe.String(unsafe.SliceData(buf), len(path))
	n.Data = nil
	if data != nil {
		n.Data = buf[len(path):]
	}
}

// Owner says when a node goes by itself: 0 never, a session id with that
// session, or an encoding for containers and TTL nodes (ZooKeeper:
// EphemeralType, with extended types on).
type Owner int64

const (
	// OwnerContainer marks a container.
	OwnerContainer Owner = -1 << 63

	ownerTTLMask  = 0xff << 56
	ownerTTLValue = 1<<40 - 1

	// TTLMax is the longest time to live in ms, 34 years.
	TTLMax = ownerTTLValue
)

// OwnerTTL is the owner of a node that lives ttlMillis, in 1..TTLMax, after its last change.
func OwnerTTL(ttlMillis int64) Owner {
	return Owner(uint64(ownerTTLMask) | uint64(ttlMillis)&ownerTTLValue)
}

// IsContainer reports whether the node is a container.
func (o Owner) IsContainer() bool { return o == OwnerContainer }

// TTL is the time to live in ms, if there is one.
func (o Owner) TTL() (millis int64, ok bool) {
	if uint64(o)&ownerTTLMask != ownerTTLMask {
		return 0, false
	}
	return int64(o) & ownerTTLValue, true
}

// IsSession reports whether the node is an ordinary ephemeral one.
func (o Owner) IsSession() bool {
	return o != 0 && o != OwnerContainer && uint64(o)&ownerTTLMask != ownerTTLMask
}

// Reapable reports whether the node, a container or TTL node without children,
// may be deleted at the given time. neverUsedMillis is how long a container that never
// had a child stays; 0 means for good.
func (n *Node) Reapable(nowMillis, neverUsedMillis int64) bool {
	if n.NumChildren != 0 {
		return false
	}
	age := nowMillis - n.Mtime
	if n.Owner.IsContainer() {
		return n.Cversion > 0 || neverUsedMillis != 0 && age > neverUsedMillis
	}
	ttl, ok := n.Owner.TTL()
	return ok && ttl != 0 && age > ttl
}
