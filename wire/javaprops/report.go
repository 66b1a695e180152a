package javaprops

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Error is one thing that is wrong with a configuration.
type Error struct {
	File string // or what stands for one, as -D; "" if it is about none
	Line int    // 0 if it is about no line of a file
	// Cause says what is wrong, Remedy what to do; Remedy may be empty.
	Cause, Remedy string
}

// Error is "file:line: cause; remedy".
func (e *Error) Error() string {
	s := prefix(e.File, e.Line) + e.Cause
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Note says in one line what is made of a setting that is right, but does not do what its
// author may expect.
type Note struct {
	File string // as of Error
	Line int
	Key  string
	Text string
}

// String is "file:line: key: text".
func (n Note) String() string { return prefix(n.File, n.Line) + n.Key + ": " + n.Text }

// Place is "file:line", or the file alone for line 0.
func Place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

func prefix(file string, line int) string {
	if file == "" {
		return ""
	}
	return Place(file, line) + ": "
}

// Reason is the text of an error of os without the name of the file, which an Error has
// anyway.
func Reason(err error) string {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// Nearest returns which of the known names somebody who wrote name may have meant, the first
// of those that are equally near; "" if none is near. Case does not count.
func Nearest(name string, known []string) string {
	nearest, distance := "", len(name)/3+1
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < distance || d == distance && nearest == "" {
			nearest, distance = k, d
		}
	}
	return nearest
}

// Row returns the row of a table that a setting belongs to: the one of its name, else the one of
// the longest name that ends in a dot and begins it, as server. does server.1; nil if there is
// none.
func Row[R any](table []R, name func(*R) string, key string) *R {
	var found *R
	for i := range table {
		r := &table[i]
		n := name(r)
		if n == key {
			return r
		}
		if strings.HasSuffix(n, ".") && strings.HasPrefix(key, n) && (found == nil || len(n) > len(name(found))) {
			found = r
		}
	}
	return found
}

// editDistance counts the bytes to insert, delete or replace between a and b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
