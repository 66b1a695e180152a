package auth

import (
	"strings"
	"testing"
)

// TestIdentity is what stands in ACLs for who logged in. ZooKeeper's KerberosName gives the same,
// but for "no rule", where it takes what the client wants to be.
func TestIdentity(t *testing.T) {
	def := SASLConfig{DefaultRealm: "HOME"}
	rules := func(r string) SASLConfig { return SASLConfig{DefaultRealm: "HOME", Rules: r} }
	for _, c := range []struct {
		cfg        SASLConfig
		name, want string // want "": an error
	}{
		{def, "bob", "bob"},
		{def, "bob/x", "bob/x"}, // without a realm it is all name
		{def, "bob@HOME", "bob@HOME"},
		{def, "zk/h1@HOME", "zk/h1@HOME"},
		{def, "zk/@HOME", "zk/@HOME"},
		{def, "bob@AWAY", "bob@AWAY"}, // no rule
		{def, "a@b@c", ""},
		{def, "a/b/c@d", ""},
		{def, "a@b/c", ""},
		{SASLConfig{}, "bob@HOME", "bob@HOME"},
		{SASLConfig{}, "bob@", "bob@"},
		{SASLConfig{DefaultRealm: "HOME", RemoveRealm: true}, "zk/h1@HOME", "zk/h1"},
		{SASLConfig{DefaultRealm: "HOME", RemoveHost: true}, "zk/h1@HOME", "zk@HOME"},
		{SASLConfig{DefaultRealm: "HOME", RemoveHost: true, RemoveRealm: true}, "zk/h1@HOME", "zk"},
		{SASLConfig{DefaultRealm: "HOME", RemoveHost: true, RemoveRealm: true}, "zk/h1@AWAY", "zk/h1@AWAY"},
		{rules("RULE:[1:$1@$0](.*@AWAY)s/@.*// DEFAULT"), "bob@AWAY", "bob@AWAY"},
		{SASLConfig{Rules: "RULE:[1:$1@$0](.*@AWAY)s/@.*//", RemoveRealm: true}, "bob@AWAY", "bob"},
		{SASLConfig{Rules: "RULE:[2:$1-$2]", RemoveRealm: true, RemoveHost: true}, "zk/h1@AWAY", "zk-h1"},
		{SASLConfig{Rules: "RULE:[2:$1-$2]", RemoveRealm: true, RemoveHost: true}, "zk@AWAY", "zk@AWAY"},
		{SASLConfig{Rules: "RULE:[1:$1](b.b)s/b/x/", RemoveRealm: true}, "bob@A", "xob"},
		{SASLConfig{Rules: "RULE:[1:$1](b.b)s/b/x/g", RemoveRealm: true}, "bob@A", "xox"},
		{SASLConfig{Rules: "RULE:[1:$1]s/(b)(o)/$2$1\\$/", RemoveRealm: true}, "bob@A", "ob$b"},
		{SASLConfig{Rules: "RULE:[1:$1]s/(b)(o)/\\$1/", RemoveRealm: true}, "bob@A", "$1b"},
		{SASLConfig{Rules: "RULE:[1:$1](o)s/b/x/ RULE:[1:u-$1]", RemoveRealm: true}, "bob@A", "u-bob"}, // a match is of all
		{SASLConfig{Rules: "RULE:[1:$1@$0]", RemoveRealm: true}, "bob@A", "bob@A"},                     // not a simple name
	} {
		s, err := newSASLServer(&c.cfg)
		if err != nil {
			t.Errorf("%+v: %v", c.cfg, err)
			continue
		}
		got, err := s.identity(c.name)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %s is %q, %v, want %q", c.cfg, c.name, got, err, c.want)
		}
	}
}

func TestRules(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		" DEFAULT ":                          "",
		"RULE:[1:$1]RULE:[2:$1]DEFAULT":      "",
		"RULE:[1:$1@$0](.*)s/a/b/g\nDEFAULT": "",
		"RULE":                               "neither DEFAULT nor",
		"RULE:[1:$1] nonsense":               `"nonsense" is neither`,
		"RULE:[3:$1]":                        "1 or 2",
		"RULE:[1:$2]":                        "there is no $2",
		"RULE:[1:$1]((?=x))":                 "regexp",
		"RULE:[1:$1]s/[/x/":                  "regexp",
		"default":                            "neither",
	} {
		err := ParseRules(text)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add("RULE:[2:$1;$2](.*;h)s/;.*/x/g DEFAULT", "zk/h@R")
	f.Fuzz(func(t *testing.T, rules, name string) {
		s, err := newSASLServer(&SASLConfig{Rules: rules, DefaultRealm: "R"})
		if err != nil {
			return
		}
		if _, err := s.identity(name); err == nil && strings.Count(name, "@") > 1 {
			t.Errorf("%q is a principal", name)
		}
	})
}
