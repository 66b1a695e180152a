package storage

import (
	"math"

	"go.etcd.io/raft/v3/raftpb"
)

// recent holds the newest entries of the log, without gaps, up to a number of
// bytes. The zero value is empty and keeps nothing.
type recent struct {
	limit int64
	bytes int64
	first uint64 // index of ents[0], meaningless when empty
	ents  []recentEntry
}

type recentEntry struct {
	e   *raftpb.Entry
	crc uint32
}

// entryOverhead is what an entry costs in memory besides its data.
const entryOverhead = 128

func memSize(e *raftpb.Entry) int64 { return int64(len(e.GetData())) + entryOverhead }

// raftSize is at least the size Raft counts for an entry against a message's
// limit; the few bytes above do no harm.
func raftSize(e *raftpb.Entry) uint64 { return uint64(len(e.GetData())) + 24 }

func (r *recent) reset() { *r = recent{limit: r.limit} }

// push appends e, which follows the last entry or replaces the entries from
// its index on.
func (r *recent) push(e *raftpb.Entry, crc uint32) {
	switch i := e.GetIndex(); {
	case len(r.ents) == 0 || i < r.first:
		r.reset()
		r.first = i
	case i < r.first+uint64(len(r.ents)):
		r.cut(i)
	}
	r.ents = append(r.ents, recentEntry{e, crc})
	r.bytes += memSize(e)
	drop := 0
	for r.bytes > r.limit && drop < len(r.ents)-1 {
		r.bytes -= memSize(r.ents[drop].e)
		drop++
	}
	r.dropFront(drop)
}

// cut removes the entries from index i on.
func (r *recent) cut(i uint64) {
	keep := int(i - r.first)
	for _, c := range r.ents[keep:] {
		r.bytes -= memSize(c.e)
	}
	clear(r.ents[keep:])
	r.ents = r.ents[:keep]
}

// dropTo removes the entries up to and including index i.
func (r *recent) dropTo(i uint64) {
	if len(r.ents) == 0 || i < r.first {
		return
	}
	n := int(min(i-r.first+1, uint64(len(r.ents))))
	for _, c := range r.ents[:n] {
		r.bytes -= memSize(c.e)
	}
	r.dropFront(n)
}

// dropFront forgets the first n entries, whose bytes have been subtracted.
// Slicing keeps the array; append moves the rest to a new one when it is used
// up, so the cost per entry is constant.
func (r *recent) dropFront(n int) {
	clear(r.ents[:n])
	r.ents = r.ents[n:]
	r.first += uint64(n)
}

func (r *recent) at(i uint64) *raftpb.Entry {
	if len(r.ents) == 0 || i < r.first || i-r.first >= uint64(len(r.ents)) {
		return nil
	}
	return r.ents[i-r.first].e
}

// crcAt returns the checksum of entry i if it is held.
func (r *recent) crcAt(i uint64) (uint32, bool) {
	if r.at(i) == nil {
		return 0, false
	}
	return r.ents[i-r.first].crc, true
}

// slice returns entries [lo, hi) up to maxSize bytes but at least one; false
// if lo is not held.
func (r *recent) slice(lo, hi, maxSize uint64) ([]*raftpb.Entry, bool) {
	if r.at(lo) == nil || r.at(hi-1) == nil {
		return nil, false
	}
	held := r.ents[lo-r.first : hi-r.first]
	n, size := len(held), uint64(0)
	if maxSize != math.MaxUint64 {
		for n = 0; n < len(held); n++ {
			if size += raftSize(held[n].e); size > maxSize && n > 0 {
				break
			}
		}
	}
	ents := make([]*raftpb.Entry, n)
	for i := range ents {
		ents[i] = held[i].e
	}
	return ents, true
}
