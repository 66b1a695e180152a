package keystore

import (
	"bufio"
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"unicode/utf16"
)

// javaLiteral undoes what Subjects.java does to print a string.
func javaLiteral(t *testing.T, s string) string {
	t.Helper()
	s = strings.TrimSuffix(strings.TrimPrefix(s, `"`), `"`)
	var units []uint16
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			units = append(units, uint16(s[i]))
			continue
		}
		if i++; s[i] != 'u' {
			units = append(units, uint16(s[i]))
			continue
		}
		var u uint16
		for _, c := range []byte(s[i+1 : i+5]) {
			u = u<<4 | uint16(strings.IndexByte("0123456789abcdef", c))
		}
		units = append(units, u)
		i += 4
	}
	return string(utf16.Decode(units))
}

// TestNameAsJava compares with what Java writes for the same bytes.
func TestNameAsJava(t *testing.T) {
	f, err := os.Open("testdata/dn.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, n := bufio.NewScanner(f), 0
	for lines.Scan() {
		der, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil || !lines.Scan() {
			t.Fatal("dn.txt is not pairs of lines", err)
		}
		want := javaLiteral(t, lines.Text())
		if got, err := Name(der); err != nil || got != want {
			t.Errorf("%x:\n got %q, %v\nwant %q", der, got, err, want)
		}
		n++
	}
	if n < 100 {
		t.Errorf("only %d names", n)
	}
}

func TestNameRefuses(t *testing.T) {
	whole := []byte{0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x02, 'a', 'b'}
	if got, err := Name(whole); err != nil || got != "CN=ab" {
		t.Errorf("got %q, %v", got, err)
	}
	for n := range len(whole) {
		if got, err := Name(whole[:n]); err == nil {
			t.Errorf("%d bytes: got %q", n, got)
		}
	}
	if got, err := Name(append(whole, 0)); err == nil {
		t.Errorf("a byte too many: got %q", got)
	}
}
