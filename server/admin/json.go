package admin

import (
	"strconv"
	"unicode/utf8"
)

// object is a JSON object whose fields keep their order, which the original
// has as well: people compare the answers of two servers by diff.
type object []field

type field struct {
	key   string
	value any
}

// with appends one field. A value is nil, a bool, a string, an int, int64,
// uint64, float64, list or object.
func (o object) with(key string, value any) object { return append(o, field{key, value}) }

type list []any

// appendTo writes the object as the original's library does: two blanks for
// each level, a blank on both sides of a colon, lists on the lines of their
// items. ZooKeeper: JsonOutputter
func (o object) appendTo(b []byte, depth int) []byte {
	if len(o) == 0 {
		return append(b, "{ }"...)
	}
	b = append(b, '{')
	for i := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendIndent(append(b, '\n'), depth+1)
		b = append(appendJSONString(b, o[i].key), " : "...)
		b = appendJSON(b, o[i].value, depth+1)
	}
	b = appendIndent(append(b, '\n'), depth)
	return append(b, '}')
}

func (l list) appendTo(b []byte, depth int) []byte {
	b = append(b, "[ "...)
	for i, v := range l {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendJSON(b, v, depth)
	}
	if len(l) > 0 {
		b = append(b, ' ')
	}
	return append(b, ']')
}

func appendIndent(b []byte, depth int) []byte {
	for range depth {
		b = append(b, "  "...)
	}
	return b
}

func appendJSON(b []byte, value any, depth int) []byte {
	switch v := value.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendJSONString(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case float64:
		return append(b, javaDouble(v)...)
	case object:
		return v.appendTo(b, depth)
	case list:
		return v.appendTo(b, depth)
	}
	return append(b, "null"...)
}

// appendJSONString quotes s. What is not UTF-8, as a path may be, becomes the
// replacement character: JSON has no bytes.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r < ' ':
			b = append(b, `\u00`...)
			b = append(b, hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
