package znode

// SetCounters lets a test put a node's counters where no test could bring them.
func (t *Tree) SetCounters(path string, version, cversion, aversion int32) {
	n, c := t.find(path)
	n = t.own(n, c).node
	n.Version, n.Cversion, n.Aversion = version, cversion, aversion
}

// AppendSequence is appendSequence.
var AppendSequence = appendSequence

// ParseTrack is parseTrack, and back to text.
func ParseTrack(text string) (string, bool) {
	t, ok := parseTrack([]byte(text))
	return string(t.appendTo(nil)), ok
}
