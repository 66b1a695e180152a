package javaprops

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

//go:embed testdata/golden.txt
var golden string // written by testdata/Load.java

// TestParseAsJava compares with what java.util.Properties makes of the same texts.
func TestParseAsJava(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(golden, "\n"), "\n")
	if len(lines) < 1000 || len(lines)%2 != 0 {
		t.Fatalf("golden.txt has %d lines", len(lines))
	}
	for ; len(lines) > 0; lines = lines[2:] {
		text, want := plain(t, lines[0]), lines[1]
		props, err := Parse("f", text)
		if want == "error" {
			if err == nil {
				t.Errorf("%q: got %v, want an error", text, props)
			}
			continue
		}
		last := Last(props)
		slices.SortFunc(last, func(a, b Property) int { return strings.Compare(a.Key, b.Key) })
		var got []string
		for _, p := range last {
			got = append(got, p.Key, p.Value)
		}
		fields := strings.Split(want, "\t")
		fields = fields[:len(fields)-1]
		for i := range fields {
			fields[i] = plain(t, fields[i])
		}
		if endsInLoneBackslash(text) { // the difference that the package comment tells
			got, fields = withoutEmptyKey(got), withoutEmptyKey(fields)
		}
		if err != nil || !slices.Equal(got, fields) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, fields)
		}
	}
}

func endsInLoneBackslash(text string) bool {
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r", "\n"), "\n")
	return strings.Trim(text[strings.LastIndexByte(text, '\n')+1:], blanks) == `\`
}

func withoutEmptyKey(pairs []string) []string {
	if len(pairs) > 0 && pairs[0] == "" {
		return pairs[2:]
	}
	return pairs
}

// plain undoes what Load.java does to print a string.
func plain(t *testing.T, s string) string {
	t.Helper()
	var units []uint16
	for i := 0; i < len(s); i++ {
		unit := uint64(s[i])
		if s[i] == '\\' {
			var err error
			if unit, err = strconv.ParseUint(s[i+1:i+5], 16, 16); err != nil {
				t.Fatal(err)
			}
			i += 4
		}
		units = append(units, uint16(unit))
	}
	return string(utf16.Decode(units))
}

func TestParsePlaces(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", ""},
		{"a=1", "1[0:3]"},
		{"a=1\nb=2\n", "1[0:4] 2[4:8]"},
		{"a=1\r\nb=2\rc=3", "1[0:5] 2[5:9] 3[9:12]"},
		{"# c\n\n  a=1,\\\r\n  2\n! c\nb=3", "3[5:18] 6[22:25]"},
		{"a=1\\", "1[0:4]"},
		{"\ufeffa=1\nb=2", "1[3:7] 2[7:10]"},
		{"a=\\u00\nb=2\nc=\\uxyzw", `2[7:11] f:1: \u is not followed by four hexadecimal digits; write \\ for a backslash
f:3: \u is not followed by four hexadecimal digits; write \\ for a backslash`},
	} {
		props, err := Parse("f", tc.text)
		var got []string
		for _, p := range props {
			got = append(got, fmt.Sprintf("%d[%d:%d]", p.Line, p.Start, p.End))
		}
		if err != nil {
			got = append(got, err.Error())
		}
		if got := strings.Join(got, " "); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.text, got, tc.want)
		}
	}
}

func TestLast(t *testing.T) {
	props, err := Parse("f", "a=1\nb=2\na=3\n")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range Last(props) {
		got = append(got, fmt.Sprintf("%d %s=%s", p.Line, p.Key, p.Value))
	}
	if want := []string{"3 a=3", "2 b=2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzParse checks the places of whatever text: settings stand in the order of their lines,
// apart from each other, and what a setting stands in reads as that setting alone.
func FuzzParse(f *testing.F) {
	f.Add("a=1\n# c\r\nb : 2 \\\n  3\rc")
	f.Add("\ufeff\\\n\\u00e9=x")
	f.Fuzz(func(t *testing.T, text string) {
		props, _ := Parse("f", text)
		end := 0
		for _, p := range props {
			if p.Start < end || p.End <= p.Start || p.End > len(text) {
				t.Fatalf("%q: %+v begins before %d", text, p, end)
			}
			end = p.End
			line := 1 + bytes.Count([]byte(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text[:p.Start])), []byte("\n"))
			if p.Line != line {
				t.Fatalf("%q: %+v, want line %d", text, p, line)
			}
			alone, err := Parse("f", text[p.Start:p.End])
			if err != nil || len(alone) != 1 || alone[0].Key != p.Key || alone[0].Value != p.Value {
				t.Fatalf("%q: %+v reads alone as %+v, %v", text, p, alone, err)
			}
			if utf8.ValidString(text) && !utf8.ValidString(p.Key+p.Value) {
				t.Fatalf("%q: %+v is no UTF-8", text, p)
			}
		}
	})
}
