package protocol

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// gen makes random messages of kmsg, of those fields that a version has: what a
// version leaves out reads back as its default.
type gen struct{ *rand.Rand }

func newGen(seed uint64) gen { return gen{rand.New(rand.NewPCG(seed, 1))} }

func (g gen) i32() int32 {
	return []int32{-1, 0, 1, 127, 128, math.MaxInt32, math.MinInt32, g.Int32()}[g.IntN(8)]
}

func (g gen) i64() int64 { return []int64{-1, 0, math.MaxInt64, math.MinInt64, g.Int64()}[g.IntN(5)] }

func (g gen) text() string {
	return strings.Repeat("x", []int{1, 2, 126, 127, 128, 249, 1000}[g.IntN(7)])
}

func (g gen) uuid() (id [16]byte) {
	for i := range id {
		id[i] = byte(g.Uint32())
	}
	return id
}

func (g gen) bytes() []byte {
	switch g.IntN(6) {
	case 0:
		return nil
	case 1:
		return []byte{}
	}
	b := make([]byte, []int{1, 100, copiedMax, copiedMax + 1, 20_000}[g.IntN(5)])
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// some runs f a few times, none included.
func (g gen) some(f func()) {
	for range g.IntN(5) {
		f()
	}
}

// tags makes unknown tagged fields, sometimes, which decoders are to skip. All of them
// are far from the known ones.
func (g gen) tags() (t kmsg.Tags) {
	if g.IntN(4) == 0 {
		g.some(func() { t.Set(1000+uint32(g.IntN(1<<20)), g.bytes()) })
	}
	return t
}

func (g gen) produceRequest(version int16) *kmsg.ProduceRequest {
	r := kmsg.NewPtrProduceRequest()
	r.Version = version
	if version >= 3 && g.IntN(2) == 0 {
		r.TransactionID = kmsg.StringPtr(g.text())
	}
	r.Acks, r.TimeoutMillis = int16(g.IntN(3)-1), g.i32()
	g.some(func() {
		t := kmsg.NewProduceRequestTopic()
		t.Topic = g.text()
		g.some(func() {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = g.i32(), g.bytes()
			p.UnknownTags = g.tags()
			t.Partitions = append(t.Partitions, p)
		})
		t.UnknownTags = g.tags()
		r.Topics = append(r.Topics, t)
	})
	r.UnknownTags = g.tags()
	return r
}

func (g gen) produceResponse(version int16) *kmsg.ProduceResponse {
	r := kmsg.NewPtrProduceResponse()
	r.Version = version
	g.some(func() {
		t := kmsg.NewProduceResponseTopic()
		t.Topic = g.text()
		g.some(func() {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode, p.BaseOffset, p.LogAppendTime, p.LogStartOffset = g.i32(), int16(g.i32()), g.i64(), g.i64(), g.i64()
			g.some(func() {
				e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
				e.RelativeOffset = g.i32()
				if g.IntN(2) == 0 {
					e.ErrorMessage = kmsg.StringPtr(g.text())
				}
				p.ErrorRecords = append(p.ErrorRecords, e)
			})
			if g.IntN(2) == 0 {
				p.ErrorMessage = kmsg.StringPtr(g.text())
			}
			if version >= 10 && g.IntN(2) == 0 {
				p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = g.Int32(), g.Int32()
			}
			t.Partitions = append(t.Partitions, p)
		})
		r.Topics = append(r.Topics, t)
	})
	r.ThrottleMillis = g.i32()
	if version >= 10 {
		g.some(func() {
			b := kmsg.NewProduceResponseBroker()
			b.NodeID, b.Host, b.Port, b.Rack = g.i32(), g.text(), g.i32(), g.rack()
			r.Brokers = append(r.Brokers, b)
		})
	}
	return r
}

func (g gen) rack() *string {
	if g.IntN(2) == 0 {
		return nil
	}
	return kmsg.StringPtr(g.text())
}

func (g gen) fetchRequest(version int16) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.Version = version
	if version <= 14 {
		r.ReplicaID = g.i32()
	}
	r.MaxWaitMillis, r.MinBytes = g.i32(), g.i32()
	if version >= 3 {
		r.MaxBytes = g.i32()
	}
	if version >= 4 {
		r.IsolationLevel = int8(g.IntN(2))
	}
	if version >= 7 {
		r.SessionID, r.SessionEpoch = g.i32(), g.i32()
	}
	g.some(func() {
		t := kmsg.NewFetchRequestTopic()
		t.Topic, t.TopicID = g.name(version), g.id(version)
		g.some(func() { t.Partitions = append(t.Partitions, g.fetchPartition(version)) })
		t.UnknownTags = g.tags()
		r.Topics = append(r.Topics, t)
	})
	if version >= 7 {
		g.some(func() {
			t := kmsg.NewFetchRequestForgottenTopic()
			t.Topic, t.TopicID = g.name(version), g.id(version)
			g.some(func() { t.Partitions = append(t.Partitions, g.i32()) })
			t.UnknownTags = g.tags()
			r.ForgottenTopics = append(r.ForgottenTopics, t)
		})
	}
	if version >= 11 {
		r.Rack = g.text()
	}
	if version >= 12 && g.IntN(2) == 0 {
		r.ClusterID = kmsg.StringPtr(g.text())
	}
	if version >= 15 && g.IntN(2) == 0 {
		r.ReplicaState.ID, r.ReplicaState.Epoch = g.i32(), g.i64()
		r.ReplicaState.UnknownTags = g.tags()
	}
	r.UnknownTags = g.tags()
	return r
}

func (g gen) name(version int16) string {
	if version >= FetchTopicIDs {
		return ""
	}
	return g.text()
}

func (g gen) id(version int16) (id [16]byte) {
	if version < FetchTopicIDs {
		return id
	}
	return g.uuid()
}

func (g gen) fetchPartition(version int16) kmsg.FetchRequestTopicPartition {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = g.i32(), g.i64(), g.i32()
	if version >= 9 {
		p.CurrentLeaderEpoch = g.i32()
	}
	if version >= 12 {
		p.LastFetchedEpoch = g.i32()
	}
	if version >= 5 {
		p.LogStartOffset = g.i64()
	}
	if version >= 17 && g.IntN(2) == 0 {
		p.ReplicaDirectoryID = g.uuid()
	}
	p.UnknownTags = g.tags()
	return p
}

func (g gen) fetchResponse(version int16) *kmsg.FetchResponse {
	r := kmsg.NewPtrFetchResponse()
	r.Version = version
	if version >= 1 {
		r.ThrottleMillis = g.i32()
	}
	if version >= 7 {
		r.ErrorCode, r.SessionID = int16(g.i32()), g.i32()
	}
	g.some(func() {
		t := kmsg.NewFetchResponseTopic()
		t.Topic, t.TopicID = g.name(version), g.id(version)
		g.some(func() { t.Partitions = append(t.Partitions, g.fetchedPartition(version)) })
		r.Topics = append(r.Topics, t)
	})
	if version >= 16 {
		g.some(func() {
			b := kmsg.NewFetchResponseBroker()
			b.NodeID, b.Host, b.Port, b.Rack = g.i32(), g.text(), g.i32(), g.rack()
			r.Brokers = append(r.Brokers, b)
		})
	}
	return r
}

func (g gen) fetchedPartition(version int16) kmsg.FetchResponseTopicPartition {
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode, p.HighWatermark = g.i32(), int16(g.i32()), g.i64()
	if version >= 4 {
		p.LastStableOffset = g.i64()
		if g.IntN(2) == 0 {
			p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
			g.some(func() {
				a := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
				a.ProducerID, a.FirstOffset = g.i64(), g.i64()
				p.AbortedTransactions = append(p.AbortedTransactions, a)
			})
		}
	}
	if version >= 5 {
		p.LogStartOffset = g.i64()
	}
	if version >= 11 {
		p.PreferredReadReplica = g.i32()
	}
	if p.RecordBatches = g.bytes(); p.RecordBatches == nil {
		p.RecordBatches = []byte{} // null is what must never be sent
	}
	if version >= 12 && g.IntN(3) == 0 {
		p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = g.Int32(), g.Int64()
	}
	if version >= 12 && g.IntN(3) == 0 {
		p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = g.Int32(), g.Int32()
	}
	return p
}
