package cmdline

import (
	"regexp"
	"strings"
)

// Java's \s, which Go's lacks the vertical tab of.
const space = `[ \t\n\x0b\f\r]`

var word = regexp.MustCompile(space + `*([^"'][^ \t\n\x0b\f\r]*|"[^"]*"|'[^']*')` + space + `*`)

// Split returns the words of a line. A word that begins with a quote ends with
// the same quote, and loses both; a quote elsewhere is an ordinary character. A
// quote that is never closed is dropped. A line of blanks is one word, a blank.
// (ZooKeeperMain.MyCommandOptions.parseCommand)
func Split(line string) []string {
	var words []string
	for _, m := range word.FindAllStringSubmatch(line, -1) {
		words = append(words, unquote(m[1]))
	}
	return words
}

// unquote strips the quotes around s. The original's pattern does not let a line
// break stand between them.
func unquote(s string) string {
	n := len(s)
	if n < 2 || s[0] != s[n-1] || s[0] != '"' && s[0] != '\'' || strings.ContainsAny(s, "\n\r\u0085\u2028\u2029") {
		return s
	}
	return s[1 : n-1]
}
