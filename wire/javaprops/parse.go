package javaprops

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Property is one setting as written, and where.
type Property struct {
	// Key and Value have no escapes left. As in Java, blanks that end a value are kept:
	// most readers trim them.
	Key, Value string
	// File is what Parse was told, Line the natural line that the setting begins in; the
	// first is 1.
	File string
	Line int
	// Start and End are the bytes of the text that the setting takes, from the begin of
	// its first line to behind the end of its last.
	Start, End int
}

// errEscape is all that can be wrong with a line.
var errEscape = errors.New(`\u is not followed by four hexadecimal digits`)

const blanks = " \t\f"

// Parse returns the settings of text, which is that of file, in their order. A key that
// stands there twice is there twice; Java takes the last. The error joins an *Error for each
// line that cannot be read, which is left out.
func Parse(file, text string) ([]Property, error) {
	var props []Property
	var errs []error
	s := scanner{text: text, line: 1}
	if strings.HasPrefix(text, "\ufeff") {
		s.pos = len("\ufeff")
	}
	for s.pos < len(text) {
		p := Property{File: file, Line: s.line, Start: s.pos}
		logical, ok := s.logicalLine()
		if !ok {
			continue
		}
		p.End = s.pos
		var err error
		if p.Key, p.Value, err = cut(logical); err != nil {
			errs = append(errs, &Error{File: file, Line: p.Line, Cause: err.Error(), Remedy: `write \\ for a backslash`})
			continue
		}
		props = append(props, p)
	}
	return props, errors.Join(errs...)
}

// Last returns of each key the last setting, in the order in which the keys came first:
// what Java's Properties hold.
func Last(props []Property) []Property {
	at := make(map[string]int, len(props))
	var last []Property
	for _, p := range props {
		if i, ok := at[p.Key]; ok {
			last[i] = p
			continue
		}
		at[p.Key] = len(last)
		last = append(last, p)
	}
	return last
}

// scanner takes lines off a text.
type scanner struct {
	text string
	pos  int // of what was not taken yet
	line int // in which pos is
}

// logicalLine takes one logical line; ok is false of a blank one or a comment.
func (s *scanner) logicalLine() (line string, ok bool) {
	var b strings.Builder
	for {
		line := strings.TrimLeft(s.naturalLine(), blanks)
		// A line that continues one is no comment, unless that one was a backslash alone.
		if b.Len() == 0 && (line == "" || line[0] == '#' || line[0] == '!') {
			return "", false
		}
		if !continues(line) {
			b.WriteString(line)
			return b.String(), true
		}
		b.WriteString(line[:len(line)-1])
	}
}

// continues reports whether a line ends in a backslash that is not itself escaped.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// naturalLine takes one line and its end; "" at the end of the text.
func (s *scanner) naturalLine() string {
	rest := s.text[s.pos:]
	end := strings.IndexAny(rest, "\r\n")
	if end < 0 {
		s.pos = len(s.text)
		return rest
	}
	s.line++
	s.pos += end + 1
	if strings.HasPrefix(rest[end:], "\r\n") {
		s.pos++
	}
	return rest[:end]
}

// cut separates key and value at the first equals sign, colon or blank that is not escaped.
func cut(line string) (key, value string, err error) {
	end := 0
	for end < len(line) && strings.IndexByte("=:"+blanks, line[end]) < 0 {
		if line[end] == '\\' {
			end++ // whatever follows belongs to the key
		}
		end++
	}
	end = min(end, len(line))
	rest := strings.TrimLeft(line[end:], blanks)
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], blanks)
	}
	if key, err = unescape(line[:end]); err != nil {
		return "", "", err
	}
	value, err = unescape(rest)
	return key, value, err
}

// unescape undoes the escapes. Bytes that are no UTF-8 stay as they are.
func unescape(s string) (string, error) {
	before, rest, found := strings.Cut(s, `\`)
	if !found {
		return s, nil
	}
	b := []byte(before)
	for {
		if rest == "" {
			return string(b), nil // a lone backslash at the end
		}
		c, size := rest[0], 1
		switch c {
		case 't', 'n', 'r', 'f':
			b = append(b, "\t\n\r\f"[strings.IndexByte("tnrf", c)])
		case 'u':
			var r rune
			if r, size = unicodeEscapes(rest); size == 0 {
				return "", errEscape
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, c)
		}
		before, rest, found = strings.Cut(rest[size:], `\`)
		b = append(b, before...)
		if !found {
			return string(b), nil
		}
	}
}

// unicodeEscapes reads uXXXX, and \uXXXX behind it if the two are one character of
// UTF-16, and returns how many bytes that were; 0 if it is malformed.
func unicodeEscapes(s string) (r rune, size int) {
	unit := func(s string) (rune, bool) {
		if len(s) < 5 || s[0] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(s[1:5], 16, 16)
		return rune(n), err == nil
	}
	r, ok := unit(s)
	if !ok {
		return 0, 0
	}
	if second, ok := strings.CutPrefix(s[5:], `\`); ok && utf16.IsSurrogate(r) {
		if low, ok := unit(second); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, 11
			}
		}
	}
	return r, 5
}
