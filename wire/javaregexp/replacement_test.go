package javaregexp

import (
	"regexp"
	"testing"
)

func TestReplacement(t *testing.T) {
	pattern := regexp.MustCompile(`^(b)(o)b$`)
	for java, want := range map[string]string{
		`x`:       "x",
		`$2$1`:    "ob",
		`$1x`:     "bx",
		`\$1`:     "$1", // the text, no group
		`a\\b`:    `a\b`,
		`\n`:      "n",
		`$`:       "$",
		`end\`:    `end\`,
		`$0-$1$2`: "bob-bo",
	} {
		if got := pattern.ReplaceAllString("bob", Replacement(java)); got != want {
			t.Errorf("%s gives %q, want %q", java, got, want)
		}
	}
}
