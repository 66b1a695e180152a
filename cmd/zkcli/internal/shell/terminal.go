package shell

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/term"
)

// Terminal reads lines from a terminal: editing, arrow keys through the past, Tab to
// complete, Ctrl-R to search back, Ctrl-C to drop the line or to interrupt a command.
// It is an io.Writer too: what is written while a line is edited appears above it.
type Terminal struct {
	in, out *os.File
	editor  *term.Terminal
	past    *Past
	done    completer
	editing atomic.Bool

	// The search that Ctrl-R began: the text, and where it was found last.
	search string
	found  string
	at     int
}

// The keys that editor does not handle itself.
const (
	keyTab    = '\t'
	keyCtrlR  = 'r' & 0x1f
	byteCtrlC = 'c' & 0x1f
)

// NewTerminal returns a Terminal for the shell sh on in and out.
func NewTerminal(sh *Shell, in, out *os.File, past *Past) *Terminal {
	t := &Terminal{in: in, out: out, past: past, done: sh.completer()}
	t.editor = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{&keys{in: in}, out}, "")
	t.editor.History = past
	t.editor.AutoCompleteCallback = t.key
	return t
}

// ReadLine implements Lines.
func (t *Terminal) ReadLine(prompt string) (string, error) {
	if w, h, err := term.GetSize(int(t.out.Fd())); err == nil && w > 0 {
		if err := t.editor.SetSize(w, h); err != nil {
			return "", fmt.Errorf("lay out terminal: %w", err)
		}
	}
	before, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return "", fmt.Errorf("prepare terminal: %w", err)
	}
	t.editor.SetPrompt(prompt)
	t.editing.Store(true)
	line, err := t.editor.ReadLine()
	t.editing.Store(false)
	t.search, t.found = "", ""
	if restoreErr := term.Restore(int(t.in.Fd()), before); err == nil && restoreErr != nil {
		err = fmt.Errorf("restore terminal: %w", restoreErr)
	}
	if err == io.EOF {
		fmt.Fprintln(t.out) // the next prompt of the caller's shell begins its own line
	}
	return line, err
}

// Running implements Lines: Ctrl-C ends the context of the command.
func (t *Terminal) Running(ctx context.Context, f func(context.Context)) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	f(ctx)
}

// Write implements io.Writer.
func (t *Terminal) Write(b []byte) (int, error) {
	if t.editing.Load() {
		return t.editor.Write(b)
	}
	return t.out.Write(b)
}

// key is called for each key that the editor has no use for.
func (t *Terminal) key(line string, pos int, key rune) (string, int, bool) {
	switch key {
	case keyTab:
		return t.complete(line, pos)
	case keyCtrlR:
		return t.searchBack(line, pos)
	}
	t.search, t.found = "", ""
	return "", 0, false
}

func (t *Terminal) complete(line string, pos int) (string, int, bool) {
	expanded, newPos, choices := t.done.expand(line, pos)
	if len(choices) > 0 {
		width, _, err := term.GetSize(int(t.out.Fd()))
		if err != nil {
			width = 80
		}
		if _, err := t.editor.Write([]byte(columns(choices, width))); err != nil {
			return line, pos, true // the read that follows reports it
		}
	}
	return expanded, newPos, true
}

// searchBack replaces the line with the last one that contains it; pressed again, with
// the one before that.
func (t *Terminal) searchBack(line string, pos int) (string, int, bool) {
	from := t.at + 1
	if t.found == "" || line != t.found {
		t.search, from = line, 0
	}
	found, at, ok := t.past.find(t.search, from)
	if !ok {
		return line, pos, true
	}
	t.found, t.at = found, at
	return found, len(found), true
}

// keys hands on what is typed, with Ctrl-C turned into what empties the line: the editor
// would take it for the end of the input.
type keys struct {
	in   io.Reader
	rest []byte
}

// emptyLine is Ctrl-E and Ctrl-U: to the end of the line, and away with all before.
var emptyLine = [...]byte{'e' & 0x1f, 'u' & 0x1f}

func (k *keys) Read(p []byte) (int, error) {
	if len(k.rest) == 0 {
		// Each byte may become two.
		b := make([]byte, max(1, len(p)/2))
		n, err := k.in.Read(b)
		for _, c := range b[:n] {
			if c == byteCtrlC {
				k.rest = append(k.rest, emptyLine[:]...)
			} else {
				k.rest = append(k.rest, c)
			}
		}
		if len(k.rest) == 0 {
			return 0, err
		}
	}
	n := copy(p, k.rest)
	k.rest = k.rest[n:]
	return n, nil
}
