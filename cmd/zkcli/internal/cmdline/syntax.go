package cmdline

import (
	"fmt"
	"slices"
	"strings"
)

// Option is an option that a command knows.
type Option struct {
	Name string // without the dash
	Arg  bool   // takes a value
	Help string // for Table
	// Extra marks an option that the original does not have; it is left out of Table.
	Extra bool
}

// Syntax is what options a command knows. The zero value knows none.
type Syntax struct {
	Options []Option
	// Choice names options of which at most one may be given; with Required one must.
	Choice   []string
	Required bool
}

// Parsed is a command line taken apart.
type Parsed struct {
	// Args are the words that are neither options nor their values; the first is the
	// name of the command.
	Args   []string
	values map[string][]string // by option; one value each time it was given
}

// Has tells whether the option was given.
func (p *Parsed) Has(name string) bool { return len(p.values[name]) > 0 }

// Value returns the value of an option, the first one if it was given several
// times, and "" if it was not given.
func (p *Parsed) Value(name string) string {
	if v := p.values[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// ErrorKind is a way in which words can break a Syntax, named as the original's
// exception.
type ErrorKind string

const (
	UnrecognizedOption ErrorKind = "UnrecognizedOptionException"
	MissingArgument    ErrorKind = "MissingArgumentException"
	MissingOption      ErrorKind = "MissingOptionException"
	AlreadySelected    ErrorKind = "AlreadySelectedException"
)

// Error is the error that Parse returns. Its text is what zkCli.sh prints: the
// name of the exception stands before the message.
type Error struct {
	Kind    ErrorKind
	Message string
}

func (e *Error) Error() string { return "org.apache.commons.cli." + string(e.Kind) + ": " + e.Message }

// Parse takes words apart, of which the first is the name of the command. Options
// may stand anywhere; after the word -- nothing is an option. The error is an *Error.
func (s *Syntax) Parse(words []string) (*Parsed, error) {
	p := parser{syntax: s, out: Parsed{values: make(map[string][]string)}}
	for _, w := range words {
		if err := p.word(w); err != nil {
			return nil, err
		}
	}
	if err := p.noPending(); err != nil {
		return nil, err
	}
	if s.Required && p.chosen == "" {
		return nil, &Error{MissingOption, "Missing required option: " + s.choiceTable()}
	}
	return &p.out, nil
}

// option returns the option called name, nil if there is none. Like the original
// it looks past dashes that are still in front of the name.
func (s *Syntax) option(name string) *Option {
	if rest, ok := strings.CutPrefix(name, "--"); ok {
		name = rest
	} else {
		name = strings.TrimPrefix(name, "-")
	}
	for i := range s.Options {
		if s.Options[i].Name == name {
			return &s.Options[i]
		}
	}
	return nil
}

func (s *Syntax) choiceTable() string {
	var b strings.Builder
	for i, name := range s.Choice {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "-%s %s", name, s.option(name).Help)
	}
	return "[" + b.String() + "]"
}

// parser is the state between two words.
type parser struct {
	syntax  *Syntax
	out     Parsed
	pending *Option // waits for its value
	chosen  string  // of Syntax.Choice
	literal bool    // after --
}

func (p *parser) word(w string) error {
	switch {
	case p.literal:
		p.out.Args = append(p.out.Args, w)
	case w == "--":
		p.literal = true
	case p.pending != nil && !p.looksLikeOption(w):
		p.setValue(stripQuotes(w))
	case strings.HasPrefix(w, "--"):
		return unrecognized(w)
	case strings.HasPrefix(w, "-") && w != "-":
		return p.dashed(w)
	default:
		p.out.Args = append(p.out.Args, w)
	}
	return nil
}

// looksLikeOption tells whether w cannot be the value of the option before it: it is
// one of the known options, perhaps with others or a value stuck to it. So -1 is a value.
func (p *parser) looksLikeOption(w string) bool {
	if len(w) < 2 || w[0] != '-' {
		return false
	}
	name, _, _ := strings.Cut(w[1:], "=")
	return name != "" && (p.syntax.option(name) != nil || p.syntax.option(firstLetter(name)) != nil)
}

// dashed handles -x, -name, -x=value, -xvalue and -xyz.
func (p *parser) dashed(w string) error {
	name, value, equals := strings.Cut(w[1:], "=")
	if equals {
		o := p.syntax.option(name)
		// Only an option of one letter may be written with an equals sign: the original
		// takes a longer name for a long option and knows none.
		if len([]rune(name)) != 1 || o == nil || !o.Arg {
			return unrecognized(w)
		}
		if err := p.give(o); err != nil {
			return err
		}
		p.setValue(value)
		return nil
	}
	if o := p.syntax.option(name); o != nil {
		return p.give(o)
	}
	return p.together(w)
}

// together handles options that share a dash; the rest of the word after one that
// takes a value is that value.
func (p *parser) together(w string) error {
	letters := []rune(w[1:])
	for i, letter := range letters {
		o := p.syntax.option(string(letter))
		if o == nil {
			return unrecognized(w)
		}
		if err := p.give(o); err != nil {
			return err
		}
		if p.pending != nil && i+1 < len(letters) {
			p.setValue(string(letters[i+1:]))
			return nil
		}
	}
	return nil
}

// give notes that o was given. One that takes a value waits for it.
func (p *parser) give(o *Option) error {
	if err := p.noPending(); err != nil {
		return err
	}
	if slices.Contains(p.syntax.Choice, o.Name) {
		if p.chosen != "" && p.chosen != o.Name {
			return &Error{AlreadySelected, fmt.Sprintf(
				"The option '%s' was specified but an option from this group has already been selected: '%s'", o.Name, p.chosen)}
		}
		p.chosen = o.Name
	}
	if o.Arg {
		p.pending = o
		return nil
	}
	p.out.values[o.Name] = append(p.out.values[o.Name], "")
	return nil
}

func (p *parser) setValue(v string) {
	p.out.values[p.pending.Name] = append(p.out.values[p.pending.Name], v)
	p.pending = nil
}

func (p *parser) noPending() error {
	if p.pending != nil {
		return &Error{MissingArgument, "Missing argument for option: " + p.pending.Name}
	}
	return nil
}

func unrecognized(w string) error {
	return &Error{UnrecognizedOption, "Unrecognized option: " + w}
}

func firstLetter(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// stripQuotes removes double quotes around a value that holds no other.
func stripQuotes(s string) string {
	if n := len(s); n > 1 && s[0] == '"' && s[n-1] == '"' && !strings.Contains(s[1:n-1], `"`) {
		return s[1 : n-1]
	}
	return s
}
