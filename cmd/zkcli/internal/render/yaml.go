package render

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// plain is what needs no quotes in YAML: it starts with a letter or a slash and holds
// nothing that YAML gives a meaning to. Words that mean something else are excepted
// below.
var plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

// yamlOf rewrites one JSON value, as encoding/json wrote it, to YAML. It needs no
// library since every JSON string is a YAML one: only the structure is laid out anew.
func yamlOf(text []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	w := yamlWriter{dec: dec}
	w.value("")
	return append(bytes.TrimLeft(w.out.Bytes(), "\n "), '\n')
}

type yamlWriter struct {
	dec *json.Decoder
	out bytes.Buffer
}

// value writes the next value behind what stands on the line; nested ones go on lines
// of their own, indented by indent.
func (w *yamlWriter) value(indent string) {
	t, err := w.dec.Token()
	if err != nil {
		panic("rewrite JSON: " + err.Error()) // it comes from encoding/json
	}
	switch t := t.(type) {
	case json.Delim:
		if !w.dec.More() {
			w.out.WriteString(map[json.Delim]string{'{': " {}", '[': " []"}[t])
		}
		for first := true; w.dec.More(); first = false {
			if t == '{' {
				w.pair(indent, first)
			} else {
				w.item(indent)
			}
		}
		if _, err := w.dec.Token(); err != nil {
			panic("rewrite JSON: " + err.Error())
		}
	case string:
		w.out.WriteString(" " + yamlString(t))
	case json.Number:
		w.out.WriteString(" " + t.String())
	case bool:
		w.out.WriteString(map[bool]string{true: " true", false: " false"}[t])
	default:
		w.out.WriteString(" null")
	}
}

func (w *yamlWriter) pair(indent string, first bool) {
	key, err := w.dec.Token()
	if err != nil {
		panic("rewrite JSON: " + err.Error())
	}
	// The first key of an object in a list stands behind the list's dash.
	if first && bytes.HasSuffix(w.out.Bytes(), []byte("-")) {
		w.out.WriteString(" ")
	} else {
		w.out.WriteString("\n" + indent)
	}
	w.out.WriteString(yamlString(key.(string)) + ":")
	w.value(indent + "  ")
}

func (w *yamlWriter) item(indent string) {
	w.out.WriteString("\n" + indent + "-")
	w.value(indent + "  ")
}

func yamlString(s string) string {
	if plain.MatchString(s) {
		switch strings.ToLower(s) {
		case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		default:
			return s
		}
	}
	return strings.TrimSuffix(string(jsonLine(s)), "\n")
}
