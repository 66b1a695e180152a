package brokerkills

import (
	"slices"
	"testing"
)

// goodKept returns a topic in which all is well: four records of two keys, of which policy took some.
func goodKept(policy Policy) *Kept {
	log := []KeptRecord{
		{ID{1, 0}, 0, "a", false}, {ID{1, 1}, 1, "b", false}, {ID{1, 2}, 2, "a", false}, {ID{1, 3}, 3, "b", true},
	}
	k := &Kept{Topic: "t", Policy: policy}
	for _, r := range log {
		k.Sent = append(k.Sent, Sent{KeptRecord: r, Acked: true})
	}
	k.Sent = append(k.Sent, Sent{KeptRecord: KeptRecord{ID: ID{1, 4}, Key: "a"}})
	left := map[Policy][]KeptRecord{Whole: log, Compacted: log[2:], Retained: log[2:]}[policy]
	bases := map[Policy][]int64{Whole: {0, 2}, Compacted: {0, 3}, Retained: {2}}[policy]
	for _, who := range []string{"broker 1", "broker 2"} {
		k.Logs = append(k.Logs, KeptLog{Who: who, Bases: slices.Clone(bases), Records: slices.Clone(left)})
	}
	k.Logs = append(k.Logs, KeptLog{Who: "a client", Records: slices.Clone(left)})
	return k
}

func TestGoodKeptPasses(t *testing.T) {
	for _, policy := range []Policy{Whole, Compacted, Retained} {
		if found := CheckKept(goodKept(policy)); len(found) > 0 {
			t.Errorf("policy %d: a good topic is found wrong: %v", policy, found)
		}
	}
	k := goodKept(Compacted)
	k.Logs[1].Records = k.Logs[1].Records[:1] // the tombstone may have gone
	if found := CheckKept(k); len(found) > 0 {
		t.Errorf("without the tombstone: %v", found)
	}
}

func TestDoctoredKept(t *testing.T) {
	for _, c := range []struct {
		name, rule string
		policy     Policy
		doctor     func(k *Kept)
	}{
		{"another value at an offset", "K1", Whole, func(k *Kept) { k.Logs[1].Records[1].ID = ID{1, 4} }},
		{"a hole", "K1", Whole, func(k *Kept) { k.Logs[0].Records = slices.Delete(k.Logs[0].Records, 1, 2) }},
		{"a hole after retention", "K2", Retained, func(k *Kept) { k.Logs[0].Records = k.Logs[0].Records[:1] }},
		{"an acknowledged record is missing", "K2", Whole, func(k *Kept) { k.Logs[0].Records = k.Logs[0].Records[:3] }},
		{"twice", "K3", Whole, func(k *Kept) { k.Logs[0].Records = append(k.Logs[0].Records, KeptRecord{ID{1, 3}, 4, "b", true}) }},
		{"never sent", "K7", Whole, func(k *Kept) { k.Logs[0].Records = append(k.Logs[0].Records, KeptRecord{ID{9, 0}, 4, "b", true}) }},
		{"retention took half a segment", "K9", Retained, func(k *Kept) { k.Logs[0].Bases[0] = 1 }},
		{"retention took nothing", "K9", Retained, func(k *Kept) { *k = *goodKept(Whole); k.Policy = Retained }},
		{"compaction took nothing", "K9", Compacted, func(k *Kept) { *k = *goodKept(Whole); k.Policy = Compacted }},
		{"compaction took the last value", "K9", Compacted, func(k *Kept) { k.Logs[0].Records = k.Logs[0].Records[1:] }},
		{"a deleted key is back", "K9", Compacted, func(k *Kept) { k.Logs[0].Records = []KeptRecord{{ID{1, 1}, 1, "b", false}, {ID{1, 2}, 2, "a", false}} }},
	} {
		k := goodKept(c.policy)
		c.doctor(k)
		found := CheckKept(k)
		if !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == c.rule }) {
			t.Errorf("%s: want %s, found %v", c.name, c.rule, found)
		}
	}
}

func TestDoctoredStates(t *testing.T) {
	good := []State{{Version: 0, ControllerEpoch: 1, Leader: 1, ISR: []int32{1}}, {Version: 0, ControllerEpoch: 1, Leader: 1, ISR: []int32{1}},
		{Version: 1, LeaderEpoch: 1, ControllerEpoch: 2, Leader: 2}}
	if found := Check(&History{States: good}); len(found) > 0 {
		t.Errorf("good states are found wrong: %v", found)
	}
	for name, doctor := range map[string]func(s []State){
		"an older controller":           func(s []State) { s[2].ControllerEpoch = 0 },
		"an older leader":               func(s []State) { s[0].LeaderEpoch, s[1].LeaderEpoch = 2, 2 },
		"the version went back":         func(s []State) { s[0].Version, s[1].Version = 2, 2 },
		"two states of one version":     func(s []State) { s[1].ISR = []int32{1, 2} },
		"two leaders in the same epoch": func(s []State) { s[2].LeaderEpoch = 0 },
	} {
		states := slices.Clone(good)
		doctor(states)
		if found := Check(&History{States: states}); len(found) != 1 || found[0].Rule != "K10" {
			t.Errorf("%s: found %v", name, found)
		}
	}
}
