package sasl

import (
	"fmt"
	"strings"
)

// LoginModule is one entry of a JAAS configuration.
type LoginModule struct {
	Class   string // as org.apache.kafka.common.security.plain.PlainLoginModule
	Flag    string // required, nearly always
	Options map[string]string
}

// PlainUsers are the users that a PlainLoginModule names by user_NAME="password".
func (m LoginModule) PlainUsers() map[string]string {
	users := map[string]string{}
	for key, value := range m.Options {
		if name, ok := strings.CutPrefix(key, "user_"); ok {
			users[name] = value
		}
	}
	return users
}

// ParseJAASLine reads the value of a sasl.jaas.config setting: login modules, each
// ended by a semicolon.
func ParseJAASLine(text string) ([]LoginModule, error) {
	s := jaasScanner{text: text}
	var modules []LoginModule
	for {
		word, kind := s.next()
		if kind == jaasEnd {
			break
		}
		m, err := s.module(word, kind)
		if err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	if len(modules) == 0 {
		return nil, fmt.Errorf("JAAS configuration: no login module")
	}
	return modules, nil
}

// ParseJAASFile reads a file of sections NAME { modules };. The broker's is KafkaServer,
// or, for one listener, its name in lower case and .KafkaServer.
func ParseJAASFile(text string) (map[string][]LoginModule, error) {
	s := jaasScanner{text: text}
	sections := map[string][]LoginModule{}
	for {
		name, kind := s.next()
		if kind == jaasEnd {
			return sections, nil
		}
		if open, _ := s.next(); kind != jaasWord || open != "{" {
			return nil, s.errorf("a section begins with NAME {")
		}
		for {
			word, kind := s.next()
			if word == "}" && kind == jaasPunct {
				break
			}
			m, err := s.module(word, kind)
			if err != nil {
				return nil, err
			}
			sections[name] = append(sections[name], m)
		}
		if end, _ := s.next(); end != ";" {
			return nil, s.errorf("a section ends with };")
		}
	}
}

// JAASError is what is wrong with a JAAS configuration, and the line where that shows.
type JAASError struct {
	Line int
	Text string
}

func (e *JAASError) Error() string {
	return fmt.Sprintf("JAAS configuration, line %d: %s", e.Line, e.Text)
}

type jaasKind uint8

const (
	jaasEnd jaasKind = iota
	jaasWord
	jaasPunct // = ; { }
	jaasBad
)

type jaasScanner struct {
	text string
	pos  int
}

func (s *jaasScanner) errorf(format string, args ...any) error {
	line := 1 + strings.Count(s.text[:min(s.pos, len(s.text))], "\n")
	return &JAASError{Line: line, Text: fmt.Sprintf(format, args...)}
}

// module reads an entry whose first word was read.
func (s *jaasScanner) module(class string, kind jaasKind) (LoginModule, error) {
	m := LoginModule{Class: class, Options: map[string]string{}}
	if kind != jaasWord {
		return m, s.errorf("the class of a login module is missing")
	}
	if m.Flag, kind = s.next(); kind != jaasWord {
		return m, s.errorf("after %s one of required, requisite, sufficient, optional is missing", class)
	}
	switch strings.ToLower(m.Flag) {
	case "required", "requisite", "sufficient", "optional":
	default:
		return m, s.errorf("%q is none of required, requisite, sufficient, optional", m.Flag)
	}
	for {
		key, kind := s.next()
		switch {
		case kind == jaasPunct && key == ";":
			return m, nil
		case kind != jaasWord:
			return m, s.errorf("a login module ends with a semicolon")
		}
		if equals, _ := s.next(); equals != "=" {
			return m, s.errorf("an = is missing after %s", key)
		}
		value, kind := s.next()
		switch {
		case kind == jaasBad:
			return m, s.errorf("the value of %s has a quotation mark at its beginning and none at its end", key)
		case kind != jaasWord:
			return m, s.errorf("the value of %s is missing", key)
		}
		m.Options[key] = value
	}
}

// next returns the next word, quotes removed, or mark.
func (s *jaasScanner) next() (string, jaasKind) {
	s.skip()
	if s.pos >= len(s.text) {
		return "", jaasEnd
	}
	switch c := s.text[s.pos]; {
	case strings.IndexByte("=;{}", c) >= 0:
		s.pos++
		return string(c), jaasPunct
	case c == '"' || c == '\'':
		return s.quoted(c)
	}
	start := s.pos
	for s.pos < len(s.text) && strings.IndexByte(" \t\r\n\f=;{}\"'", s.text[s.pos]) < 0 {
		s.pos++
	}
	return s.text[start:s.pos], jaasWord
}

// quoted reads to the end of the quotes, which have to be in one line, as for Java.
func (s *jaasScanner) quoted(quote byte) (string, jaasKind) {
	var b strings.Builder
	for s.pos++; s.pos < len(s.text) && s.text[s.pos] != '\n'; s.pos++ {
		switch c := s.text[s.pos]; {
		case c == quote:
			s.pos++
			return b.String(), jaasWord
		case c == '\\' && s.pos+1 < len(s.text):
			s.pos++
			b.WriteByte(s.text[s.pos])
		default:
			b.WriteByte(c)
		}
	}
	return "", jaasBad
}

// skip passes blanks and comments.
func (s *jaasScanner) skip() {
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		switch {
		case strings.IndexByte(" \t\r\n\f", rest[0]) >= 0:
			s.pos++
		case strings.HasPrefix(rest, "//"), rest[0] == '#':
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest) - 1
			}
			s.pos += end + 1
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				end = len(rest) - 2
			}
			s.pos += end + 2
		default:
			return
		}
	}
}
