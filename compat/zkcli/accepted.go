package zkcli

import (
	"fmt"
	"strings"
)

// accepted is a difference that is meant to be.
type accepted struct {
	line   string // the command line
	stream string // stdout, stderr, exit or all
	reason string
	used   bool
}

// readAccepted reads lines of the form
//
//	command line | stream | reason
//
// in which # begins a comment.
func readAccepted(text string) ([]*accepted, error) {
	var list []*accepted
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, " | ", 3)
		if len(parts) != 3 || parts[2] == "" {
			return nil, fmt.Errorf("accepted difference %q: want command line | stream | reason", line)
		}
		list = append(list, &accepted{line: parts[0], stream: parts[1], reason: parts[2]})
	}
	return list, nil
}

// accepts tells whether a difference is accepted, and notes that it occurred.
func accepts(list []*accepted, line, stream string) bool {
	for _, a := range list {
		if a.line == line && (a.stream == stream || a.stream == "all") {
			a.used = true
			return true
		}
	}
	return false
}
