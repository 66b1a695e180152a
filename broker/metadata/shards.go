package metadata

import "iter"

// shardCount divides a map so that a change copies a small part of it: with 10,000
// topics about 40 entries instead of all.
const shardCount = 256

// shards is a map whose copies share what did not change. The zero value is empty.
// A value that was published is not changed; a copy is, after clone.
type shards[K comparable, V any] struct {
	maps  [shardCount]map[K]V
	owned *[shardCount]bool // maps that this copy has made itself and may write to
	size  int
}

// clone returns a copy that may be changed.
func (s *shards[K, V]) clone() shards[K, V] {
	return shards[K, V]{maps: s.maps, owned: new([shardCount]bool), size: s.size}
}

// seal ends the changes.
func (s *shards[K, V]) seal() { s.owned = nil }

func (s *shards[K, V]) get(hash uint8, k K) (V, bool) {
	v, ok := s.maps[hash][k]
	return v, ok
}

// own makes the map of a hash this copy's own.
func (s *shards[K, V]) own(hash uint8) map[K]V {
	m := s.maps[hash]
	if m != nil && s.owned[hash] {
		return m
	}
	mine := make(map[K]V, len(m)+1)
	for k, v := range m {
		mine[k] = v
	}
	s.maps[hash], s.owned[hash] = mine, true
	return mine
}

func (s *shards[K, V]) set(hash uint8, k K, v V) {
	m := s.own(hash)
	if _, ok := m[k]; !ok {
		s.size++
	}
	m[k] = v
}

func (s *shards[K, V]) remove(hash uint8, k K) {
	if _, ok := s.maps[hash][k]; !ok {
		return
	}
	delete(s.own(hash), k)
	s.size--
}

func (s *shards[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, m := range s.maps {
			for k, v := range m {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// hashName is FNV-1a, folded.
func hashName[S ~string](s S) uint8 {
	h := uint32(2166136261)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return uint8(h ^ h>>8 ^ h>>16 ^ h>>24)
}

// hashID takes a byte that is random in every version of UUIDs.
func hashID(id TopicID) uint8 { return id[15] }
