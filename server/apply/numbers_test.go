package apply

import (
	"math"
	"testing"

	"holt/wire"
)

// TestNumbers: which commands are taken, in a row.
func TestNumbers(t *testing.T) {
	type step struct {
		o    Origin
		want bool
	}
	for name, steps := range map[string][]step{
		"in order":                    {{Origin{1, 5, 1}, true}, {Origin{1, 5, 2}, true}, {Origin{1, 5, 3}, true}},
		"sent again":                  {{Origin{1, 5, 1}, true}, {Origin{1, 5, 2}, true}, {Origin{1, 5, 1}, false}, {Origin{1, 5, 2}, false}, {Origin{1, 5, 3}, true}},
		"one is missing":              {{Origin{1, 5, 1}, true}, {Origin{1, 5, 3}, false}, {Origin{1, 5, 4}, false}, {Origin{1, 5, 2}, true}, {Origin{1, 5, 3}, true}},
		"the first is missing":        {{Origin{1, 5, 2}, false}, {Origin{1, 5, 1}, true}},
		"a new incarnation":           {{Origin{1, 5, 1}, true}, {Origin{1, 5, 2}, true}, {Origin{1, 6, 1}, true}, {Origin{1, 6, 2}, true}},
		"it does not begin in middle": {{Origin{1, 5, 1}, true}, {Origin{1, 6, 2}, false}, {Origin{1, 5, 2}, true}, {Origin{1, 6, 1}, true}},
		"an old incarnation":          {{Origin{1, 6, 1}, true}, {Origin{1, 5, 1}, false}, {Origin{1, 5, 2}, false}, {Origin{1, 6, 2}, true}},
		"members are apart":           {{Origin{9, 5, 1}, true}, {Origin{1, 7, 1}, true}, {Origin{4, 5, 1}, true}, {Origin{1, 7, 2}, true}, {Origin{4, 5, 2}, true}, {Origin{9, 5, 2}, true}, {Origin{9, 5, 1}, false}},
		"the leader has none":         {{Origin{0, 0, 0}, true}, {Origin{0, 0, 0}, true}},
	} {
		var s state
		for i, c := range steps {
			if got := s.take(&c.o); got != c.want {
				t.Errorf("%s: step %d: %+v taken: %v", name, i, c.o, got)
			}
		}
		for i := 1; i < len(s.origins); i++ {
			if s.origins[i-1].member >= s.origins[i].member {
				t.Errorf("%s: origins out of order: %v", name, s.origins)
			}
		}
	}
}

func TestZxids(t *testing.T) {
	var s state
	check := func(what string, want wire.Zxid) {
		t.Helper()
		if s.zxid != want {
			t.Errorf("%s: %s, want %s", what, s.zxid, want)
		}
	}
	if err := s.enterTerm(4); err != nil {
		t.Fatal(err)
	}
	check("a fresh ensemble's first term", wire.MakeZxid(1, 0))
	s.nextZxid()
	check("its first command", wire.MakeZxid(1, 1))
	if err := s.enterTerm(4); err != nil {
		t.Fatal(err)
	}
	check("the same term", wire.MakeZxid(1, 1))
	if err := s.enterTerm(3); err == nil {
		t.Error("an earlier term is no error")
	}
	s.zxid = wire.MakeZxid(7, math.MaxUint32-1)
	s.nextZxid()
	check("the last of an epoch", wire.MakeZxid(7, math.MaxUint32))
	s.nextZxid()
	check("after it", wire.MakeZxid(8, 1))
	if err := s.enterTerm(5); err != nil {
		t.Fatal(err)
	}
	check("the next term", wire.MakeZxid(9, 0))
}
