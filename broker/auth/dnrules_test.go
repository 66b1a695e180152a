package auth

import "testing"

// TestDNRules: rules and names as Kafka's documentation of ssl.principal.mapping.rules has them.
func TestDNRules(t *testing.T) {
	const serviceUsers = "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/,RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L,RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L,DEFAULT"
	for _, tc := range []struct{ rules, name, want string }{ // want "": nobody
		{"", "CN=alice,O=Example", ""},
		{"DEFAULT", "CN=alice,O=Example", "CN=alice,O=Example"},
		{serviceUsers, "CN=serviceuser,OU=ServiceUsers,O=Unknown,L=Unknown,ST=Unknown,C=Unknown", "serviceuser"},
		{serviceUsers, "CN=adminUser,OU=Admin,O=Unknown,L=Unknown,ST=Unknown,C=Unknown", "adminuser@admin"},
		{serviceUsers, "O=Example", "O=Example"},
		{"RULE:^CN=(.*)$/$1/U", "CN=Bob", "BOB"},
		{"RULE:^CN=([a-z]+),O=.*$/$1x/ , DEFAULT", "CN=bob,O=A", "bobx"},
		{"RULE:CN=bob/bob/", "CN=bob,O=A", ""}, // not the whole name
		{`RULE:^CN=([^,\/]+)\/(.*)$/$1\/$2/`, "CN=bob/admin", "bob/admin"},
		{`RULE:^CN=(.*)$/\$1=$1\\/`, "CN=bob", `$1=bob\`},
		{"RULE:^CN=(.*)$/$0/", "CN=bob", "CN=bob"},
		{"RULE:^CN=(.*)$/5$/", "CN=bob", "5$"},
	} {
		rules, err := ParseDNRules(tc.rules)
		if err != nil {
			t.Fatalf("%s: %v", tc.rules, err)
		}
		got, ok := rules.Map(tc.name)
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s of %s: got %q, %v, want %q", tc.rules, tc.name, got, ok, tc.want)
		}
	}
	var none *DNRules
	if got, ok := none.Map("CN=bob"); got != "CN=bob" || !ok {
		t.Errorf("without rules: got %q, %v", got, ok)
	}
	for _, bad := range []string{"RULE", "RULE:a", "RULE:a/b", "RULE:(/b/", "DEFAULTx", "DEFAULT RULE:a/b/", "rule:a/b/", "RULE:a/b/l"} {
		if rules, err := ParseDNRules(bad); err == nil {
			t.Errorf("%s: %+v, want an error", bad, rules)
		}
	}
}
