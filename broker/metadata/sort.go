package metadata

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys puts what a map holds into an order, so that deltas and writes do not
// depend on that of maps.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
