package properties

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const text = "# comment\r\n! another\n\n" +
		"a=1\n" +
		"  b : two words \n" +
		"c three\n" +
		"d\n" +
		"e = x\\\n    y\n" +
		"f\\ g\\=h = \\u00fc\\t\\\\z\\q\n" +
		"path=C:\\\\dir\n" +
		"a=last\n" +
		"emoji=\\ud83d\\ude00\n" +
		"open=\\"
	want := []Pair{{"a", "last"}, {"b", "two words "}, {"c", "three"}, {"d", ""}, {"e", "xy"}, {"f g=h", "ü\t\\zq"},
		{"path", `C:\dir`}, {"emoji", "😀"}, {"open", ""}}
	got, err := Parse(text)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	for _, bad := range []string{`a=\u12`, `a=\uxyzw`} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) succeeds", bad)
		}
	}
}

// TestHashOrder compares with the order in which Java 17 hands out the same keys.
func TestHashOrder(t *testing.T) {
	tests := map[int]string{
		3:  "2 1 3 version",
		5:  "2 1 5 4 3 version",
		12: "version 10 11 2 1 12 6 5 4 3 9 8 7",
		20: "18 19 16 17 version 10 11 20 2 14 1 15 12 13 6 5 4 3 9 8 7",
	}
	for n, want := range tests {
		var pairs []Pair
		for i := range n {
			pairs = append(pairs, Pair{Key: fmt.Sprintf("server.%d", i+1)})
		}
		pairs = append(pairs, Pair{Key: "version"})
		HashOrder(pairs)
		var keys []string
		for _, p := range pairs {
			keys = append(keys, strings.TrimPrefix(p.Key, "server."))
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%d servers: got %s, want %s", n, got, want)
		}
	}
}
