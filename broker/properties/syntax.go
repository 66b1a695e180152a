package properties

import (
	"strings"

	"holt/wire/javaprops"
)

// property is one setting as written, and where.
type property struct {
	file  string
	line  int // of its first character; 0 for one that overrides the file
	key   string
	value string
}

// parse reads the text of a file. Key and value are trimmed. The error joins an *Error for
// each line that cannot be read.
func parse(file, text string) ([]property, error) {
	read, err := javaprops.Parse(file, text)
	props := make([]property, len(read))
	for i, p := range read {
		props[i] = property{p.File, p.Line, strings.TrimSpace(p.Key), strings.TrimSpace(p.Value)}
	}
	return props, err
}
