package suites

import (
	"fmt"
	"path"
	"strings"

	"holt/compat/ensemble"
)

// exception says that a test, or all whose names a pattern matches, fails.
type exception struct {
	suite   string
	servers string // "holt", "zookeeper" or "both"
	pattern string // of path.Match
	reason  string
}

// parseExceptions reads lines of four fields: suite, servers, pattern, and the reason, which is
// the rest. Blank lines and those that begin with # are comments.
func parseExceptions(text string) ([]exception, error) {
	var list []exception
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
		e := exception{suite: f[0], servers: f[1], pattern: f[2], reason: strings.Join(f[3:], " ")}
		if e.servers != "both" {
			if _, err := ensemble.ParseKind(e.servers); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		if _, err := path.Match(e.pattern, ""); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		list = append(list, e)
	}
	return list, nil
}

// covers tells whether e is about test of suite on servers of kind.
func (e *exception) covers(suite string, kind ensemble.Kind, test string) bool {
	ok, _ := path.Match(e.pattern, test) // parseExceptions has tried the pattern
	return ok && e.suite == suite && (e.servers == "both" || e.servers == string(kind))
}
