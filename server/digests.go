package server

import (
	"sync"

	"holt/server/admin"
	"holt/wire"
)

const (
	// digestEvery is how many transactions lie between two recorded digests,
	// digestKept how many are kept. ZooKeeper: DataTree.
	digestEvery = 128
	digestKept  = 1024
)

// digestLog remembers digests of the tree, for `hash` and for comparing members.
//
// Differs from ZooKeeper: an entry of several transactions is one step here, so
// the digest recorded is that of the first state at or after each 128th zxid.
type digestLog struct {
	mu   sync.Mutex
	ring []admin.Digest
	at   int
	last int64 // zxid / digestEvery of the latest
}

// record is called with every state that becomes visible.
func (d *digestLog) record(zxid wire.Zxid, digest uint64) {
	step := int64(zxid) / digestEvery
	if step == d.last {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = step
	if len(d.ring) < digestKept {
		d.ring = append(d.ring, admin.Digest{Zxid: zxid, Value: digest})
		return
	}
	d.ring[d.at] = admin.Digest{Zxid: zxid, Value: digest}
	d.at = (d.at + 1) % digestKept
}

// list returns what is remembered, oldest first.
func (d *digestLog) list() []admin.Digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]admin.Digest, 0, len(d.ring))
	list = append(list, d.ring[d.at:]...)
	return append(list, d.ring[:d.at]...)
}
