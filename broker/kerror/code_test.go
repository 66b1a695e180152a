package kerror

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestCodesOfKafka compares with the list that Kafka 3.9.2 printed of itself: code, name and
// whether its clients retry.
func TestCodesOfKafka(t *testing.T) {
	b, err := os.ReadFile("testdata/errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 129 {
		t.Fatalf("testdata/errors.txt has %d lines, want 129", len(lines))
	}
	for i, line := range lines {
		c := Code(i - 1)
		retriable := "-"
		if c.Retriable() {
			retriable = "retriable"
		}
		if got := fmt.Sprintf("%d %v %s", int16(c), c, retriable); got != line {
			t.Errorf("code %d = %q, want %q", i-1, got, line)
		}
	}
}

// TestCodesOfFranz compares with franz-go's table, which also has the codes after 3.9.
func TestCodesOfFranz(t *testing.T) {
	for c := UnknownServerError; c.Known(); c++ {
		if c == OK || c == NotLeaderOrFollower { // success is no error there; the old name of 6 is
			continue
		}
		e := kerr.TypedErrorForCode(int16(c))
		if e == nil || e.Code != int16(c) || e.Message != c.String() {
			t.Errorf("code %d is %v here and %v in franz-go", int16(c), c, e)
		}
	}
}

func TestParse(t *testing.T) {
	for c := UnknownServerError; c.Known(); c++ {
		if got, ok := Parse(c.String()); !ok || got != c {
			t.Errorf("Parse(%q) = %v, %v", c, got, ok)
		}
	}
	if c, ok := Parse("NO_SUCH_CODE"); ok {
		t.Errorf("Parse of an unknown name = %v", c)
	}
}

func TestUnknown(t *testing.T) {
	for c, want := range map[Code]string{-2: "CODE_-2", -32768: "CODE_-32768", 134: "CODE_134", 32767: "CODE_32767"} {
		if c.Known() || c.Retriable() || c.String() != want {
			t.Errorf("code %d: known %v, retriable %v, %q", int16(c), c.Known(), c.Retriable(), c)
		}
	}
}
