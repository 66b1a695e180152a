package shell

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pastMax is how many lines are kept in memory and offered by the arrow keys.
const pastMax = 1000

// Past is what was typed, in this session and earlier ones, kept in a file. It implements
// term.History. Lines that hold credentials, and lines that begin with a blank, are
// remembered for the session and not written down.
type Past struct {
	lines []string // oldest first
	file  string   // "" keeps nothing
	err   error    // first error of the file; nothing more is written after it
}

// OpenPast reads the file, which need not exist.
func OpenPast(file string) (*Past, error) {
	p := &Past{file: file}
	if file == "" {
		return p, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		p.keep(in.Text())
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return p, nil
}

// Add remembers a line.
func (p *Past) Add(line string) {
	if line == "" || len(p.lines) > 0 && p.lines[len(p.lines)-1] == line {
		return
	}
	p.keep(line)
	if p.file == "" || p.err != nil || secret(line) {
		return
	}
	p.err = appendLine(p.file, line)
}

// Err returns why lines are not written down any more, nil if they are.
func (p *Past) Err() error { return p.err }

func (p *Past) keep(line string) {
	p.lines = append(p.lines, line)
	if n := len(p.lines); n > pastMax {
		p.lines = append([]string(nil), p.lines[n-pastMax:]...)
	}
}

// Len returns how many lines there are.
func (p *Past) Len() int { return len(p.lines) }

// At returns a line, 0 for the last one.
func (p *Past) At(i int) string { return p.lines[len(p.lines)-1-i] }

// find returns the latest line before the n last ones that contains text, and how many
// are behind it.
func (p *Past) find(text string, n int) (line string, at int, ok bool) {
	for i := n; i < p.Len(); i++ {
		if strings.Contains(p.At(i), text) {
			return p.At(i), i, true
		}
	}
	return "", 0, false
}

// secret tells whether a line should not be written down.
func secret(line string) bool {
	return strings.HasPrefix(line, " ") || strings.Contains(line, "addauth") || strings.Contains(line, "digest:") ||
		strings.Contains(strings.ToLower(line), "password")
}

func appendLine(file, line string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	_, err = fmt.Fprintln(f, line)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}
