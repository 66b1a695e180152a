package controller

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"holt/broker/metadata"
)

// Placement is what Place goes by.
type Placement struct {
	Brokers    []*metadata.Broker // those that may get replicas
	Partitions int
	Replicas   int // of each partition

	// First is the number of the first partition: greater than 0 when partitions
	// are added to a topic.
	First int

	// Start and Shift choose among placements that are equally even: random numbers
	// keep the first partitions of all topics from meeting on one broker. When
	// partitions are added, Start is the place of partition 0's first replica.
	Start, Shift int
}

// ErrTooFewBrokers says that there are fewer brokers than replicas.
var ErrTooFewBrokers = errors.New("fewer brokers than replicas")

// Place assigns replicas to brokers: leaders in turn; the other replicas spread so that
// the partitions of a broker that fails are taken over by all others; and, if all
// brokers have a rack, each partition's replicas on as many racks as there are.
// (Kafka: AdminUtils.assignReplicasToBrokers)
func Place(p Placement) ([]metadata.Assignment, error) {
	if p.Replicas < 1 || p.Partitions < 1 {
		return nil, fmt.Errorf("place %d replicas of %d partitions", p.Replicas, p.Partitions)
	}
	if p.Replicas > len(p.Brokers) {
		return nil, fmt.Errorf("%w: %d and %d", ErrTooFewBrokers, len(p.Brokers), p.Replicas)
	}
	order, racks := arrange(p.Brokers)
	assignments := make([]metadata.Assignment, p.Partitions)
	shift := abs(p.Shift)
	for n := range assignments {
		number := p.First + n
		if number > 0 && number%len(order) == 0 {
			shift++
		}
		assignments[n].Replicas = pick(order, racks, (number+abs(p.Start))%len(order), shift, p.Replicas)
	}
	return assignments, nil
}

// arrange orders brokers by id or, if all have a rack, so that neighbours are on
// different ones: a rack's first broker after another's, then the second ones.
func arrange(brokers []*metadata.Broker) (order []int32, racks map[int32]string) {
	byRack := map[string][]int32{}
	for _, b := range brokers {
		if b.Rack == "" {
			for _, b := range brokers {
				order = append(order, b.ID)
			}
			slices.Sort(order)
			return order, nil
		}
		byRack[b.Rack] = append(byRack[b.Rack], b.ID)
	}
	racks = map[int32]string{}
	names := slices.Sorted(maps.Keys(byRack))
	for _, name := range names {
		slices.Sort(byRack[name])
		for _, id := range byRack[name] {
			racks[id] = name
		}
	}
	for i := 0; len(order) < len(brokers); i++ {
		for _, name := range names {
			if i < len(byRack[name]) {
				order = append(order, byRack[name][i])
			}
		}
	}
	return order, racks
}

// pick chooses one partition's replicas: order[first], then others at a distance that
// grows with shift, passing over racks that have one already while others have none, and
// over brokers while others have fewer.
func pick(order []int32, racks map[int32]string, first, shift, count int) []int32 {
	replicas := []int32{order[first]}
	used := map[string]int{racks[order[first]]: 1}
	for len(replicas) < count {
		best, bestUse := int32(-1), 0
		for i := range len(order) - 1 {
			id := order[(first+1+(shift+len(replicas)-1+i)%(len(order)-1))%len(order)]
			if slices.Contains(replicas, id) {
				continue
			}
			if use := used[racks[id]]; best < 0 || racks != nil && use < bestUse {
				best, bestUse = id, use
			}
		}
		replicas = append(replicas, best)
		used[racks[best]]++
	}
	return replicas
}

// StartOf is the Start of partitions added to a topic: the place of its first
// partition's first replica among the brokers.
func StartOf(t *metadata.Topic, brokers []*metadata.Broker) int {
	order, _ := arrange(brokers)
	if len(t.Partitions) == 0 || len(t.Partitions[0].Replicas) == 0 {
		return 0
	}
	return max(0, slices.Index(order, t.Partitions[0].Replicas[0]))
}

func abs(n int) int { return int(cmp.Compare(n, 0)) * n }
