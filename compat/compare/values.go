package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holt/wire"
)

// tokens cuts a line at spaces that are neither in quotes nor in brackets.
func tokens(line string) ([]string, error) {
	var out []string
	start, depth, quoted := -1, 0, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c == ' ' && depth == 0 && !quoted {
			if start >= 0 {
				out = append(out, line[start:i])
				start = -1
			}
			continue
		}
		if start < 0 {
			start = i
		}
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && c == '[':
			depth++
		case !quoted && c == ']':
			depth--
		}
	}
	if quoted || depth != 0 {
		return nil, fmt.Errorf("quote or bracket is not closed")
	}
	if start >= 0 {
		out = append(out, line[start:])
	}
	return out, nil
}

// names are the words for the values of the types that have them, by value.
func (k fieldType) names() []string {
	switch k {
	case typeMode:
		return []string{"p", "e", "s", "es", "c", "t", "ts"}
	case typeWatchMode:
		return []string{"persistent", "recursive"}
	case typeWatcher:
		return []string{"", "children", "data", "any", "persistent", "recursive"}
	}
	return nil
}

func parseValue(text string, kind fieldType) (v value, err error) {
	if text == "null" {
		switch kind {
		case typeString, typeBuffer, typeACLs, typeStrings:
			return value{null: true}, nil
		}
	}
	switch kind {
	case typeString:
		v.s, err = unquote(text)
	case typeBuffer:
		if c, n, ok := strings.Cut(text, "*"); ok && !strings.HasPrefix(text, `"`) {
			times, err := strconv.Atoi(n)
			return value{s: strings.Repeat(c, times)}, err
		}
		v.s, err = unquote(text)
	case typeACLs:
		v.acls, err = parseACLs(text)
	case typeZxid:
		v.n, err = parseZxid(text)
	case typeStrings:
		if text == "[]" {
			return value{list: []string{}}, nil
		}
		if text, err = unquote(text); err == nil {
			v.list = strings.Split(text, ",")
		}
	case typeInt64:
		v.n, err = strconv.ParseInt(text, 0, 64)
	default:
		if i := slices.Index(kind.names(), text); i >= 0 && text != "" {
			return value{n: int64(i)}, nil
		}
		v.n, err = strconv.ParseInt(text, 0, 32)
	}
	return v, err
}

func unquote(text string) (string, error) {
	if strings.HasPrefix(text, `"`) {
		return strconv.Unquote(text)
	}
	return text, nil
}

// quote writes s so that unquote reads it, without quotes where it can.
func quote(s string) string {
	plain := s != "" && s != "null" && s != "[]"
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/._:,-+@", c) >= 0
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}

func parseZxid(text string) (int64, error) {
	switch {
	case text == "last":
		return zxidLast, nil
	case text == "ahead":
		return zxidAhead, nil
	case strings.HasPrefix(text, "+"):
		n, err := strconv.ParseInt(text[1:], 10, 64)
		return zxidBase + n, err
	}
	return strconv.ParseInt(text, 0, 64)
}

// zxidText writes a canonical zxid.
func zxidText(z int64) string {
	switch {
	case z == zxidLast:
		return "last"
	case z == zxidAhead:
		return "ahead"
	case z == zxidOld:
		return "old"
	case z > zxidBase-1<<30 && z < zxidBase+1<<30:
		return "+" + strconv.FormatInt(z-zxidBase, 10)
	}
	return strconv.FormatInt(z, 10)
}

const permLetters = "rwcda" // by bit

func parseACLs(text string) ([]wire.ACL, error) {
	if text == "[]" {
		return []wire.ACL{}, nil
	}
	text, err := unquote(text)
	if err != nil {
		return nil, err
	}
	var acls []wire.ACL
	whole := ""
	for _, entry := range strings.Split(text, ",") {
		if entry = whole + entry; strings.Count(entry, ":") < 2 {
			whole = entry + "," // of the id, as subjects have them
			continue
		}
		whole = ""
		first, last := strings.Index(entry, ":"), strings.LastIndex(entry, ":")
		a := wire.ACL{Identity: wire.Identity{Scheme: entry[:first], ID: entry[first+1 : last]}}
		if a.Perms, err = parsePerms(entry[last+1:]); err != nil {
			return nil, err
		}
		acls = append(acls, a)
	}
	if whole != "" {
		return nil, fmt.Errorf("ACL %q is not scheme:id:perms", strings.TrimSuffix(whole, ","))
	}
	return acls, nil
}

func parsePerms(text string) (wire.Perms, error) {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return wire.Perms(n), nil
	}
	var p wire.Perms
	for _, c := range text {
		i := strings.IndexRune(permLetters, c)
		if i < 0 {
			return 0, fmt.Errorf("permissions %q", text)
		}
		p |= 1 << i
	}
	return p, nil
}

func aclText(acls []wire.ACL) string {
	var parts []string
	for _, a := range acls {
		perms := a.Perms.String()
		if back, err := parsePerms(perms); err != nil || back != a.Perms {
			perms = strconv.Itoa(int(a.Perms))
		}
		parts = append(parts, a.Scheme+":"+a.ID+":"+perms)
	}
	if len(parts) == 0 {
		return "[]"
	}
	return quote(strings.Join(parts, ","))
}

// text writes the value as parseValue reads it.
func (v *value) text(kind fieldType) string {
	if v.null {
		return "null"
	}
	switch kind {
	case typeString:
		return quote(v.s)
	case typeBuffer:
		if n := len(v.s); n > 40 && strings.Count(v.s, v.s[:1]) == n && quote(v.s[:1]) == v.s[:1] {
			return fmt.Sprintf("%s*%d", v.s[:1], n)
		}
		return strconv.Quote(v.s)
	case typeACLs:
		return aclText(v.acls)
	case typeZxid:
		return zxidText(v.n)
	case typeStrings:
		if len(v.list) == 0 {
			return "[]"
		}
		return quote(strings.Join(v.list, ","))
	}
	if names := kind.names(); v.n >= 0 && v.n < int64(len(names)) && names[v.n] != "" {
		return names[v.n]
	}
	return strconv.FormatInt(v.n, 10)
}
