package compare

import (
	"fmt"
	"strings"
)

// String writes the script as Parse reads it.
func (s Script) String() string {
	var b strings.Builder
	for i := range s {
		if s[i].Break {
			b.WriteString("--\n")
		}
		b.WriteString(s[i].String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String writes the step as a line that Parse reads.
func (s *Step) String() string {
	switch s.Action {
	case ActWait:
		return "wait " + s.Wait.String()
	case ActWord:
		text := "word " + s.Word[:min(4, len(s.Word))]
		if len(s.Word) > 4 {
			text += fmt.Sprintf(" %x", s.Word[4:])
		}
		if s.At != "" {
			text += " at=" + s.At
		}
		return strings.Join(append([]string{text}, s.Via.text()...), " ")
	}
	b := []string{s.Client}
	if s.Xid != 0 {
		b = append(b, fmt.Sprintf("xid=%d", s.Xid))
	}
	if s.Cut >= 0 && s.Action == ActRequest {
		b = append(b, fmt.Sprintf("cut=%d", s.Cut))
	}
	for _, f := range s.Flip {
		b = append(b, fmt.Sprintf("flip=%d:%02x", f.at, f.to))
	}
	switch s.Action {
	case ActConnect:
		b = append(b, "connect")
		if s.At != "" {
			b = append(b, "at="+s.At)
		}
		b = append(b, s.Via.text()...)
		b = append(b, s.Connect.text()...)
	case ActDrop:
		b = append(b, "drop")
	case ActFrame:
		b = append(b, fmt.Sprintf("frame %x", s.Raw))
	case ActBytes:
		b = append(b, fmt.Sprintf("bytes %x", s.Raw))
	case ActTree:
		b = append(b, "tree", quote(s.path()))
	case ActRemove:
		b = append(b, "remove", quote(s.path()))
	default:
		b = append(b, s.requestText())
	}
	return strings.Join(b, " ")
}

// requestText writes op code and fields.
func (s *Step) requestText() string {
	if s.Op == nil {
		return strings.TrimSpace(fmt.Sprintf("op %d %x", s.Code, s.Raw))
	}
	b := []string{s.Op.name}
	var named []string
	for i, f := range s.Op.fields {
		text := s.Args[i].text(f.kind)
		switch {
		case f.name == "":
			b = append(b, text)
		case f.kind == typeBool && s.Args[i].n != 0:
			named = append(named, f.name)
		case f.kind != typeBool && text != f.standard:
			named = append(named, f.name+"="+text)
		}
	}
	b = append(b, named...)
	for i := range s.Parts {
		b = append(b, "["+s.Parts[i].requestText()+"]")
	}
	return strings.Join(b, " ")
}

func (a *connectArgs) text() []string {
	var b []string
	add := func(when bool, format string, v ...any) {
		if when {
			b = append(b, fmt.Sprintf(format, v...))
		}
	}
	add(a.timeout != 30000, "timeout=%d", a.timeout)
	add(a.zxid != 0, "zxid=%s", zxidText(a.zxid))
	add(a.session != "", "session=%s", a.session)
	add(a.id != 0, "id=%d", a.id)
	add(a.passwd != "", "passwd=%s", a.passwd)
	add(a.readOnly, "readonly")
	add(a.old, "old")
	add(a.cut >= 0, "cut=%d", a.cut)
	return b
}
