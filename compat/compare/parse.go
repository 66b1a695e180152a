package compare

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"holt/wire"
)

// Parse reads a script, one step a line. Blank lines and what follows a # at the start of a line
// are passed over.
//
//	CLIENT connect [at=MEMBER] [VIA]... [timeout=MS] [zxid=Z] [session=CLIENT] [id=N] [passwd=wrong|null|short] [readonly] [old] [cut=N]
//	CLIENT drop                          close the connection, keep the session
//	CLIENT [xid=N] [cut=N] [flip=AT:TO]... REQUEST
//	CLIENT [xid=N] op CODE [HEX]         a request with any op code and body
//	CLIENT frame HEX                     any payload
//	CLIENT bytes HEX                     any bytes
//	CLIENT tree PATH                     read every node from PATH down
//	CLIENT remove PATH                   delete everything below PATH, and PATH
//	--                                   what follows is not sent before all of the above is answered
//	wait DURATION
//	word FOUR [HEX] [at=MEMBER] [VIA]... a four-letter word, and bytes behind it
//
// MEMBER is leader, follower or follower2, of an ensemble. VIA is how the connection is made, of servers
// with a port for TLS:
//
//	tls                by TLS, and to the port for that
//	cert=NAME          likewise, with that certificate, see Secure.Client
//	version=1.2|1.3    likewise, in that version alone
//	port=plain|secure  to that port, whatever is spoken
//
// REQUEST is the name of an operation and its fields as specs lists them: fields without a
// name in order, then name=value for those that differ from the default. Values:
//
//	strings   as they are, or quoted as in Go; null
//	data      quoted as in Go, or C*N for N times the character C; null
//	ACLs      SCHEME:ID:PERMS,...  with PERMS of the letters cdrwa or a number; []; null
//	zxids     +N counted from the start of the script, last, ahead, or a number as it is
//	lists     A,B,...; []; null
//	parts     of multi and multiRead: [REQUEST] [REQUEST] ...
func Parse(text string) (Script, error) {
	p := parser{language: newLanguage()}
	var s Script
	brk := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if line == "--" {
			brk = true
			continue
		}
		step, err := p.line(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", i+1, line, err)
		}
		step.Break, brk = brk, false
		s = append(s, step)
	}
	return s, nil
}

// parser reads the tokens of one line.
type parser struct {
	*language
	tokens []string
}

// next takes a token; "" when there is none left.
func (p *parser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *parser) line(line string) (Step, error) {
	var err error
	if p.tokens, err = tokens(line); err != nil {
		return Step{}, err
	}
	s := Step{Cut: -1, Client: p.next()}
	switch s.Client {
	case "wait":
		s.Client, s.Action = "", ActWait
		s.Wait, err = time.ParseDuration(p.next())
	case "word":
		s.Client, s.Action, s.Word = "", ActWord, p.next()
		for err == nil && len(p.tokens) > 0 {
			var more []byte
			token := p.next()
			if at, ok := strings.CutPrefix(token, "at="); ok {
				s.At = at
			} else if s.Via.take(token) {
				continue
			} else if more, err = hex.DecodeString(token); err == nil {
				s.Word += string(more)
			}
		}
	default:
		err = p.action(&s)
	}
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("left over: %q", p.tokens)
	}
	return s, err
}

func (p *parser) action(s *Step) (err error) {
	if err := p.modifiers(s); err != nil {
		return err
	}
	switch verb := p.next(); verb {
	case "connect":
		s.Action = ActConnect
		return p.connect(s)
	case "drop":
		s.Action = ActDrop
	case "frame", "bytes":
		s.Action = ActFrame
		if verb == "bytes" {
			s.Action = ActBytes
		}
		s.Raw, err = hex.DecodeString(p.next())
		return err
	case "tree", "remove":
		s.Action = ActTree
		if verb == "remove" {
			s.Action = ActRemove
		}
		v, err := parseValue(p.next(), typeString)
		s.Args = []value{v}
		return err
	case "op":
		code, err := strconv.ParseInt(p.next(), 10, 32)
		if err != nil {
			return err
		}
		s.Code = wire.OpCode(code)
		s.Raw, err = hex.DecodeString(p.next())
		return err
	default:
		return p.request(s, verb)
	}
	return nil
}

// modifiers reads what may precede a request.
func (p *parser) modifiers(s *Step) error {
	for len(p.tokens) > 0 {
		name, v, ok := strings.Cut(p.tokens[0], "=")
		if !ok {
			return nil
		}
		p.next()
		switch name {
		case "xid":
			n, err := strconv.ParseInt(v, 10, 32)
			if err != nil {
				return err
			}
			s.Xid = int32(n)
		case "cut":
			n, err := strconv.Atoi(v)
			if err != nil {
				return err
			}
			s.Cut = n
		case "flip":
			var f flip
			if _, err := fmt.Sscanf(v, "%d:%x", &f.at, &f.to); err != nil {
				return err
			}
			s.Flip = append(s.Flip, f)
		default:
			return fmt.Errorf("unknown modifier %q", name)
		}
	}
	return nil
}

func (p *parser) request(s *Step, verb string) error {
	s.Op = p.byName[verb]
	if s.Op == nil {
		return fmt.Errorf("unknown request %q", verb)
	}
	s.Code, s.Args = s.Op.code, make([]value, len(s.Op.fields))
	if s.Code == wire.OpMulti || s.Code == wire.OpMultiRead {
		return p.parts(s)
	}
	for i, f := range s.Op.fields {
		text := f.standard
		if f.name == "" {
			text = p.next()
			if text == "" {
				return fmt.Errorf("%s wants more fields", verb)
			}
		}
		if f.kind == typeBool {
			continue
		}
		var err error
		if s.Args[i], err = parseValue(text, f.kind); err != nil {
			return err
		}
	}
	for len(p.tokens) > 0 {
		if err := p.named(s, p.next()); err != nil {
			return err
		}
	}
	return nil
}

// named sets a field by its name.
func (p *parser) named(s *Step, token string) (err error) {
	name, text, ok := strings.Cut(token, "=")
	for i, f := range s.Op.fields {
		switch {
		case f.name != name || name == "":
		case f.kind == typeBool && !ok:
			s.Args[i].n = 1
			return nil
		case ok && f.kind != typeBool:
			s.Args[i], err = parseValue(text, f.kind)
			return err
		}
	}
	return fmt.Errorf("%s has no field %q", s.Op.name, token)
}

// parts reads the requests of a multi.
func (p *parser) parts(s *Step) error {
	for len(p.tokens) > 0 {
		t := p.next()
		inner, ok := strings.CutPrefix(t, "[")
		inner, ok2 := strings.CutSuffix(inner, "]")
		if !ok || !ok2 {
			return fmt.Errorf("part %q is not in brackets", t)
		}
		sub := parser{language: p.language}
		var err error
		if sub.tokens, err = tokens(inner); err != nil {
			return err
		}
		part := Step{Cut: -1}
		if verb := sub.next(); verb == "op" {
			code, err := strconv.ParseInt(sub.next(), 10, 32)
			if err != nil {
				return err
			}
			part.Code = wire.OpCode(code)
			if part.Raw, err = hex.DecodeString(sub.next()); err != nil {
				return err
			}
		} else if err := sub.request(&part, verb); err != nil {
			return err
		}
		s.Parts = append(s.Parts, part)
	}
	return nil
}

func (p *parser) connect(s *Step) (err error) {
	a := &s.Connect
	a.timeout, a.cut = 30000, -1
	for len(p.tokens) > 0 {
		token := p.next()
		if s.Via.take(token) {
			continue
		}
		name, text, _ := strings.Cut(token, "=")
		var n int64
		switch name {
		case "at":
			s.At = text
		case "readonly":
			a.readOnly = true
		case "old":
			a.old = true
		case "session":
			a.session = text
		case "passwd":
			a.passwd = text
		case "zxid":
			a.zxid, err = parseZxid(text)
		case "timeout":
			n, err = strconv.ParseInt(text, 0, 32)
			a.timeout = int32(n)
		case "id":
			a.id, err = strconv.ParseInt(text, 0, 64)
		case "cut":
			a.cut, err = strconv.Atoi(text)
		default:
			return fmt.Errorf("connect has no field %q", token)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
