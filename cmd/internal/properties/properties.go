// Package properties reads Java's .properties text, in which the client
// configuration of zkCli.sh and the configuration of an ensemble are written.
//
// Everything here is a pure function. Left out: writing, and the XML form.
package properties

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Pair is a key with its value.
type Pair struct{ Key, Value string }

// Parse returns the pairs of text in the order in which they stand there; of a key
// that stands there twice, the last value at the first place. It fails on a broken
// \u escape only. (java.util.Properties.load)
func Parse(text string) ([]Pair, error) {
	var pairs []Pair
	at := make(map[string]int)
	for _, line := range logicalLines(text) {
		key, value, err := split(line)
		if err != nil {
			return nil, err
		}
		if i, ok := at[key]; ok {
			pairs[i].Value = value
			continue
		}
		at[key] = len(pairs)
		pairs = append(pairs, Pair{key, value})
	}
	return pairs, nil
}

const blanks = " \t\f"

// logicalLines drops comments and blank lines, and puts lines together of which the
// first ends in an odd number of backslashes.
func logicalLines(text string) []string {
	var lines []string
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	var open *string
	for _, l := range strings.Split(text, "\n") {
		l = strings.TrimLeft(l, blanks)
		if open == nil {
			if l == "" || l[0] == '#' || l[0] == '!' {
				continue
			}
			lines = append(lines, "")
			open = &lines[len(lines)-1]
		}
		*open += l
		slashes := len(l) - len(strings.TrimRight(l, `\`))
		if slashes%2 == 0 {
			open = nil
			continue
		}
		*open = (*open)[:len(*open)-1]
	}
	return lines
}

// split cuts a line at its first separator that is not escaped: an equals sign, a colon or
// blanks, with blanks around it.
func split(line string) (key, value string, err error) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=:"+blanks, line[i]) >= 0 {
			end = i
			break
		}
	}
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

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var out []uint16
	for runes := []rune(s); len(runes) > 0; runes = runes[1:] {
		if runes[0] != '\\' || len(runes) == 1 {
			out = utf16.AppendRune(out, runes[0])
			continue
		}
		runes = runes[1:]
		switch r := runes[0]; r {
		case 't':
			out = append(out, '\t')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 'f':
			out = append(out, '\f')
		case 'u':
			if len(runes) < 5 {
				return "", fmt.Errorf("malformed \\u escape in %q", s)
			}
			n, err := strconv.ParseUint(string(runes[1:5]), 16, 16)
			if err != nil {
				return "", fmt.Errorf("malformed \\u escape in %q", s)
			}
			out = append(out, uint16(n))
			runes = runes[4:]
		default:
			out = utf16.AppendRune(out, r)
		}
	}
	return string(utf16.Decode(out)), nil
}

// HashOrder sorts pairs, which have the order of the text, into the order in which
// Java's Properties hands them out. The original prints servers in it.
func HashOrder(pairs []Pair) {
	// A ConcurrentHashMap for 8 entries starts with 16 places and doubles past three
	// quarters; the entries of one place stay in the order of their arrival.
	places := uint32(16)
	for len(pairs) >= int(places)*3/4 {
		places *= 2
	}
	slices.SortStableFunc(pairs, func(a, b Pair) int {
		return int(place(a.Key, places)) - int(place(b.Key, places))
	})
}

func place(key string, places uint32) uint32 {
	var h uint32 // String.hashCode
	for _, u := range utf16.Encode([]rune(key)) {
		h = 31*h + uint32(u)
	}
	return (h ^ h>>16) & 0x7fffffff & (places - 1)
}
