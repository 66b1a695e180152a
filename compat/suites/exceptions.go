package suites

import (
	"fmt"
	"path"
	"strings"

	"holt/compat/ensemble"
)

// Exception says that a test, or all whose names a pattern matches, fails.
type Exception struct {
	Suite   string
	Servers string // "holt", "zookeeper" or "both"
	Pattern string // of path.Match
	Reason  string
}

// ParseExceptions reads lines of four fields: suite, servers, pattern, and the reason, which is
// the rest. Blank lines and those that begin with # are comments.
func ParseExceptions(text string) ([]Exception, error) {
	var list []Exception
	n := 0
	for l := range strings.Lines(text) {
		n++
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		f := strings.Fields(l)
		if len(f) < 4 {
			return nil, fmt.Errorf("line %d: want suite, servers, test and reason", n)
		}
		e := Exception{Suite: f[0], Servers: f[1], Pattern: f[2], Reason: strings.Join(f[3:], " ")}
		if e.Servers != "both" {
			if _, err := ensemble.ParseKind(e.Servers); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		if _, err := path.Match(e.Pattern, ""); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		list = append(list, e)
	}
	return list, nil
}

// covers tells whether e is about test of suite on servers of kind.
func (e *Exception) covers(suite string, kind ensemble.Kind, test string) bool {
	ok, _ := path.Match(e.Pattern, test) // ParseExceptions has tried the pattern
	return ok && e.Suite == suite && (e.Servers == "both" || e.Servers == string(kind))
}
