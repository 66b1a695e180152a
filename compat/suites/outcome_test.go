package suites

import (
	"strings"
	"testing"

	"holt/compat/ensemble"
)

func TestJudge(t *testing.T) {
	const text = `
# comment
s holt      a.one  no such thing yet
s both      b.*    wrong on both
s zookeeper c.x    only there
other holt  d      of another suite
`
	exceptions, err := ParseExceptions(text)
	if err != nil || len(exceptions) != 4 || exceptions[0].Reason != "no such thing yet" {
		t.Fatalf("parse = %+v, %v", exceptions, err)
	}
	all := func(last state) []outcome {
		return []outcome{{test: "a.one", state: failed}, {test: "b.x", state: failed}, {test: "b.y", state: passed}, {test: "c.x", state: last, output: "why"}, {test: "e", state: skipped}}
	}
	for _, c := range []struct {
		kind     ensemble.Kind
		outcomes []outcome
		least    int
		want     string // a part of each complaint, by "|"
	}{
		{ensemble.Holt, all(passed), 2, ""},
		{ensemble.Holt, all(passed), 3, "2 tests passed of 5"},
		{ensemble.Holt, all(failed), 1, "c.x failed:\nwhy"},
		{ensemble.ZooKeeper, all(failed), 1, "a.one failed"},
		{ensemble.ZooKeeper, all(passed), 1, `a.one failed|exception "c.x"`},
		{ensemble.Holt, all(passed)[2:], 1, `exception "a.one"|exception "b.*"`},
	} {
		got := judge("s", c.kind, c.outcomes, exceptions, c.least)
		want := strings.Split(c.want, "|")
		if c.want == "" {
			want = nil
		}
		if len(got) != len(want) {
			t.Errorf("%s: complaints %q, want %q", c.kind, got, want)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: complaint %q, want %q", c.kind, got[i], want[i])
			}
		}
	}
}

func TestParseExceptions(t *testing.T) {
	for _, text := range []string{"s holt test", "s etcd test reason", "s holt [ reason"} {
		if _, err := ParseExceptions("# first\n" + text); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
