package znode

import (
	"encoding/hex"
	"strings"
)

// validX500Name reports whether Java's X500Principal takes s for a name, which is what
// ZooKeeper asks of the id of an ACL entry of the scheme x509: RFC 1779 and
// 2253 with Java's leniencies (X500Name.parseDN, RDN, AVA).
func validX500Name(s string) bool {
	if s == "" {
		return true
	}
	quotes, from, search := 0, 0, 0
	for {
		end := indexFrom(s, ",;", search)
		if end < 0 {
			return validRelativeName(s[from:])
		}
		quotes += quotesIn(s, search, end)
		if quotes != 1 && !escapedAt(s, search, end) {
			if !validRelativeName(s[from:end]) {
				return false
			}
			from, quotes = end+1, 0
		}
		search = end + 1
	}
}

func indexFrom(s, any string, from int) int {
	if i := strings.IndexAny(s[from:], any); i >= 0 {
		return from + i
	}
	return -1
}

// quotesIn counts the quotation marks in s[from:to] that have no backslash before
// them.
func quotesIn(s string, from, to int) (n int) {
	for i := from; i < to; i++ {
		if s[i] == '"' && (i == from || s[i-1] != '\\') {
			n++
		}
	}
	return n
}

// escapedAt reports whether the separator at end is one of a value's. After two backslashes
// Java counts all of them since the last separator.
func escapedAt(s string, from, end int) bool {
	if end == 0 || s[end-1] != '\\' {
		return false
	}
	if end == 1 || s[end-2] != '\\' {
		return true
	}
	return strings.Count(s[min(from, end):end], `\`)%2 != 0
}

// validRelativeName takes attributes joined by +.
func validRelativeName(s string) bool {
	quotes, from, search := 0, 0, 0
	for {
		end := indexFrom(s, "+", search)
		if end < 0 {
			return validAttribute(s[from:])
		}
		quotes += quotesIn(s, search, end)
		if end > 0 && s[end-1] != '\\' && quotes != 1 {
			if !validAttribute(s[from:end]) {
				return false
			}
			from, quotes = end+1, 0
		}
		search = end + 1
	}
}

// validAttribute takes keyword=value.
func validAttribute(s string) bool {
	keyword, value, ok := strings.Cut(s, "=")
	if !ok || !validKeyword(keyword) {
		return false
	}
	value = strings.TrimLeft(value, " \n")
	switch {
	case value == "":
		return true
	case value[0] == '#':
		return validHex(value[1:])
	case value[0] == '"':
		return validQuoted(value[1:])
	}
	return validPlain(value)
}

func validKeyword(s string) bool {
	s = strings.ToUpper(strings.TrimFunc(s, func(c rune) bool { return c <= ' ' }))
	switch s {
	case "CN", "C", "L", "S", "ST", "O", "OU", "T", "IP", "STREET", "DC", "DNQUALIFIER", "DNQ", "SURNAME", "GIVENNAME",
		"INITIALS", "GENERATION", "EMAIL", "EMAILADDRESS", "UID", "SERIALNUMBER":
		return true
	}
	return validOID(strings.TrimPrefix(s, "OID."))
}

// validOID takes two numbers or more, the first two within the bounds of X.660.
func validOID(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) < 2 {
		return false
	}
	for i, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" {
			return false
		}
		p = strings.TrimLeft(p, "0")
		switch {
		case i == 0 && p > "2", i == 0 && len(p) > 1:
			return false
		case i == 1 && strings.TrimLeft(parts[0], "0") != "2" && (len(p) > 2 || len(p) == 2 && p > "39"):
			return false
		}
	}
	return true
}

// validHex takes one ASN.1 value of definite length.
func validHex(s string) bool {
	if i := strings.IndexAny(s, "+,;"); i >= 0 {
		s = s[:i] // the end of the value, as Java sees it
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) < 2 {
		return false
	}
	n := int(b[1])
	b = b[2:]
	if n >= 0x80 {
		of := n & 0x7f
		if of == 0 || of > 4 || len(b) < of || b[0] == 0 {
			return false
		}
		n = 0
		for _, c := range b[:of] {
			n = n<<8 | int(c)
		}
		if b = b[of:]; n < 0x80 {
			return false
		}
	}
	return n == len(b)
}

// Characters that may follow a backslash, and that need one.
const (
	x500Escapable = ",=\n+<>#;\\\" "
	x500Special   = ",+<>;\""
)

// escapedLen is the length of what a backslash before s escapes: two hexadecimal
// digits or one character; 0 if that may not be escaped.
func escapedLen(s, escapable string) int {
	if len(s) >= 1 && isHex(s[0]) {
		if len(s) >= 2 && isHex(s[1]) {
			return 2
		}
		return 0
	}
	if s != "" && strings.IndexByte(escapable, s[0]) >= 0 {
		return 1
	}
	return 0
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

// validQuoted takes what follows an opening quotation mark.
func validQuoted(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return strings.Trim(s[i+1:], " \n") == ""
		case '\\':
			n := escapedLen(s[i+1:], x500Escapable)
			if n == 0 {
				return false
			}
			i += n
		}
	}
	return false
}

// validPlain takes a value without quotation marks around it. A separator in its middle,
// which the splitting before took for escaped, ends it.
func validPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			n := escapedLen(s[i+1:], x500Escapable)
			if n == 0 {
				return false
			}
			i += n
		case i > 0 && strings.IndexByte("+,;", s[i]) >= 0:
			return true
		case strings.IndexByte(x500Special, s[i]) >= 0:
			return false
		}
	}
	return true
}
