package metadata

import (
	"fmt"
	"testing"
)

// TestImagesShareNothingThatChanges edits an image and looks at the one before.
func TestImagesShareNothingThatChanges(t *testing.T) {
	first := emptyImage().edit()
	for n := range 1000 {
		first.setTopic(&Topic{Name: fmt.Sprint(n), ID: TopicID{byte(n), byte(n >> 8), 15: byte(n)}, Partitions: make([]*Partition, 2)})
		first.setConfig(TopicEntity(fmt.Sprint(n)), config{values: map[string]string{"a": "b"}})
	}
	first.setBroker(&Broker{ID: 1, Epoch: 5})
	first.seal()
	second := first.edit()
	second.removeTopic("7")
	second.removeConfig(TopicEntity("7"))
	second.setTopic(&Topic{Name: "8", ID: TopicID{15: 77}, Partitions: make([]*Partition, 5)})
	second.setBroker(&Broker{ID: 2})
	second.removeBroker(1)
	second.seal()
	if first.Topic("7") == nil || first.TopicByID(TopicID{7, 15: 7}) == nil || len(first.Topic("8").Partitions) != 2 ||
		first.TopicCount() != 1000 || first.PartitionCount() != 2000 || first.Config(TopicEntity("7")) == nil || first.Broker(1) == nil || first.Broker(2) != nil {
		t.Error("the first image has changed")
	}
	if second.Topic("7") != nil || second.TopicByID(TopicID{7, 15: 7}) != nil || second.TopicByID(TopicID{8, 15: 8}) != nil || second.TopicByID(TopicID{15: 77}) != second.Topic("8") ||
		second.TopicCount() != 999 || second.PartitionCount() != 2001 || second.Config(TopicEntity("7")) != nil || second.Broker(1) != nil {
		t.Error("the second image is wrong")
	}
	if ids := second.BrokerIDs(); len(ids) != 1 || ids[0] != 2 {
		t.Errorf("brokers %v", ids)
	}
}

func TestRestarted(t *testing.T) {
	i := emptyImage().edit()
	i.setBroker(&Broker{ID: 1, Epoch: 10})
	for _, test := range []struct {
		broker   int32
		modified Zxid
		want     bool
	}{{1, 11, false}, {1, 9, true}, {2, 9, false}} {
		if got := i.Restarted(&Partition{Modified: test.modified}, test.broker); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// BenchmarkEdit is the change of one partition among 10,000 topics.
func BenchmarkEdit(b *testing.B) {
	i := emptyImage().edit()
	for n := range 10_000 {
		i.setTopic(&Topic{Name: fmt.Sprint("topic-", n), ID: TopicID{byte(n), byte(n >> 8), 15: byte(n * 7)}, Partitions: []*Partition{{}}})
	}
	i.seal()
	b.ReportAllocs()
	for b.Loop() {
		next := i.edit()
		t := *next.Topic("topic-77")
		next.setTopic(&t)
		next.seal()
	}
}

func BenchmarkLookUp(b *testing.B) {
	i := emptyImage().edit()
	for n := range 10_000 {
		i.setTopic(&Topic{Name: fmt.Sprint("topic-", n), Partitions: []*Partition{{}}})
	}
	i.seal()
	b.ReportAllocs()
	for b.Loop() {
		if i.Partition("topic-77", 0) == nil {
			b.Fatal("not there")
		}
	}
}
