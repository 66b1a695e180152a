package javaregexp

import "strings"

// Replacement turns a replacement of Java's into one of Go's: in the former a backslash takes the meaning from
// what follows it, and a group is $ and one digit, where Go would read $1x as a group named 1x.
//
// Java: Matcher.appendReplacement.
func Replacement(java string) string {
	var b strings.Builder
	for i := 0; i < len(java); i++ {
		switch c := java[i]; {
		case c == '\\' && i+1 < len(java):
			i++
			if java[i] == '$' {
				b.WriteByte('$')
			}
			b.WriteByte(java[i])
		case c == '$' && i+1 < len(java) && java[i+1] >= '0' && java[i+1] <= '9':
			i++
			b.WriteString("${" + java[i:i+1] + "}")
		case c == '$':
			b.WriteString("$$")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
