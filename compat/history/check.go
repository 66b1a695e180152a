package history

import (
	"fmt"

	"holt/wire"
)

// Violation is one thing that must not be.
type Violation struct {
	Rule string // its name in rules
	Text string
}

func (v Violation) String() string { return v.Rule + ": " + v.Text }

// rule is one property of a history. check calls report for every violation of it.
type rule struct {
	name  string
	check func(h *index, report func(format string, args ...any))
}

// mostPerRule bounds the violations reported of one rule: a lost member violates it for every
// write.
const mostPerRule = 20

// Check returns the violations in h, none if all is well.
func Check(h *History) []Violation {
	x := newIndex(h)
	var found []Violation
	for _, r := range rules() {
		n := 0
		r.check(x, func(format string, args ...any) {
			if n++; n <= mostPerRule {
				found = append(found, Violation{r.name, fmt.Sprintf(format, args...)})
			}
		})
		if n > mostPerRule {
			found = append(found, Violation{r.name, fmt.Sprintf("and %d more", n-mostPerRule)})
		}
	}
	return found
}

// index is a History with what the rules look up.
type index struct {
	*History
	state   map[string]Node  // of the first member; rule agree compares the others
	byToken map[string]*Op   // writes
	creator map[string]*Op   // by path of the node it made, if known
	deletes map[string][]*Op // by path
	sets    map[string][]*Op // by path, those that may have been done
	fate    map[wire.SessionID]Fate
}

func newIndex(h *History) *index {
	x := &index{
		History: h, state: h.States[0].Nodes, byToken: make(map[string]*Op), creator: make(map[string]*Op),
		deletes: make(map[string][]*Op), sets: make(map[string][]*Op), fate: make(map[wire.SessionID]Fate),
	}
	for _, s := range h.Sessions {
		x.fate[s.ID] = s.Fate
	}
	for _, o := range h.Ops {
		if o.Token != "" {
			x.byToken[o.Token] = o
		}
		for _, path := range o.paths() {
			x.creator[path] = o
		}
		switch {
		case o.Known && !o.OK():
		case o.Kind == Delete:
			x.deletes[o.Path] = append(x.deletes[o.Path], o)
		case o.Kind == Set:
			x.sets[o.Path] = append(x.sets[o.Path], o)
		}
	}
	return x
}

// ended tells whether the ephemerals of the session that sent o must be gone. A session that is
// not listed expired, as its client was told.
func (x *index) ended(o *Op) bool {
	fate, listed := x.fate[o.Session]
	return !listed || fate != Open
}

// mayBeGone tells whether a node that o made may be absent from the state.
func (x *index) mayBeGone(o *Op, path string) bool {
	return len(x.deletes[path]) > 0 || o.Ephemeral && x.ended(o)
}

// applied tells whether a create was done, and whether that can be told: from the reply, or from
// the state if nothing can have removed the node.
func (x *index) applied(o *Op) (done, certain bool) {
	if o.Known {
		return o.OK(), true
	}
	switch o.Kind {
	case Create, CreatePair:
		path := o.paths()[0]
		_, there := x.state[path]
		return there, there || !x.mayBeGone(o, path)
	}
	return false, false
}
