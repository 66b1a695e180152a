package quorum

import (
	"errors"
	"fmt"
)

// Origin tells ensembles apart that began with different states: what is founded from an import or a
// restored backup has one, the same for all founders; the zero Origin is that of what began empty.
//
// It goes into the identity of a founder's log, which every peer is told anyway:
//
//	originMagic(4) origin(6) random(6)
type Origin [6]byte

const originMagic = "\xf1orq"

// mark puts the origin into a store id that was drawn at random.
func (o Origin) mark(store *[16]byte) {
	if o != (Origin{}) {
		copy(store[:], originMagic)
		copy(store[len(originMagic):], o[:])
	}
}

// originOf reads it; a store id without one, and one in 2³² of those drawn at random, has the zero Origin.
func originOf(store [16]byte) (o Origin) {
	if string(store[:len(originMagic)]) == originMagic {
		copy(o[:], store[len(originMagic):])
	}
	return o
}

// errOrigin is why a founder of another ensemble is refused.
var errOrigin = errors.New("its log and this member's began with different imports or backups, or one of them with none: " +
	"found all members with the same one, and stop those of the former ensemble")

// checkOrigin judges the log of a member that is one of the founders, by the configuration. Those who come
// later are known by the changes that added them.
func checkOrigin(own, store [16]byte, from uint64) error {
	if originOf(store) == originOf(own) {
		return nil
	}
	return fmt.Errorf("member %d: %w", from, errOrigin)
}
