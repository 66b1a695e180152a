package znode

import (
	"strings"
	"unicode/utf8"
)

// Root and the nodes that always exist.
const (
	Root       = "/"
	System     = "/zookeeper"
	QuotaRoot  = "/zookeeper/quota"
	ConfigPath = "/zookeeper/config"
)

// ValidatePath reports whether path may name a node (ZooKeeper:
// PathUtils.validatePath): absolute, no empty, "." or ".." component, no trailing
// slash, no control, surrogate, private-use or special characters.
func ValidatePath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	if len(path) == 1 {
		return true
	}
	if path[len(path)-1] == '/' {
		return false
	}
	start := 1 // of the current component
	for i := 1; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '/':
			if badComponent(path[start:i]) {
				return false
			}
			start = i + 1
		case c < 0x20 || c == 0x7f:
			return false
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(path[i:])
			if !validRune(r, size) {
				return false
			}
			i += size - 1
		}
	}
	return !badComponent(path[start:])
}

func badComponent(name string) bool { return name == "" || name == "." || name == ".." }

// validRune judges one character beyond ASCII. Bytes that are no UTF-8 become
// U+FFFD in ZooKeeper, which is forbidden too; so is all above U+FFFF, where
// Java has surrogates.
func validRune(r rune, size int) bool {
	switch {
	case r == utf8.RuneError && size == 1:
		return false
	case r >= 0x7f && r <= 0x9f, r >= 0xd800 && r <= 0xf8ff, r >= 0xfff0:
		return false
	}
	return true
}

// Parent is the path up to the last slash, "/" for children of the root; ""
// if there is no slash.
func Parent(path string) string {
	switch i := strings.LastIndexByte(path, '/'); i {
	case -1:
		return ""
	case 0:
		return Root
	default:
		return path[:i]
	}
}

// Base is what follows the last slash.
func Base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// special reports whether path can never be deleted.
func special(path string) bool {
	return path == Root || path == System || path == QuotaRoot || path == ConfigPath
}

// nodeBytes is a node's share of Counts.DataBytes. Java counts UTF-16 units,
// one for each character that is allowed in a path.
func nodeBytes(path string, data []byte) int64 {
	return int64(utf8.RuneCountInString(path) + len(data))
}
