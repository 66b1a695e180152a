package quorum

import (
	"errors"
	"testing"
)

func TestStranger(t *testing.T) {
	log, another := [16]byte{1}, [16]byte{2}
	r := &roster{index: 5, members: []MemberConfig{{ID: 1}, {ID: 2}, {ID: 3}, {ID: 4, Learner: true}}}
	with := func(index uint64, store [16]byte) answer {
		return answer{standing: standingMember, index: index, members: append(r.members[1:3:3], MemberConfig{ID: 9, Store: store})}
	}
	without := answer{standing: standingFounder, index: 5, members: r.members}
	for name, c := range map[string]struct {
		answers map[uint64]answer
		refused bool
	}{
		"nobody answers":                  {nil, false},
		"one of three has none":           {map[uint64]answer{2: without}, true},
		"a learner has none":              {map[uint64]answer{4: without}, false},
		"one knows nothing yet":           {map[uint64]answer{2: {standing: standingUnfounded}}, false},
		"a newer configuration has it":    {map[uint64]answer{2: without, 3: with(6, log)}, false},
		"a founder, of any log":           {map[uint64]answer{2: without, 3: with(6, [16]byte{})}, false},
		"a newer one has another log":     {map[uint64]answer{2: without, 3: with(6, another)}, true},
		"an older configuration had it":   {map[uint64]answer{2: without, 3: with(4, log)}, true},
		"it says so itself":               {map[uint64]answer{2: without, 9: with(6, log)}, true},
		"one that came later knows of it": {map[uint64]answer{2: without, 3: without, 8: with(7, log)}, false},
	} {
		err := r.stranger(9, log, 1, c.answers)
		if errors.Is(err, errStranger) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
