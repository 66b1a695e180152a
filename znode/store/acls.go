package store

import (
	"hash/maphash"
	"sync/atomic"

	"holt/wire"
	"holt/znode"
)

// aclTable lets nodes with equal lists share one. It remembers one list for each of
// a fixed number of hashes, and only short ones, so that it is bounded; what it forgets lives on
// with its nodes, which the cache counts in full.
type aclTable struct {
	seed  maphash.Seed
	slots [4096]atomic.Pointer[znode.ACL]
}

const internBytesMax = 4096

func newACLTable() *aclTable { return &aclTable{seed: maphash.MakeSeed()} }

func (t *aclTable) intern(acl []wire.ACL) *znode.ACL {
	if znode.OpenACL().Equal(acl) {
		return znode.OpenACL()
	}
	var h maphash.Hash
	h.SetSeed(t.seed)
	var size int
	for i := range acl {
		// Hash.Write* never fail.
		h.WriteByte(byte(acl[i].Perms))
		h.WriteString(acl[i].Scheme)
		h.WriteString(acl[i].ID)
		size += len(acl[i].Scheme) + len(acl[i].ID)
	}
	p := &t.slots[h.Sum64()%uint64(len(t.slots))]
	if a := p.Load(); a != nil && a.Equal(acl) {
		return a
	}
	a := znode.NewACL(acl)
	if size <= internBytesMax {
		p.Store(a)
	}
	return a
}
