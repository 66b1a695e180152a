package auth

import (
	"fmt"
	"regexp"
	"strings"

	"holt/wire/javaregexp"
)

// DNRules turn the name in a certificate into that of a user
// [ssl.principal.mapping.rules]. The first rule that matches the whole name counts.
type DNRules struct{ rules []dnRule }

type dnRule struct {
	pattern     *regexp.Regexp // nil: DEFAULT, the name as it is
	replacement string
	fold        byte // L, U or 0
}

// ParseDNRules reads rules separated by commas: DEFAULT, or
// RULE:pattern/replacement/ with L or U behind it for lower or upper case.
// Patterns are regular expressions and may contain commas.
func ParseDNRules(text string) (*DNRules, error) {
	rules := &DNRules{}
	for rest := strings.TrimSpace(text); rest != ""; {
		var rule dnRule
		var err error
		switch {
		case strings.HasPrefix(rest, "DEFAULT"):
			rest = rest[len("DEFAULT"):]
		case strings.HasPrefix(rest, "RULE:"):
			if rule, rest, err = parseDNRule(rest[len("RULE:"):]); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("rule %q begins neither with DEFAULT nor with \"RULE:\"", rest)
		}
		rules.rules = append(rules.rules, rule)
		rest = strings.TrimSpace(rest)
		after, comma := strings.CutPrefix(rest, ",")
		if rest != "" && !comma {
			return nil, fmt.Errorf("a comma is missing before %q", rest)
		}
		rest = strings.TrimSpace(after)
	}
	return rules, nil
}

// parseDNRule reads pattern/replacement/[LU] off text.
func parseDNRule(text string) (rule dnRule, rest string, err error) {
	pattern, rest, ok := cutUnescaped(text)
	replacement, rest, ok2 := cutUnescaped(rest)
	if !ok || !ok2 {
		return rule, "", fmt.Errorf("rule %q is not of the form RULE:pattern/replacement/", text)
	}
	if rule.pattern, err = regexp.Compile("^(?:" + pattern + ")$"); err != nil {
		return rule, "", fmt.Errorf("rule %q: %w", pattern, err)
	}
	rule.replacement = javaregexp.Replacement(replacement)
	if rest != "" && (rest[0] == 'L' || rest[0] == 'U') {
		rule.fold, rest = rest[0], rest[1:]
	}
	return rule, rest, nil
}

// cutUnescaped cuts at the first slash without a backslash before it.
func cutUnescaped(s string) (before, after string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '/':
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// Map returns the user's name for a subject. ok is false if there are rules and none
// matches: such a client is nobody. A nil receiver leaves the name as it is.
func (r *DNRules) Map(name string) (user string, ok bool) {
	if r == nil {
		return name, true
	}
	for _, rule := range r.rules {
		if rule.pattern == nil {
			return name, true
		}
		if !rule.pattern.MatchString(name) {
			continue
		}
		user = rule.pattern.ReplaceAllString(name, rule.replacement)
		switch rule.fold {
		case 'L':
			user = strings.ToLower(user)
		case 'U':
			user = strings.ToUpper(user)
		}
		return user, true
	}
	return "", false
}
