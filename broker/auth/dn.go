package auth

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// SubjectName writes the subject of a certificate, in DER, as Java's
// X500Principal.getName does: RFC 2253, the last name first, attributes that this RFC
// does not list by number. Rules and ACLs are written for this form.
func SubjectName(der []byte) (string, error) {
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type nameSET []attribute // asn1 takes types so called for sets
	var names []nameSET
	if rest, err := asn1.Unmarshal(der, &names); err != nil {
		return "", fmt.Errorf("read name: %w", err)
	} else if len(rest) > 0 {
		return "", fmt.Errorf("read name: %d bytes too many", len(rest))
	}
	var parts []string
	for i := len(names) - 1; i >= 0; i-- {
		var alike []string
		for _, a := range names[i] {
			alike = append(alike, attributeText(a.Type.String(), a.Value))
		}
		parts = append(parts, strings.Join(alike, "+"))
	}
	return strings.Join(parts, ","), nil
}

func attributeText(oid string, value asn1.RawValue) string {
	keyword := map[string]string{"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET",
		"2.5.4.10": "O", "2.5.4.11": "OU", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID"}[oid]
	var text string
	if keyword != "" {
		if _, err := asn1.Unmarshal(value.FullBytes, &text); err != nil {
			keyword = ""
		}
	}
	if keyword == "" {
		return oid + "=#" + hex.EncodeToString(value.FullBytes)
	}
	return keyword + "=" + escapeDN(text)
}

func escapeDN(s string) string {
	var b strings.Builder
	for i, r := range s {
		edge := r == ' ' && (i == 0 || i == len(s)-1)
		if edge || r == '#' && i == 0 || strings.ContainsRune(`,+"\<>;`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

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
	rule.replacement = braceGroups(replacement)
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

// braceGroups turns Java's $1 into Go's ${1}: Go would read $1x as a group named 1x.
func braceGroups(s string) string {
	return regexp.MustCompile(`\$(\d)`).ReplaceAllString(s, "$${$1}")
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
