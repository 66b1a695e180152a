package javaprops

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

func TestReports(t *testing.T) {
	_, missing := os.ReadFile(t.TempDir() + "/none")
	for _, tc := range []struct {
		got  fmt.Stringer
		want string
	}{
		{text{&Error{File: "a.cfg", Line: 3, Cause: "wrong", Remedy: "mend it"}}, "a.cfg:3: wrong; mend it"},
		{text{&Error{File: "-D", Cause: "wrong"}}, "-D: wrong"},
		{text{&Error{Cause: "wrong"}}, "wrong"},
		{Note{File: "a.cfg", Line: 3, Key: "k", Text: "not used"}, "a.cfg:3: k: not used"},
		{Note{File: "-D", Key: "k", Text: "not used"}, "-D: k: not used"},
		{text{errors.New(Reason(fmt.Errorf("read: %w", missing)))}, "no such file or directory"},
		{text{errors.New(Reason(errors.New("too large")))}, "too large"},
	} {
		if got := tc.got.String(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

type text struct{ error }

func (t text) String() string { return t.Error() }

func TestNearest(t *testing.T) {
	known := []string{"tickTime", "initLimit", "syncLimit", "server."}
	for name, want := range map[string]string{
		"ticktme": "tickTime", "TICKTIME": "tickTime", "syncLimt": "syncLimit", "snapCount": "", "intLimt": "initLimit", "": "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestRow(t *testing.T) {
	table := []string{"server.", "ssl.", "ssl.quorum.", "ssl.quorum.protocol", "dataDir"}
	for key, want := range map[string]string{
		"dataDir": "dataDir", "server.1": "server.", "ssl.protocol": "ssl.", "ssl.quorum.clientAuth": "ssl.quorum.",
		"ssl.quorum.protocol": "ssl.quorum.protocol", "server.": "server.", "server": "", "dataDir.x": "", "": "",
	} {
		got := ""
		if r := Row(table, func(s *string) string { return *s }, key); r != nil {
			got = *r
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ticktme", "ticktime", 1}, {"abc", "abd", 1}, {"abc", "cab", 2}} {
		if got := editDistance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q to %q: %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
