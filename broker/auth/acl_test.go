package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// parsePattern reads "topic:orders", "topic:orders*" (prefixed), "topic:*" or "cluster".
func parsePattern(t *testing.T, s string) Pattern {
	t.Helper()
	kinds := map[string]ResourceType{"topic": Topic, "group": Group, "cluster": Cluster, "txn": TransactionalID}
	kind, name, _ := strings.Cut(s, ":")
	p := Pattern{kinds[kind], name, Literal}
	if p.Type == Cluster {
		p.Name = ClusterName
	}
	if prefix, ok := strings.CutSuffix(name, "*"); ok && prefix != "" {
		p.Name, p.Kind = prefix, Prefixed
	}
	if p.Type == UnknownResource {
		t.Fatalf("pattern %q", s)
	}
	return p
}

var operations = map[string]Operation{
	"all": AllOperations, "read": Read, "write": Write, "create": Create, "delete": Delete, "alter": Alter, "describe": Describe,
	"describe-configs": DescribeConfigs, "alter-configs": AlterConfigs, "idempotent-write": IdempotentWrite, "cluster-action": ClusterAction,
}

// rules makes an authorizer of lines "allow User:a HOST OPERATION PATTERN".
func rules(t *testing.T, everyone bool, lines ...string) *Authorizer {
	t.Helper()
	all := map[Pattern][]Rule{}
	for _, line := range lines {
		f := strings.Fields(line)
		r := Rule{Principal: f[1], Host: f[2], Operation: operations[f[3]], Permission: Allow}
		if f[0] == "deny" {
			r.Permission = Deny
		}
		p := parsePattern(t, f[4])
		all[p] = append(all[p], r)
	}
	a := NewAuthorizer([]Principal{{Type: "User", Name: "root"}}, everyone)
	for p, r := range all {
		a.Set(p, r)
	}
	return a
}

func TestAllowed(t *testing.T) {
	for _, test := range []struct {
		rules    string // separated by commas
		everyone bool   // allow.everyone.if.no.acl.found
		ask      string // NAME HOST OPERATION PATTERN
		want     bool
	}{
		{"", false, "a h read topic:t", false},
		{"", true, "a h read topic:t", true},
		{"", false, "root h alter cluster", true},
		{"deny User:root * all topic:*", false, "root h read topic:t", true},
		{"allow User:a * read topic:t", false, "a h read topic:t", true},
		{"allow User:a * read topic:t", false, "b h read topic:t", false},
		{"allow User:a * read topic:t", true, "b h read topic:t", false}, // there is a rule, though not for b
		{"allow User:a * read topic:t", true, "b h read topic:u", true},
		{"allow User:a * read topic:t", false, "a h read group:t", false},
		{"allow User:a * read topic:t", false, "a h write topic:t", false},
		{"allow User:a 1.2.3.4 read topic:t", false, "a 1.2.3.4 read topic:t", true},
		{"allow User:a 1.2.3.4 read topic:t", false, "a 1.2.3.5 read topic:t", false},
		{"allow User:* * read topic:*", false, "a h read topic:t", true},
		{"allow User:a * all topic:t", false, "a h alter-configs topic:t", true},
		{"allow User:a * read topic:pay*", false, "a h read topic:payments", true},
		{"allow User:a * read topic:pay*", false, "a h read topic:pay", true},
		{"allow User:a * read topic:pay*", false, "a h read topic:pa", false},
		{"allow User:a * read topic:p*,allow User:a * write topic:pay*", false, "a h write topic:payments", true},
		// A denial wins, wherever it stands.
		{"allow User:a * all topic:t,deny User:a * read topic:t", false, "a h read topic:t", false},
		{"allow User:a * all topic:t,deny User:a * read topic:*", false, "a h read topic:t", false},
		{"allow User:a * all topic:t,deny User:a * read topic:*", false, "a h write topic:t", true},
		{"allow User:a * all topic:payments,deny User:* * all topic:pay*", false, "a h read topic:payments", false},
		{"allow User:a * all topic:t,deny User:a 1.2.3.4 read topic:t", false, "a h read topic:t", true},
		// What implies what; a denial implies nothing.
		{"allow User:a * read topic:t", false, "a h describe topic:t", true},
		{"allow User:a * write topic:t", false, "a h describe topic:t", true},
		{"allow User:a * delete topic:t", false, "a h describe topic:t", true},
		{"allow User:a * alter topic:t", false, "a h describe topic:t", true},
		{"allow User:a * create topic:t", false, "a h describe topic:t", false},
		{"allow User:a * describe topic:t", false, "a h read topic:t", false},
		{"allow User:a * alter-configs topic:t", false, "a h describe-configs topic:t", true},
		{"allow User:a * describe topic:t,deny User:a * read topic:t", false, "a h describe topic:t", true},
	} {
		a := rules(t, test.everyone, strings.FieldsFunc(test.rules, func(r rune) bool { return r == ',' })...)
		f := strings.Fields(test.ask)
		p := parsePattern(t, f[3])
		if got := a.Allowed(Principal{Type: "User", Name: f[0]}, f[1], operations[f[2]], p.Type, p.Name); got != test.want {
			t.Errorf("rules %q, else %v: %s: %v", test.rules, test.everyone, test.ask, got)
		}
	}
}

func TestAllowedSomewhere(t *testing.T) {
	for _, test := range []struct {
		rules string
		want  bool
	}{
		{"", false},
		{"allow User:a * write topic:t", true},
		{"allow User:a * read topic:t", false},
		{"allow User:b * write topic:t", false},
		{"allow User:a * write group:t", false},
		{"allow User:a * write topic:t,deny User:a * write topic:t", false},
		{"allow User:a * write topic:t,deny User:a * write topic:*", false},
		{"allow User:a * write topic:pay*,deny User:a * write topic:p*", false},
		{"allow User:a * write topic:p*,deny User:a * write topic:pay*", true},
		{"allow User:a * write topic:*,deny User:a * write topic:pay*", true},
	} {
		a := rules(t, false, strings.FieldsFunc(test.rules, func(r rune) bool { return r == ',' })...)
		if got := a.AllowedSomewhere(Principal{Type: "User", Name: "a"}, "h", Write, Topic); got != test.want {
			t.Errorf("rules %q: %v", test.rules, got)
		}
	}
}

// TestSetReplaces: no rules for a pattern are none, for prefixes too.
func TestSetReplaces(t *testing.T) {
	a := rules(t, false, "allow User:a * read topic:p*", "allow User:a * read topic:t")
	a.Set(Pattern{Topic, "p", Prefixed}, nil)
	a.Set(Pattern{Topic, "t", Literal}, []Rule{{"User:b", Wildcard, Read, Allow}})
	for name, want := range map[string]bool{"p1": false, "t": false} {
		if got := a.Allowed(Principal{Type: "User", Name: "a"}, "h", Read, Topic, name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFilter(t *testing.T) {
	a := rules(t, false, "allow User:a * read topic:pay*", "deny User:b * write topic:payments", "allow User:a * read topic:*", "allow User:a * read group:g")
	open := Filter{Type: AnyResource, Kind: AnyPattern, Operation: AnyOperation, Permission: AnyPermission}
	for _, test := range []struct {
		change func(*Filter)
		want   int
	}{
		{func(*Filter) {}, 4},
		{func(f *Filter) { f.Type = Group }, 1},
		{func(f *Filter) { f.Principal = "User:b" }, 1},
		{func(f *Filter) { f.Permission = Deny }, 1},
		{func(f *Filter) { f.Operation = Read }, 3},
		{func(f *Filter) { f.Type, f.Name, f.Kind = Topic, "payments", Literal }, 1},
		{func(f *Filter) { f.Type, f.Name, f.Kind = Topic, "payments", MatchPattern }, 3},
		{func(f *Filter) { f.Type, f.Name, f.Kind = Topic, "pay", MatchPattern }, 2},
		{func(f *Filter) { f.Type, f.Name, f.Kind = Topic, "pay", Prefixed }, 1},
	} {
		f := open
		test.change(&f)
		if got := a.Bindings(f); len(got) != test.want {
			t.Errorf("%+v: %d, %v", f, len(got), got)
		}
	}
}

// TestNobodyAuthorizes: a broker without an authorizer allows all and has no rules.
func TestNobodyAuthorizes(t *testing.T) {
	var a *Authorizer
	if !a.Allowed(Principal{}, "h", Alter, Cluster, ClusterName) || a.Bindings(Filter{}) != nil {
		t.Error("a nil authorizer refuses or has rules")
	}
}

func TestAllowedOperations(t *testing.T) {
	a := rules(t, false, "allow User:a * read group:g")
	var got []Operation
	bits := a.AllowedOperations(Principal{Type: "User", Name: "a"}, "h", Group, "g")
	for op := range Operation(31) {
		if bits&(1<<op) != 0 {
			got = append(got, op)
		}
	}
	if want := []Operation{Read, Describe}; !slices.Equal(got, want) {
		t.Error(fmt.Sprint(got, " want ", want))
	}
}
