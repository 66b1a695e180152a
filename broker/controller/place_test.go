package controller

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"holt/broker/metadata"
)

func brokersOn(racks ...string) []*metadata.Broker {
	all := make([]*metadata.Broker, len(racks))
	for i, r := range racks {
		all[i] = &metadata.Broker{ID: int32(i), Rack: r}
	}
	return all
}

// TestPlace has the assignments that Kafka's own comment gives as its example.
func TestPlace(t *testing.T) {
	got, err := Place(Placement{Brokers: brokersOn("", "", "", "", ""), Partitions: 10, Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	want := []metadata.Assignment{
		{Replicas: []int32{0, 1, 2}}, {Replicas: []int32{1, 2, 3}}, {Replicas: []int32{2, 3, 4}}, {Replicas: []int32{3, 4, 0}}, {Replicas: []int32{4, 0, 1}},
		{Replicas: []int32{0, 2, 3}}, {Replicas: []int32{1, 3, 4}}, {Replicas: []int32{2, 4, 0}}, {Replicas: []int32{3, 0, 1}}, {Replicas: []int32{4, 1, 2}},
	}
	for i := range want {
		if !got[i].Equal(&want[i]) {
			t.Errorf("partition %d: %v, want %v", i, got[i].Replicas, want[i].Replicas)
		}
	}
}

// TestPlaceRules checks what holds for all placements.
func TestPlaceRules(t *testing.T) {
	layouts := [][]string{
		{"", "", ""}, {"a", "b", "c"}, {"a", "a", "b", "b", "c", "c"}, {"a", "a", "a", "b"}, {"a", "b", ""}, {"a"}, {"a", "a", "b", "b", "b", "c", "d"},
	}
	for _, layout := range layouts {
		brokers := brokersOn(layout...)
		for replicas := 1; replicas <= len(brokers); replicas++ {
			for start := range 5 {
				t.Run(fmt.Sprintf("%v/%d/%d", layout, replicas, start), func(t *testing.T) {
					const partitions = 60
					all, err := Place(Placement{Brokers: brokers, Partitions: partitions, Replicas: replicas, Start: start, Shift: start * 3})
					if err != nil {
						t.Fatal(err)
					}
					checkPlacement(t, brokers, all, replicas)
				})
			}
		}
	}
}

func checkPlacement(t *testing.T, brokers []*metadata.Broker, all []metadata.Assignment, replicas int) {
	racks := map[string]bool{}
	aware := true
	for _, b := range brokers {
		racks[b.Rack] = true
		aware = aware && b.Rack != ""
	}
	leaders := map[int32]int{}
	for n, a := range all {
		used := map[string]bool{}
		for i, r := range a.Replicas {
			if slices.Contains(a.Replicas[:i], r) {
				t.Errorf("partition %d: %v", n, a.Replicas)
			}
			used[brokers[r].Rack] = true
		}
		if len(a.Replicas) != replicas {
			t.Errorf("partition %d: %v", n, a.Replicas)
		}
		if aware && len(used) != min(replicas, len(racks)) {
			t.Errorf("partition %d: %v on %d racks of %d", n, a.Replicas, len(used), len(racks))
		}
		leaders[a.Replicas[0]]++
	}
	for id, n := range leaders {
		if least := len(all) / len(brokers); n < least || n > least+1 {
			t.Errorf("broker %d is first for %d of %d", id, n, len(all))
		}
	}
}

func TestPlaceMore(t *testing.T) {
	brokers := brokersOn("", "", "", "")
	whole, err := Place(Placement{Brokers: brokers, Partitions: 9, Replicas: 2, Start: 2, Shift: 1})
	if err != nil {
		t.Fatal(err)
	}
	topic := &metadata.Topic{}
	for _, a := range whole[:4] {
		topic.Partitions = append(topic.Partitions, &metadata.Partition{Assignment: a})
	}
	more, err := Place(Placement{Brokers: brokers, Partitions: 5, Replicas: 2, First: 4, Start: StartOf(topic, brokers), Shift: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range more {
		if more[i].Replicas[0] != whole[4+i].Replicas[0] {
			t.Errorf("partition %d is first on %d, with the topic made at once on %d", 4+i, more[i].Replicas[0], whole[4+i].Replicas[0])
		}
	}
	if _, err := Place(Placement{Brokers: brokers, Partitions: 1, Replicas: 5}); !errors.Is(err, ErrTooFewBrokers) {
		t.Errorf("five replicas on four brokers: %v", err)
	}
	for _, bad := range []Placement{{Brokers: brokers, Partitions: 0, Replicas: 1}, {Brokers: brokers, Partitions: 1, Replicas: 0}} {
		if _, err := Place(bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}
