package protocol

import "slices"

// Versions are those of one API, both ends served.
type Versions struct {
	Key      Key
	Min, Max int16
}

// Table says which APIs and versions a broker serves, and so announces. It is
// made of the APIs that have a handler.
//
// All versions begin at 0, whether they make sense today or not, because
// librdkafka before 2.11 takes a feature for absent when the one low version it
// tests is not in the range: without Produce 0 it does not compress, without
// FindCoordinator 0 it knows no groups, without SaslHandshake 0 no PLAIN. Produce 0–2
// and Fetch 0–3 carry record formats that are gone; they are answered by
// error codes (UNSUPPORTED_FOR_MESSAGE_FORMAT, UNSUPPORTED_VERSION).
type Table struct {
	rows  [KeyMax + 1]Versions
	known [KeyMax + 1]bool
}

// NewTable makes the table of keys, each with the versions of Kafka 3.9 in
// ZooKeeper mode. A key that this package does not list is left out.
func NewTable(keys ...Key) *Table {
	t := &Table{}
	for _, k := range keys {
		if s, ok := k.spec(); ok {
			t.rows[k], t.known[k] = Versions{Key: k, Max: s.max}, true
		}
	}
	return t
}

// Limit lowers the highest version of an API, for a handler that serves less than
// Kafka 3.9. It is to be called before the table is in use.
func (t *Table) Limit(key Key, highest int16) {
	if t.Has(key) {
		t.rows[key].Max = min(t.rows[key].Max, highest)
	}
}

// Has reports whether any version of key is served.
func (t *Table) Has(key Key) bool { return key >= 0 && key <= KeyMax && t.known[key] }

// Serves reports whether this version of key is served.
func (t *Table) Serves(key Key, version int16) bool {
	return t.Has(key) && version >= t.rows[key].Min && version <= t.rows[key].Max
}

// All returns the rows in the order of keys.
func (t *Table) All() []Versions {
	var all []Versions
	for k, known := range t.known {
		if known {
			all = append(all, t.rows[k])
		}
	}
	return slices.Clip(all)
}

// Max returns the highest version served of key, -1 if none is.
func (t *Table) Max(key Key) int16 {
	if !t.Has(key) {
		return -1
	}
	return t.rows[key].Max
}
