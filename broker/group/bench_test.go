package group

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/journal/journaltest"
	"holt/broker/kerror"
)

// started returns a coordinator that has loaded its partitions, closed at the end.
func started(b testing.TB, partitions int32) *Coordinator {
	loaded := make(chan struct{}, partitions)
	c := New(Config{Log: &journaltest.Log{Forget: true}, NewID: ids(), Partitions: partitions,
		OnLoad: func(r journal.LoadResult) {
			if r.Err != nil {
				b.Error(r.Err)
			}
			loaded <- struct{}{}
		}})
	b.Cleanup(c.Close)
	for p := range partitions {
		c.Gained(p, 1)
	}
	for range partitions {
		<-loaded
	}
	return c
}

func commitRequest(group string, partitions int) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = "some-topic"
	for p := range partitions {
		q := kmsg.NewOffsetCommitRequestTopicPartition()
		q.Partition, q.Offset = int32(p), 1000
		t.Partitions = append(t.Partitions, q)
	}
	req.Topics = append(req.Topics, t)
	return req
}

// BenchmarkCommit commits through a log that keeps nothing and acknowledges at once.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			c := started(b, 50)
			req := commitRequest("group", n)
			b.ReportAllocs()
			for b.Loop() {
				done := false
				c.Commit(req, func(*kmsg.OffsetCommitResponse) { done = true })
				if !done {
					b.Fatal("not answered")
				}
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		c := started(b, 50)
		n := 0
		reqs := make(chan *kmsg.OffsetCommitRequest, 64)
		for range cap(reqs) {
			n++
			reqs <- commitRequest(fmt.Sprint("group", n), 1)
		}
		b.RunParallel(func(pb *testing.PB) {
			req := <-reqs
			for pb.Next() {
				c.Commit(req, func(*kmsg.OffsetCommitResponse) {})
			}
		})
	})
}

func BenchmarkHeartbeat(b *testing.B) {
	c := started(b, 50)
	cl := &client{c: c, group: "g"}
	if _, code := cl.join(); code != kerror.OK {
		b.Fatal(code)
	}
	b.ReportAllocs()
	for b.Loop() {
		if code := cl.heartbeat(); code != kerror.OK {
			b.Fatal(code)
		}
	}
}

// BenchmarkJoin lets a group of 1,000 members begin a generation: all join and sync.
func BenchmarkJoin(b *testing.B) {
	const members = 1000
	c := started(b, 1)
	id := make([]string, members)
	generation, left := int32(0), 0
	var leader, protocol string
	join := func(i int) {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.MemberID, req.ProtocolType = 3, "g", id[i], "consumer"
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 60000, 600000
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: make([]byte, 100)}}
		c.Join(req, Client{"client", "/127.0.0.1"}, func(r *kmsg.JoinGroupResponse) {
			if r.ErrorCode == 0 {
				id[i], generation, leader, protocol = r.MemberID, r.Generation, r.LeaderID, *r.Protocol
			}
			left--
		})
	}
	round := func() {
		left = members
		for i := range members {
			join(i)
		}
		if left > 0 {
			b.Fatalf("%d wait", left)
		}
		left = members
		var last *kmsg.SyncGroupRequest
		for i := range members {
			req := kmsg.NewPtrSyncGroupRequest()
			req.Version, req.Group, req.MemberID, req.Generation, req.Protocol = 5, "g", id[i], generation, &protocol
			if id[i] == leader {
				for _, m := range id {
					req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m, MemberAssignment: make([]byte, 50)})
				}
				last = req
				continue
			}
			c.Sync(req, func(*kmsg.SyncGroupResponse) { left-- })
		}
		c.Sync(last, func(*kmsg.SyncGroupResponse) { left-- })
		if left > 0 {
			b.Fatalf("%d wait", left)
		}
	}
	// The first round: the first member is a generation of its own, which the others end.
	left = 1
	join(0)
	left = members
	for i := 1; i < members; i++ {
		join(i)
	}
	join(0)
	b.ReportAllocs()
	for b.Loop() {
		round()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/members, "µs/member")
}

// BenchmarkMemory reports the live heap of 10,000 stable groups of one member and ten offsets each.
func BenchmarkMemory(b *testing.B) {
	const groups = 10000
	for b.Loop() {
		c := started(b, 50)
		before := liveHeap()
		for i := range groups {
			cl := &client{c: c, group: fmt.Sprint("group", i)}
			if _, code := cl.join(); code != kerror.OK {
				b.Fatal(code)
			}
			req := commitRequest(cl.group, 10)
			req.MemberID, req.Generation = cl.id, cl.generation
			c.Commit(req, func(*kmsg.OffsetCommitResponse) {})
		}
		b.ReportMetric(float64(liveHeap()-before)/groups, "B/group")
		c.Close()
	}
}

func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
