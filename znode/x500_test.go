package znode

import (
	"bufio"
	"os"
	"strconv"
	"testing"
)

// TestValidX500Name compares with what Java takes for a name.
func TestValidX500Name(t *testing.T) {
	f, err := os.Open("znodetest/testdata/x500names.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		line := lines.Text()
		name, err := strconv.Unquote(line[2:])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if want, got := line[0] == '+', validX500Name(name); got != want {
			t.Errorf("%q: %v, Java says %v", name, got, want)
		}
	}
	if n < 800 {
		t.Errorf("only %d names", n)
	}
}

func FuzzValidX500Name(f *testing.F) {
	f.Add(`CN="a\,b"+OU=#0401,1.2.3=\c3\a4;O=x\\,L=`)
	f.Fuzz(func(t *testing.T, s string) { validX500Name(s) }) // no panic, and it ends
}
