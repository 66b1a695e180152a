package store

import (
	"encoding/binary"
	"strings"

	"holt/wire"
	"holt/znode"
)

const (
	spaceNode      = 'n'
	spaceEphemeral = 'e'
	spaceCandidate = 'c'
	spaceIndex     = 'i'
	spaceState     = 's'
	spaceVersion   = 'v'
	spaceRecord    = 'x'
)

// depthWide is the first depth that takes five bytes.
const depthWide = 255

func depthOf(path string) int {
	if path == znode.Root {
		return 0
	}
	return strings.Count(path, "/")
}

func appendDepth(b []byte, depth int) []byte {
	if depth < depthWide {
		return append(b, byte(depth))
	}
	return binary.BigEndian.AppendUint32(append(b, depthWide), uint32(depth))
}

func appendNodeKey(b []byte, path string) []byte {
	return append(appendDepth(append(b, spaceNode), depthOf(path)), path...)
}

// nodeKeyPath is the path in a node's key.
func nodeKeyPath(key []byte) []byte {
	if key[1] == depthWide {
		return key[6:]
	}
	return key[2:]
}

// appendBelow appends the prefix of all nodes that lie levels below path, and
// returns how much of a key comes before what follows "path/".
func appendBelow(b []byte, path string, levels int) (prefix []byte) {
	b = appendDepth(append(b, spaceNode), depthOf(path)+levels)
	if path != znode.Root {
		b = append(b, path...)
	}
	return append(b, '/')
}

func appendEphemeralKey(b []byte, s wire.SessionID, path string) []byte {
	b = binary.BigEndian.AppendUint64(append(b, spaceEphemeral), uint64(s))
	return append(b, path...)
}

func appendCandidateKey(b []byte, path string) []byte {
	return append(append(b, spaceCandidate), path...)
}

// appendOwnerKey is the place of a node with an owner in one of the two above.
func appendOwnerKey(b []byte, o znode.Owner, path string) []byte {
	if o.IsSession() {
		return appendEphemeralKey(b, wire.SessionID(o), path)
	}
	return appendCandidateKey(b, path)
}

// appendIndexPrefix is what all index keys of a parent have in common. A path
// holds no zero byte, so no parent's keys are among those of another.
func appendIndexPrefix(b []byte, parent string) []byte {
	return append(append(append(b, spaceIndex), parent...), 0)
}

func appendIndexKey(b []byte, parent string, czxid wire.Zxid, name string) []byte {
	b = binary.BigEndian.AppendUint64(appendIndexPrefix(b, parent), uint64(czxid))
	return append(b, name...)
}

// successor turns a prefix into the first key past all that have it. The
// prefix must not end in 0xff.
func successor(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}
