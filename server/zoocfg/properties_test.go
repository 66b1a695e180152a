package zoocfg

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseProperties(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"a=b", "1 a|b"},
		{"a = b ", "1 a|b"},
		{"a:b=c", "1 a|b=c"},
		{"a b", "1 a|b"},
		{"a\t:  b c", "1 a|b c"},
		{"a", "1 a|"},
		{"a=", "1 a|"},
		{"# c\n! d\n\n  e=f", "4 e|f"},
		{"  # indented comment \\\na=b", "2 a|b"},
		{"a=b\r\nc=d\re=f", "1 a|b 2 c|d 3 e|f"},
		{"a=b,\\\n   c\nd=e", "1 a|b,c 3 d|e"},
		{"a=b\\\\\nc=d", `1 a|b\ 2 c|d`},
		{"a=b\\", "1 a|b"},
		{`a\=b\:c=d`, "1 a=b:c|d"},
		{`a=C:\\zk\tx`, "1 a|C:\\zk\tx"},
		{`a=\u0041\u00e9`, "1 a|Aé"},
		{`a=\u00`, `error: f:1: \u is not followed by four hexadecimal digits; write \\ for a backslash`},
		{"x=1\na=\\uzzzz", `error: f:2: \u is not followed by four hexadecimal digits; write \\ for a backslash`},
		{"server.1=h:1:2", "1 server.1|h:1:2"},
		{"=b", "1 |b"},
	} {
		props, err := parseProperties("f", tc.in)
		var out []string
		for _, p := range props {
			out = append(out, fmt.Sprintf("%d %s|%s", p.line, p.key, p.value))
		}
		got := strings.Join(out, " ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.in, got, tc.want)
		}
	}
}
