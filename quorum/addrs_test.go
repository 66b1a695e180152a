package quorum

import (
	"slices"
	"testing"
)

// TestAddrs: the members at present are those of the log once there was a change, and of the configuration before. One
// that does not know its leader takes the word of others.
func TestAddrs(t *testing.T) {
	at := func(id uint64, addr string) MemberConfig { return MemberConfig{ID: id, Addr: addr} }
	configured := []MemberConfig{at(1, "a:1"), at(2, "b:1"), at(3, "c:1")}
	for _, tt := range []struct {
		name   string
		roster roster
		leader uint64
		hints  []MemberConfig
		want   []string
	}{
		{"founders, one of them moved by its line", roster{founders: true, members: []MemberConfig{at(1, "old:1"), at(2, "b:1"), at(3, "c:1")}}, 1, nil, []string{"a:1", "b:1", "c:1"}},
		{"a founder without a line", roster{founders: true, members: append(slices.Clone(configured), at(4, "d:1"))}, 1, nil, []string{"a:1", "b:1", "c:1", "d:1"}},
		{"after a change", roster{members: []MemberConfig{at(1, "a:1"), at(4, "d:1")}}, 4, []MemberConfig{at(9, "stale:1")}, []string{"a:1", "d:1"}},
		{"behind, led by a newcomer", roster{founders: true, members: configured}, 4, []MemberConfig{at(4, "d:1"), at(1, "a:1")}, []string{"a:1", "b:1", "c:1", "d:1"}},
		{"behind, without a leader", roster{members: configured[:2]}, 0, []MemberConfig{at(4, "d:1")}, []string{"a:1", "b:1", "d:1"}},
		{"one that joins", roster{}, 0, []MemberConfig{at(4, "d:1")}, []string{"a:1", "b:1", "c:1", "d:1"}},
		{"no address", roster{members: []MemberConfig{at(1, "a:1"), {ID: 2}}}, 1, nil, []string{"a:1"}},
	} {
		m := &Member{cfg: Config{ID: 3, Members: configured}}
		m.roster.Store(&tt.roster)
		m.leads.Store(&Leadership{Leader: tt.leader})
		m.hints.Store(&tt.hints)
		if got := m.Addrs(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
