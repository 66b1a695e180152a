package server

import (
	"cmp"
	"slices"
	"sync"

	"holt/wire"
)

// observed is what the leader remembers for the command observers.
type observed struct {
	mu       sync.Mutex
	requests map[uint64]int64 // commands by the member that sent them
	ring     []stateAt        // the latest entries applied, in order from at on
	at       int
}

// stateAt is a zxid with the index of the entry after which it was the last.
type stateAt struct {
	index uint64
	zxid  wire.Zxid
}

// observedKept is how many entries an observer may be behind and its zxid still be known.
const observedKept = 1024

// count notes commands of a member.
func (o *observed) count(member uint64, commands int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.requests == nil {
		o.requests = map[uint64]int64{}
	}
	o.requests[member] += int64(commands)
}

// applied notes the state after an entry.
func (o *observed) applied(index uint64, zxid wire.Zxid) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := stateAt{index, zxid}
	if len(o.ring) < observedKept {
		o.ring = append(o.ring, s)
		return
	}
	o.ring[o.at] = s
	o.at = (o.at + 1) % observedKept
}

// of returns how many commands a member has sent, and the last zxid of one that has the log up to match, 0
// if that is too long ago to be known.
func (o *observed) of(member, match uint64) (requests int64, zxid wire.Zxid) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, part := range [][]stateAt{o.ring[o.at:], o.ring[:o.at]} {
		i, found := slices.BinarySearchFunc(part, match, func(s stateAt, index uint64) int { return cmp.Compare(s.index, index) })
		if found {
			i++
		}
		if i > 0 {
			zxid = part[i-1].zxid
		}
	}
	return o.requests[member], zxid
}

// reset forgets the commands.
func (o *observed) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.requests)
}
