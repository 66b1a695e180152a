package controller

import (
	"fmt"
	"testing"
	"time"

	"holt/broker/metadata"
)

// TestTenThousandPartitions has a controller's session end that led a third of 10,000
// partitions on 3 brokers. It prints what the failover takes besides the network; with
// one, see compat/brokersuite.
func TestTenThousandPartitions(t *testing.T) {
	const topics, partitions = 100, 100
	_, members := startCluster(t, 3)
	began := time.Now()
	for i := range topics {
		members[i%3].createTopic(t, fmt.Sprintf("t%d", i), partitions, 3)
	}
	all := func(brokers ...int32) func(*metadata.Image) bool {
		return func(i *metadata.Image) bool {
			for n := range topics {
				if !led(i, fmt.Sprintf("t%d", n), brokers...) {
					return false
				}
			}
			return true
		}
	}
	for _, m := range members {
		m.wait(t, "leaders", all(1, 2, 3))
	}
	t.Logf("created in %v", time.Since(began))
	first := active(members)
	began = time.Now()
	first.session.Close()
	var left []int32
	for _, m := range members {
		if m != first {
			left = append(left, m.id)
		}
	}
	for _, m := range members {
		if m != first {
			m.wait(t, "leaders after the failover", all(left...))
		}
	}
	t.Logf("failover in %v", time.Since(began))
	began = time.Now()
	f := metadata.NewFollower(metadata.FollowerConfig{Coordinator: members[0].session})
	if members[0] == first {
		f = metadata.NewFollower(metadata.FollowerConfig{Coordinator: members[1].session})
	}
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Logf("a follower's start in %v", time.Since(began))
	if n := f.Image().PartitionCount(); n != topics*partitions {
		t.Errorf("%d partitions, want %d", n, topics*partitions)
	}
}

// BenchmarkNewCore is what a new controller thinks before it writes: 10,000 partitions,
// a third of which need a leader.
func BenchmarkNewCore(b *testing.B) {
	e := newEnv(b)
	for id := range int32(3) {
		e.start(id + 1)
	}
	e.elect(1, CoreConfig{})
	for n := range 100 {
		assigned, err := Place(Placement{Brokers: e.follower.Image().Brokers(), Partitions: 100, Replicas: 3, Start: n})
		e.must(err)
		e.must(e.admin.CreateTopic(e.ctx(), fmt.Sprintf("t%d", n), &metadata.TopicNode{ID: metadata.NewTopicID(), Partitions: assigned}, nil))
	}
	e.term.settle(e, func(string) {})
	e.kill(3)
	e.sync()
	image := e.follower.Image()
	b.ReportAllocs()
	for b.Loop() {
		core := NewCore(CoreConfig{Epoch: 2}, image, e.now)
		if n := len(core.Take()); n != 10_000 {
			b.Fatalf("%d writes", n)
		}
	}
}
