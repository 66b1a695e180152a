package properties

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// property is one setting as written, and where.
type property struct {
	file  string
	line  int // of its first character; 0 for one that overrides the file
	key   string
	value string
}

// parse reads the syntax of java.util.Properties: comments begin with # or !, a
// backslash at the end of a line continues it, a key ends at =, : or blank, and
// backslash escapes are undone. Key and value are trimmed.
func parse(file, text string) ([]property, error) {
	var props []property
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	for i := 0; i < len(lines); {
		first := i
		logical := strings.TrimLeft(lines[i], " \t\f")
		i++
		if logical == "" || logical[0] == '#' || logical[0] == '!' {
			continue
		}
		for continues(logical) {
			logical = logical[:len(logical)-1]
			if i == len(lines) {
				break
			}
			logical += strings.TrimLeft(lines[i], " \t\f")
			i++
		}
		key, value, err := cut(logical)
		if err != nil {
			return nil, &Error{File: file, Line: first + 1, Cause: err.Error(), Remedy: `write \\ for a backslash`}
		}
		props = append(props, property{file, first + 1, key, value})
	}
	return props, nil
}

// continues reports whether a line ends in a backslash that is not itself escaped.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

func cut(line string) (key, value string, err error) {
	end := 0
	for end < len(line) && strings.IndexByte("=: \t\f", line[end]) < 0 {
		if line[end] == '\\' {
			end++ // whatever follows belongs to the key
		}
		end++
	}
	end = min(end, len(line))
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = rest[1:]
	}
	key, err = unescape(line[:end])
	if err == nil {
		value, err = unescape(strings.TrimLeft(rest, " \t\f"))
	}
	return strings.TrimSpace(key), strings.TrimSpace(value), err
}

// unescape undoes \t, \n, \r, \f and \uXXXX; before any other character the
// backslash is dropped.
func unescape(s string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found || after == "" {
			return b.String(), nil
		}
		c, size := utf8.DecodeRuneInString(after)
		if i := strings.IndexRune("tnrf", c); i >= 0 {
			c = rune("\t\n\r\f"[i])
		}
		if c == 'u' {
			size = 5
			code, err := strconv.ParseUint(after[1:min(size, len(after))], 16, 16)
			if err != nil || len(after) < size {
				return "", errors.New(`\u is not followed by four hexadecimal digits`)
			}
			c = rune(code)
		}
		b.WriteRune(c)
		s = after[size:]
	}
}
