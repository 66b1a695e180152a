package znode

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
	"unsafe"
)

// digest is the node's summand in the digest of the tree (ZooKeeper:
// DigestCalculator, version 2). Nodes below /zookeeper have none: members change some of them on their own.
// Not for concurrent use on a node that nobody has asked before.
func (n *Node) digest() uint64 {
	if n == nil || strings.HasPrefix(n.Path, System+"/") {
		return 0
	}
	if !n.crcKnown {
		n.crc, n.crcKnown = n.checksum(), true
	}
	return uint64(n.crc)
}

func (n *Node) checksum() uint32 {
	path := n.Path
	if path == Root {
		path = ""
	}
	var b [60]byte
	binary.BigEndian.PutUint64(b[0:], uint64(n.Czxid))
	binary.BigEndian.PutUint64(b[8:], uint64(n.Mzxid))
	binary.BigEndian.PutUint64(b[16:], uint64(n.Pzxid))
	binary.BigEndian.PutUint64(b[24:], uint64(n.Ctime))
	binary.BigEndian.PutUint64(b[32:], uint64(n.Mtime))
	binary.BigEndian.PutUint32(b[40:], uint32(n.Version))
	binary.BigEndian.PutUint32(b[44:], uint32(n.Cversion))
	binary.BigEndian.PutUint32(b[48:], uint32(n.Aversion))
	binary.BigEndian.PutUint64(b[52:], uint64(n.Owner))
	crc := crc32.ChecksumIEEE(unsafe.Slice(unsafe.StringData(path), len(path)))
	crc = crc32.Update(crc, crc32.IEEETable, n.Data)
	return crc32.Update(crc, crc32.IEEETable, b[:])
}

// Digest is the node's summand in Counts.Digest, for those who add it up anew. The node must be the caller's own.
func (n *Node) Digest() uint64 { return n.digest() }
