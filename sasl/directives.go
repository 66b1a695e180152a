package sasl

import (
	"errors"
	"fmt"
	"strings"
)

var errDirectives = errors.New("not a list of name=value")

// parseDirectives reads the tokens of DIGEST-MD5: name=value or name="value", separated by
// commas, with blanks and empty elements anywhere (RFC 2831, section 7.1). Names are in
// lower case in the result. Each may be there once, but for realm, of which the first counts.
func parseDirectives(token []byte) (map[string]string, error) {
	d := directiveScanner{rest: string(token)}
	found := map[string]string{}
	for {
		d.skip(" \t\r\n,")
		if d.rest == "" {
			return found, nil
		}
		name, value, err := d.next()
		if err != nil {
			return nil, err
		}
		name = strings.ToLower(name)
		if _, twice := found[name]; !twice {
			found[name] = value
		} else if name != "realm" {
			return nil, fmt.Errorf("%s is there twice", name)
		}
	}
}

type directiveScanner struct{ rest string }

func (d *directiveScanner) skip(chars string) { d.rest = strings.TrimLeft(d.rest, chars) }

func (d *directiveScanner) next() (name, value string, err error) {
	end := strings.IndexAny(d.rest, "= \t\r\n,\"")
	if end <= 0 {
		return "", "", errDirectives
	}
	name, d.rest = d.rest[:end], d.rest[end:]
	d.skip(" \t\r\n")
	if !strings.HasPrefix(d.rest, "=") {
		return "", "", errDirectives
	}
	d.rest = d.rest[1:]
	d.skip(" \t\r\n")
	if strings.HasPrefix(d.rest, `"`) {
		if value, err = d.quoted(); err != nil {
			return "", "", err
		}
	} else {
		end := strings.IndexAny(d.rest, " \t\r\n,")
		if end < 0 {
			end = len(d.rest)
		}
		value, d.rest = d.rest[:end], d.rest[end:]
	}
	d.skip(" \t\r\n")
	if d.rest != "" && d.rest[0] != ',' {
		return "", "", errDirectives
	}
	return name, value, nil
}

func (d *directiveScanner) quoted() (string, error) {
	var b strings.Builder
	for i := 1; i < len(d.rest); i++ {
		switch c := d.rest[i]; {
		case c == '"':
			d.rest = d.rest[i+1:]
			return b.String(), nil
		case c == '\\' && i+1 < len(d.rest):
			i++
			b.WriteByte(d.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", errDirectives
}

// quote writes a value as a quoted string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
