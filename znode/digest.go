package znode

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// digest is the node's summand in the digest of the tree (ZooKeeper:
// DigestCalculator, version 2). Nodes below /zookeeper have none: members change some of them on their own.
// Not for concurrent use on a node that nobody has asked before. Scratch is memory to be used again.
func (n *Node) digest(scratch *[]byte) uint64 {
	if n == nil || strings.HasPrefix(n.Path, System+"/") {
		return 0
	}
	if !n.crcKnown {
		n.crc, n.crcKnown = n.checksum(scratch), true
	}
	return uint64(n.crc)
}

// digestCopied is the size up to which a node's data is copied for its checksum: the processor's instructions
// for CRCs do not serve pieces of less than 64 bytes, so that path, data and numbers are faster as one piece.
const digestCopied = 4 << 10

func (n *Node) checksum(scratch *[]byte) uint32 {
	path, data := n.Path, n.Data
	if path == Root {
		path = ""
	}
	b := append((*scratch)[:0], path...)
	var crc uint32
	if len(data) > digestCopied {
		crc = crc32.Update(crc32.ChecksumIEEE(b), crc32.IEEETable, data)
		b = b[:0]
	} else {
		b = append(b, data...)
	}
	for _, v := range [...]int64{int64(n.Czxid), int64(n.Mzxid), int64(n.Pzxid), n.Ctime, n.Mtime} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	for _, v := range [...]int32{n.Version, n.Cversion, n.Aversion} {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	b = binary.BigEndian.AppendUint64(b, uint64(n.Owner))
	*scratch = b
	return crc32.Update(crc, crc32.IEEETable, b)
}

// Digest is the node's summand in Counts.Digest, for those who add it up anew. The node must be the caller's own.
func (n *Node) Digest() uint64 { return n.digest(new([]byte)) }
