package auth

import (
	"fmt"
	"strings"
)

// Principal is who a client is.
type Principal struct {
	Type string // User, nearly always
	Name string
}

// Anonymous is the principal of a client that was not asked who it is.
func Anonymous() Principal { return Principal{"User", "ANONYMOUS"} }

// User is the principal of a user's name.
func User(name string) Principal { return Principal{"User", name} }

// String is Type:Name.
func (p Principal) String() string { return p.Type + ":" + p.Name }

// ParsePrincipal reads Type:Name.
func ParsePrincipal(s string) (Principal, error) {
	kind, name, ok := strings.Cut(s, ":")
	if !ok || kind == "" {
		return Principal{}, fmt.Errorf("principal %q is not of the form User:name", s)
	}
	return Principal{kind, name}, nil
}

// ParsePrincipals reads a list of principals separated by semicolons, the form of
// super.users: a distinguished name has commas of its own.
func ParsePrincipals(s string) ([]Principal, error) {
	var all []Principal
	for part := range strings.SplitSeq(s, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		p, err := ParsePrincipal(part)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
