package store

import (
	"encoding/binary"
	"errors"

	"holt/wire"
	"holt/znode"
)

// A node's value:
//
//	flags(1) czxid(uvarint) ctime(varint)
//	[mzxid-czxid(varint)] [pzxid-czxid(varint)] [mtime-ctime(varint)]
//	[owner(8)] [version cversion aversion numChildren (varints)] [store flags(1)]
//	[ACL] data
//
// What stands in brackets is there if its flag is set. Most nodes are fresh ones
// with the open ACL: 13 bytes and the data.
const (
	hasData byte = 1 << iota // else the data is null
	hasMzxid
	hasPzxid
	hasMtime
	hasOwner
	hasCounts
	hasFlags
	hasACL
)

var errCorrupt = errors.New("corrupt record")

func appendNode(b []byte, n *znode.Node) []byte {
	at := len(b)
	b = append(b, 0)
	var f byte
	b = binary.AppendUvarint(b, uint64(n.Czxid))
	b = binary.AppendVarint(b, n.Ctime)
	if n.Mzxid != n.Czxid {
		f |= hasMzxid
		b = binary.AppendVarint(b, int64(n.Mzxid-n.Czxid))
	}
	if n.Pzxid != n.Czxid {
		f |= hasPzxid
		b = binary.AppendVarint(b, int64(n.Pzxid-n.Czxid))
	}
	if n.Mtime != n.Ctime {
		f |= hasMtime
		b = binary.AppendVarint(b, n.Mtime-n.Ctime)
	}
	if n.Owner != 0 {
		f |= hasOwner
		b = binary.BigEndian.AppendUint64(b, uint64(n.Owner))
	}
	if n.Version|n.Cversion|n.Aversion|n.NumChildren != 0 {
		f |= hasCounts
		for _, v := range [...]int32{n.Version, n.Cversion, n.Aversion, n.NumChildren} {
			b = binary.AppendVarint(b, int64(v))
		}
	}
	if n.StoreFlags != 0 {
		f |= hasFlags
		b = append(b, n.StoreFlags)
	}
	if !n.ACL.Open() {
		f |= hasACL
		b = appendACL(b, n.ACL.Entries())
	}
	if n.Data != nil {
		f |= hasData
		b = append(b, n.Data...)
	}
	b[at] = f
	return b
}

func appendACL(b []byte, acl []wire.ACL) []byte {
	b = binary.AppendUvarint(b, uint64(len(acl)))
	for i := range acl {
		b = binary.AppendVarint(b, int64(acl[i].Perms))
		b = appendText(b, acl[i].Scheme)
		b = appendText(b, acl[i].ID)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// reader takes values off the front of a record. After the first that does not
// fit it yields zeros and bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.take(-1)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.take(-1)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uint64() uint64 {
	v := r.take(8)
	if v == nil {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

func (r *reader) byte() byte {
	v := r.take(1)
	if v == nil {
		return 0
	}
	return v[0]
}

func (r *reader) text() string { return string(r.take(int(min(r.uvarint(), 1<<31)))) }

func (r *reader) acl() []wire.ACL {
	const sizeMin = 3
	n := r.uvarint()
	if n > uint64(len(r.b)/sizeMin) {
		r.take(-1)
		return nil
	}
	acl := make([]wire.ACL, n)
	for i := range acl {
		acl[i].Perms = wire.Perms(r.varint())
		acl[i].Scheme = r.text()
		acl[i].ID = r.text()
	}
	return acl
}

// decodeNode reads the value of the node at path. The node shares nothing with either argument.
func (s *Store) decodeNode(path string, value []byte) (*znode.Node, error) {
	n := new(znode.Node)
	r := reader{b: value}
	f := decodeStat(&r, n)
	n.ACL = znode.OpenACL()
	if f&hasACL != 0 {
		n.ACL = s.Intern(r.acl())
	}
	if r.bad {
		return nil, errCorrupt
	}
	var data []byte
	if f&hasData != 0 {
		data = r.b
		if data == nil {
			data = []byte{}
		}
	}
	n.SetContents(path, data)
	return n, nil
}

func decodeStat(r *reader, n *znode.Node) (flags byte) {
	f := r.byte()
	n.Czxid = wire.Zxid(r.uvarint())
	n.Ctime = r.varint()
	n.Mzxid, n.Pzxid, n.Mtime = n.Czxid, n.Czxid, n.Ctime
	if f&hasMzxid != 0 {
		n.Mzxid += wire.Zxid(r.varint())
	}
	if f&hasPzxid != 0 {
		n.Pzxid += wire.Zxid(r.varint())
	}
	if f&hasMtime != 0 {
		n.Mtime += r.varint()
	}
	if f&hasOwner != 0 {
		n.Owner = znode.Owner(r.uint64())
	}
	if f&hasCounts != 0 {
		n.Version, n.Cversion = int32(r.varint()), int32(r.varint())
		n.Aversion, n.NumChildren = int32(r.varint()), int32(r.varint())
	}
	if f&hasFlags != 0 {
		n.StoreFlags = r.byte()
	}
	return f
}

// decodeCzxid reads only that of a node's value.
func decodeCzxid(value []byte) (wire.Zxid, bool) {
	r := reader{b: value}
	r.byte()
	z := wire.Zxid(r.uvarint())
	return z, !r.bad
}

// decodeDataLen reads only the length of the data.
func decodeDataLen(value []byte) (int, bool) {
	var n znode.Node
	r := reader{b: value}
	if decodeStat(&r, &n)&hasACL != 0 {
		r.skipACL()
	}
	return len(r.b), !r.bad
}

func (r *reader) skipACL() {
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		r.varint()
		r.take(int(min(r.uvarint(), 1<<31)))
		r.take(int(min(r.uvarint(), 1<<31)))
	}
}

func appendState(b []byte, s *znode.State) []byte {
	b = binary.BigEndian.AppendUint64(b, s.Applied)
	b = binary.BigEndian.AppendUint64(b, s.Digest)
	for _, v := range [...]int64{s.Nodes, s.Ephemerals, s.DataBytes, s.QuotaChildren} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

func decodeState(value []byte) (s znode.State, err error) {
	r := reader{b: value}
	s.Applied = r.uint64()
	s.Digest = r.uint64()
	for _, p := range [...]*int64{&s.Nodes, &s.Ephemerals, &s.DataBytes, &s.QuotaChildren} {
		*p = r.varint()
	}
	if r.bad {
		return s, errCorrupt
	}
	return s, nil
}
