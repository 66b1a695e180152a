package auth

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"holt/wire/javaregexp"
)

// A principal is a name as Kerberos writes it, service/host@REALM; the names of other mechanisms are
// taken for one without host and realm. What stands in ACLs is made of it:
//
//	service/host@REALM ── rules ──▶ short ── + /host, + @REALM unless removed ──▶ identity
//
// ZooKeeper: KerberosName, SaslServerCallbackHandler.
type principal struct {
	service, host, realm string
	hasHost, hasRealm    bool
}

var errPrincipal = errors.New("not of the form name, name@REALM or name/host@REALM")

func parsePrincipal(name string) (principal, error) {
	rest, realm, hasRealm := strings.Cut(name, "@")
	if !hasRealm {
		return principal{service: name}, nil
	}
	service, host, hasHost := strings.Cut(rest, "/")
	if strings.ContainsAny(realm, "/@") || strings.Contains(host, "/") {
		return principal{}, fmt.Errorf("principal %.60q: %w", name, errPrincipal)
	}
	return principal{service, host, realm, hasHost, true}, nil
}

// rule makes a short name of those principals that it is for.
type rule struct {
	isDefault  bool
	components int            // the number of names before the realm
	format     string         // with $0 for the realm, $1 and $2 for the names
	match      *regexp.Regexp // nil: every name
	from       *regexp.Regexp // nil: nothing is replaced
	to         string         // in the form of regexp.Expand
	everywhere bool
}

var errNoRule = errors.New("no rule of security.auth_to_local is for it")

// apply returns false if the rule is not for the principal.
func (r *rule) apply(p principal, defaultRealm string) (string, bool) {
	if r.isDefault {
		return p.service, p.realm == defaultRealm
	}
	names := []string{p.realm, p.service}
	if p.hasHost {
		names = append(names, p.host)
	}
	if len(names)-1 != r.components {
		return "", false
	}
	base := parameters.ReplaceAllStringFunc(r.format, func(found string) string {
		n, err := strconv.Atoi(found[1:])
		if err != nil || n >= len(names) {
			return "" // parseRules lets no such number through
		}
		return names[n]
	})
	switch {
	case r.match != nil && !r.match.MatchString(base):
		return "", false
	case r.from == nil:
		return base, true
	case r.everywhere:
		return r.from.ReplaceAllString(base, r.to), true
	}
	m := r.from.FindStringSubmatchIndex(base)
	if m == nil {
		return base, true
	}
	return base[:m[0]] + string(r.from.ExpandString(nil, r.to, base, m)) + base[m[1]:], true
}

// short applies the first rule that is for the principal.
func (p principal) short(rules []rule, defaultRealm string) (string, error) {
	if !p.hasRealm {
		return p.service, nil
	}
	for i := range rules {
		name, ok := rules[i].apply(p, defaultRealm)
		if !ok {
			continue
		}
		if strings.ContainsAny(name, "/@") {
			return "", fmt.Errorf("the short name %q is not a simple one", name)
		}
		return name, nil
	}
	return "", errNoRule
}

// The forms of a rule: DEFAULT, or RULE:[n:format](match)s/from/to/g, of which the brackets are
// a must. Read-only.
var (
	ruleForm   = regexp.MustCompile(`^\s*(?:(DEFAULT)|RULE:\[(\d+):([^\]]*)\](?:\(([^)]*)\))?(?:s/([^/]*)/([^/]*)/(g)?)?)`)
	parameters = regexp.MustCompile(`\$\d+`)
)

// ParseRules says what is wrong with rules that make short names of principals.
func ParseRules(text string) error {
	_, err := parseRules(text)
	return err
}

// parseRules reads rules, separated by blanks or nothing; none is DEFAULT.
func parseRules(text string) ([]rule, error) {
	rest := strings.TrimSpace(text)
	if rest == "" {
		return []rule{{isDefault: true}}, nil
	}
	var rules []rule
	for rest != "" {
		m := ruleForm.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("%q is neither DEFAULT nor RULE:[n:format](match)s/from/to/", rest)
		}
		r, err := makeRule(m)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(m[0]), err)
		}
		rules = append(rules, r)
		rest = strings.TrimSpace(rest[len(m[0]):])
	}
	return rules, nil
}

func makeRule(m []string) (rule, error) {
	if m[1] != "" {
		return rule{isDefault: true}, nil
	}
	r := rule{format: m[3], everywhere: m[7] != ""}
	var err error
	if r.components, err = strconv.Atoi(m[2]); err != nil || r.components < 1 || r.components > 2 {
		return rule{}, errors.New("the number of names is 1 or 2")
	}
	for _, found := range parameters.FindAllString(r.format, -1) {
		if n, err := strconv.Atoi(found[1:]); err != nil || n > r.components {
			return rule{}, fmt.Errorf("there is no %s", found)
		}
	}
	if m[4] != "" {
		if r.match, err = regexp.Compile("^(?:" + m[4] + ")$"); err != nil {
			return rule{}, err
		}
	}
	if m[5] != "" {
		if r.from, err = regexp.Compile(m[5]); err != nil {
			return rule{}, err
		}
		r.to = javaregexp.Replacement(m[6])
	}
	return r, nil
}
