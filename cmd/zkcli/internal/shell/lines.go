package shell

import (
	"bufio"
	"context"
	"io"
	"strings"
)

// Lines is where lines come from.
type Lines interface {
	// ReadLine shows the prompt and returns a line without its end, or io.EOF.
	ReadLine(prompt string) (string, error)
	// Running calls f, with a context that ends when the person at the keyboard
	// interrupts it.
	Running(ctx context.Context, f func(context.Context))
}

// Pipe reads lines from something that is no terminal. Prompts and lines are written
// out, so that the output reads like a session.
type Pipe struct {
	in  *bufio.Reader
	out func(string)
}

// NewPipe returns a Pipe that writes with out.
func NewPipe(in io.Reader, out func(string)) *Pipe {
	return &Pipe{bufio.NewReader(in), out}
}

// ReadLine implements Lines.
func (p *Pipe) ReadLine(prompt string) (string, error) {
	p.out(prompt)
	line, err := p.in.ReadString('\n')
	if err == io.EOF && line != "" {
		err = nil
	}
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	p.out(line + "\n")
	return line, nil
}

// Running implements Lines. What interrupts the program interrupts it all.
func (p *Pipe) Running(ctx context.Context, f func(context.Context)) { f(ctx) }
