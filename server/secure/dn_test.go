package secure

import (
	"bufio"
	"crypto/x509"
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

// TestDN compares with what Java writes for the same bytes.
func TestDN(t *testing.T) {
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
		if got := DN(&x509.Certificate{RawSubject: der}); got != want {
			t.Errorf("%x:\n got %q\nwant %q", der, got, want)
		}
		n++
	}
	if n < 100 {
		t.Errorf("only %d names", n)
	}
}
