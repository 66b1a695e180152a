package zoocfg

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"holt/wire/javaprops"
)

// property is one setting as written, and where.
type property struct {
	file  string
	line  int // of its first character; 0 for a -D setting
	key   string
	value string
	// stray marks a setting from a place that holds other programs' settings
	// too, and without ZooKeeper's prefix: that it is unknown is no mistake.
	stray bool
}

// parseProperties reads the text of a file. Key and value are trimmed. The error joins an
// *Error for each line that cannot be read, which is left out.
func parseProperties(file, text string) ([]property, error) {
	read, err := javaprops.Parse(file, text)
	props := make([]property, len(read))
	for i, p := range read {
		props[i] = property{file: p.File, line: p.Line, key: strings.TrimSpace(p.Key), value: strings.TrimSpace(p.Value)}
	}
	return props, err
}

// Values are the settings of a file as they are written, by key, the last of
// each: for tools that look for one and leave the judgement to Read. Lines that
// cannot be read are left out. The error is an *Error about the file.
func Values(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{File: path, Cause: "cannot be read: " + javaprops.Reason(err)}
	}
	props, _ := parseProperties(path, string(text))
	values := map[string]string{}
	for _, p := range props {
		values[p.key] = p.value
	}
	return values, nil
}

// MyID is the number in the file myid of a data directory, as it is written.
func MyID(dataDir string) (string, error) {
	name := filepath.Join(dataDir, "myid")
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(text))
	if _, err := strconv.ParseUint(id, 10, 64); err != nil {
		return "", &Error{File: name, Line: 1, Cause: fmt.Sprintf("%q is not a number", shorten(id))}
	}
	return id, nil
}
