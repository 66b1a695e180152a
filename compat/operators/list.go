package operators

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed testdata
var files embed.FS

// Entry is a line of a list: a name and what there is to say about it.
type Entry struct{ Name, Text string }

// parse reads "name | text" lines; blank lines and comments are left out.
func parse(file string) ([]Entry, error) {
	b, err := files.ReadFile("testdata/" + file)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, text, ok := strings.Cut(line, " | ")
		if !ok {
			return nil, fmt.Errorf("%s: %q is not of the form name | text", file, line)
		}
		list = append(list, Entry{strings.TrimSpace(name), strings.TrimSpace(text)})
	}
	return list, nil
}

// Metrics are the original's metrics and their types, by name.
func Metrics() ([]Entry, error) { return parse("metrics.txt") }

// Absent are those that Holt does not have, and why.
func Absent() ([]Entry, error) { return parse("absent.txt") }

// Documents are the differences between documents that are wanted, and why.
func Documents() ([]Entry, error) { return parse("documents.txt") }

func byName(list []Entry) map[string]string {
	m := make(map[string]string, len(list))
	for _, e := range list {
		m[e.Name] = e.Text
	}
	return m
}
