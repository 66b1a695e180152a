package render

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Format is how results are written.
type Format string

const (
	Text Format = "text" // as zkCli.sh
	JSON Format = "json" // one object a line
	YAML Format = "yaml" // one document each
)

// ParseFormat returns the format called name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case Text, JSON, YAML:
		return f, nil
	}
	return "", fmt.Errorf("unknown format %q: want %s, %s or %s", name, Text, JSON, YAML)
}

// Result is something that a command found or did.
type Result struct {
	// Data is what JSON and YAML tell, for encoding/json: of a type that always encodes.
	Data any
	// Text writes the text form; nil writes nothing.
	Text func(*Page)
}

// Output writes results. Out and Err must be set; the zero Format is Text. Once it is in use
// they are changed by Redirect alone.
type Output struct {
	Out, Err io.Writer
	Format   Format
	// Colour allows colours and marks; only for terminals.
	Colour bool
	// Quiet keeps talk out of Out in text form too, for what zkCli.sh does not have.
	Quiet bool

	mu        sync.Mutex
	failed    error // first error of a writer; guarded by mu
	documents int   // YAML documents written; guarded by mu
}

// Emit writes r in the format of o.
func (o *Output) Emit(r Result) {
	switch o.Format {
	case JSON:
		o.write(&o.Out, jsonLine(r.Data))
	case YAML:
		o.mu.Lock()
		first := o.documents == 0
		o.documents++
		o.mu.Unlock()
		text := yamlOf(jsonLine(r.Data))
		if !first {
			text = append([]byte("---\n"), text...)
		}
		o.write(&o.Out, text)
	default:
		p := Page{colour: o.Colour}
		if r.Text != nil {
			r.Text(&p)
		}
		p.to(o)
	}
}

// Say writes a line of talk. It goes to Out in text form, where zkCli.sh has it,
// and to Err when programs read Out.
func (o *Output) Say(format string, args ...any) {
	w := &o.Out
	if o.Quiet || o.Format == JSON || o.Format == YAML {
		w = &o.Err
	}
	o.write(w, fmt.Appendf(nil, format+"\n", args...))
}

// Note writes a line of talk to Err, where zkCli.sh has it.
func (o *Output) Note(format string, args ...any) {
	o.write(&o.Err, fmt.Appendf(nil, format+"\n", args...))
}

// Complain writes a line about something wrong to Err.
func (o *Output) Complain(format string, args ...any) {
	p := Page{colour: o.Colour}
	text := fmt.Sprintf(format, args...)
	o.write(&o.Err, []byte(p.Paint(Red, text)+"\n"))
}

// Prompt writes to Out what is no line of its own.
func (o *Output) Prompt(s string) { o.write(&o.Out, []byte(s)) }

// Error returns the first error of a writer.
func (o *Output) Error() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// Redirect writes to others from now on; a nil one stays. Events of the session may be
// written at the same time.
func (o *Output) Redirect(out, err io.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if out != nil {
		o.Out = out
	}
	if err != nil {
		o.Err = err
	}
}

// write writes to Out or Err, w is a pointer to one of them.
func (o *Output) write(w *io.Writer, b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writeLocked(*w, b)
}

func (o *Output) writeLocked(w io.Writer, b []byte) {
	if o.failed != nil || len(b) == 0 {
		return
	}
	if _, err := w.Write(b); err != nil {
		o.failed = fmt.Errorf("write output: %w", err)
	}
}

// With returns an output of another format on the same writers.
func (o *Output) With(f Format) *Output {
	o.mu.Lock()
	defer o.mu.Unlock()
	return &Output{Out: o.Out, Err: o.Err, Format: f, Colour: o.Colour, Quiet: o.Quiet}
}

// jsonLine returns v as JSON on one line.
func jsonLine(v any) []byte {
	var buf jsonBuffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return buf
}

type jsonBuffer []byte

func (b *jsonBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// Page collects the text of one result, in the order in which it was written to
// either of the two.
type Page struct {
	colour bool
	parts  []part
}

type part struct {
	text string
	talk bool // for Err
}

// Printf writes to the data side.
func (p *Page) Printf(format string, args ...any) {
	p.parts = append(p.parts, part{text: fmt.Sprintf(format, args...)})
}

// Talkf writes to the other side.
func (p *Page) Talkf(format string, args ...any) {
	p.parts = append(p.parts, part{text: fmt.Sprintf(format, args...), talk: true})
}

// Raw writes bytes to the data side as they are.
func (p *Page) Raw(b []byte) { p.parts = append(p.parts, part{text: string(b)}) }

func (p *Page) to(o *Output) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range p.parts {
		if s.talk {
			o.writeLocked(o.Err, []byte(s.text))
		} else {
			o.writeLocked(o.Out, []byte(s.text))
		}
	}
}

// Writer returns a writer of bytes that are written to Out as they come.
func (o *Output) Writer() io.Writer { return outWriter{o} }

type outWriter struct{ o *Output }

func (w outWriter) Write(b []byte) (int, error) {
	w.o.write(&w.o.Out, b)
	if err := w.o.Error(); err != nil {
		return 0, err
	}
	return len(b), nil
}
