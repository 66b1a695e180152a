package session

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// PathError is why a path cannot be one. Its text is that of the original.
type PathError string

func (e PathError) Error() string { return string(e) }

// ValidatePath returns a PathError if path cannot be that of a node. Positions in
// its text count UTF-16 units. (PathUtils.validatePath)
func ValidatePath(path string) error {
	switch {
	case path == "":
		return PathError("Path length must be > 0")
	case path[0] != '/':
		return PathError("Path must start with / character")
	case path == "/":
		return nil
	case path[len(path)-1] == '/':
		return PathError("Path must not end with / character")
	}
	units := utf16.Encode([]rune(path))
	for i := 1; i < len(units); i++ {
		if reason := badUnit(units, i); reason != "" {
			return PathError(fmt.Sprintf("Invalid path string \"%s\" caused by %s @%d", path, reason, i))
		}
	}
	return nil
}

// badUnit says what is wrong with unit i of a path, "" if nothing is.
func badUnit(units []uint16, i int) string {
	c, before := units[i], units[i-1]
	ends := i+1 == len(units) || units[i+1] == '/'
	switch {
	case c == 0:
		return "null character not allowed"
	case c == '/' && before == '/':
		return "empty node name specified"
	case c == '.' && before == '.':
		if units[i-2] == '/' && ends {
			return "relative paths not allowed"
		}
	case c == '.':
		if before == '/' && ends {
			return "relative paths not allowed"
		}
	case c <= 0x1f, c >= 0x7f && c <= 0x9f, c >= 0xd800 && c <= 0xf8ff, c >= 0xfff0:
		return "invalid character"
	}
	return ""
}

// Join returns the path of a child.
func Join(parent, name string) string {
	if parent == "/" {
		return "/" + name
	}
	return parent + "/" + name
}

// Chroot is a path that a session puts in front of all others; "" is none.
type chroot string

// wire returns the path to send for path.
func (c chroot) wire(path string) string {
	if c != "" && path == "/" {
		return string(c)
	}
	return string(c) + path
}

// local is the reverse. A path outside the chroot, which only the tree of system
// nodes can be, is left alone.
func (c chroot) local(path string) string {
	rest, ok := strings.CutPrefix(path, string(c))
	switch {
	case !ok:
		return path
	case rest == "":
		return "/"
	}
	return rest
}
