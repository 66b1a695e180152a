package compare

import (
	"slices"
)

// Shrink returns a script as short as it can make it for which fails is still true, as
// it must be for s. It calls fails at most budget times.
//
// It drops steps, first many at once and then one by one, and afterwards simplifies those
// that are left.
func Shrink(s Script, budget int, fails func(Script) bool) Script {
	sh := &shrinker{budget: budget, fails: fails}
	for {
		before := s.String()
		s = sh.drop(s)
		s = sh.simplify(s)
		if s.String() == before || sh.budget <= 0 {
			return s
		}
	}
}

type shrinker struct {
	budget int
	fails  func(Script) bool
}

func (sh *shrinker) try(s Script) bool {
	if sh.budget <= 0 {
		return false
	}
	sh.budget--
	return sh.fails(s)
}

// drop removes runs of steps, halving their length down to one.
func (sh *shrinker) drop(s Script) Script {
	for size := max(len(s)/2, 1); ; size /= 2 {
		for end := len(s); end > 0; end -= size {
			start := max(end-size, 0)
			if end > len(s) {
				continue
			}
			if shorter := slices.Concat(s[:start], s[end:]); sh.try(shorter) {
				s = shorter
			}
		}
		if size == 1 {
			return s
		}
	}
}

// simplify tries simpler forms of each step.
func (sh *shrinker) simplify(s Script) Script {
	for i := range s {
		for again := true; again; {
			again = false
			for _, simpler := range simpler(s[i]) {
				changed := slices.Clone(s)
				changed[i] = simpler
				if sh.try(changed) {
					s, again = changed, true
					break
				}
			}
		}
	}
	return s
}

// simpler returns forms of the step that say less.
func simpler(s Step) []Step {
	var out []Step
	change := func(f func(*Step)) {
		c := s
		c.Args, c.Parts = slices.Clone(s.Args), slices.Clone(s.Parts)
		f(&c)
		out = append(out, c)
	}
	if s.Break {
		change(func(c *Step) { c.Break = false })
	}
	for i := range s.Parts {
		change(func(c *Step) { c.Parts = slices.Delete(c.Parts, i, i+1) })
	}
	for i := range s.Parts {
		for _, part := range simpler(s.Parts[i]) {
			change(func(c *Step) { c.Parts[i] = part })
		}
	}
	if s.Op == nil || s.Action != ActRequest {
		return out
	}
	for i, f := range s.Op.fields {
		if v := &s.Args[i]; f.name != "" && f.kind != typeBool && v.text(f.kind) != f.standard {
			if standard, err := parseValue(f.standard, f.kind); err == nil {
				change(func(c *Step) { c.Args[i] = standard })
			}
		}
		switch v := s.Args[i]; {
		case f.kind == typeBool && v.n != 0:
			change(func(c *Step) { c.Args[i].n = 0 })
		case f.kind == typeBuffer && v.s != "":
			change(func(c *Step) { c.Args[i].s = "" })
		case f.kind == typeStrings && len(v.list) > 1:
			for j := range v.list {
				change(func(c *Step) { c.Args[i].list = slices.Delete(slices.Clone(v.list), j, j+1) })
			}
		case f.kind == typeACLs && len(v.acls) > 1:
			for j := range v.acls {
				change(func(c *Step) { c.Args[i].acls = slices.Delete(slices.Clone(v.acls), j, j+1) })
			}
		}
	}
	return out
}
