package compare

import (
	"strings"
	"testing"
)

// TestShrink finds the two steps that a failure needs among three hundred.
func TestShrink(t *testing.T) {
	g := &Generator{Steps: 300}
	s := g.Random(1, 1)
	runs := 0
	fails := func(s Script) bool {
		runs++
		multi, set := -1, -1
		for i := range s {
			for _, p := range s[i].Parts {
				if p.Op != nil && p.Op.name == "check" {
					multi = i
				}
			}
			if s[i].Op != nil && s[i].Op.name == "setData" && multi >= 0 {
				set = i
			}
		}
		return set > multi && multi >= 0
	}
	if !fails(s) {
		t.Fatal("the script does not hold what is looked for: take another seed")
	}
	got := Shrink(s, 3000, fails)
	if len(got) != 2 || len(got[0].Parts) != 1 || !strings.Contains(got.String(), "setData") {
		t.Errorf("after %d runs:\n%s", runs, got)
	}
	if again, err := Parse(got.String()); err != nil || again.String() != got.String() {
		t.Errorf("printed script does not parse: %v", err)
	}
}
