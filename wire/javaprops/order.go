package javaprops

import (
	"slices"
	"unicode/utf16"
)

// HashOrder sorts settings, which have the order of the text and no key twice, into the
// order in which Java's Properties hand them out. ZooKeeper's command line prints servers
// in it.
func HashOrder(props []Property) {
	// A ConcurrentHashMap for 8 entries starts with 16 places and doubles past three
	// quarters; the entries of one place stay in the order of their arrival.
	places := uint32(16)
	for len(props) >= int(places)*3/4 {
		places *= 2
	}
	slices.SortStableFunc(props, func(a, b Property) int {
		return int(place(a.Key, places)) - int(place(b.Key, places))
	})
}

// place is where ConcurrentHashMap puts a key: String.hashCode, spread.
func place(key string, places uint32) uint32 {
	var h uint32
	for _, u := range utf16.Encode([]rune(key)) {
		h = 31*h + uint32(u)
	}
	return (h ^ h>>16) & 0x7fffffff & (places - 1)
}
