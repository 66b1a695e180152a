package broker

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/partition"
	"holt/broker/protocol"
	"holt/broker/record"
	"holt/broker/replica"
)

// memReplicas stands in for replica.Set: logs in memory, no replication.
type memReplicas struct {
	self    int32
	mu      sync.Mutex
	logs    map[metadata.TopicPartition]*memLog
	leaders map[string]func(p, epoch int32, gained bool)
	changed chan struct{}
	closed  bool
}

type memLog struct {
	id      metadata.TopicID
	epoch   int32
	batches []record.Batch
	start   int64
	end     int64
}

type noPeers struct{}

func (noPeers) Do(context.Context, int32, kmsg.Request) (kmsg.Response, error) {
	return nil, context.Canceled
}
func (noPeers) Close() {}

func openMem(b *Broker) (replicas, peers) {
	return &memReplicas{self: b.id, logs: map[metadata.TopicPartition]*memLog{}, leaders: map[string]func(int32, int32, bool){}, changed: make(chan struct{})}, noPeers{}
}

func (m *memReplicas) OnLeader(topic string, f func(p, epoch int32, gained bool)) {
	m.leaders[topic] = f
}

func (m *memReplicas) Apply(d *metadata.Delta) {
	type lead struct {
		f        func(int32, int32, bool)
		p, epoch int32
	}
	var gained []lead
	m.mu.Lock()
	for _, t := range d.Topics {
		if t.Was != nil && (t.Is == nil || t.Replaced()) {
			for i := range t.Was.Partitions {
				delete(m.logs, metadata.TopicPartition{Topic: t.Name, Partition: int32(i)})
			}
		}
	}
	for _, p := range d.Partitions {
		tp := metadata.TopicPartition{Topic: p.Topic.Name, Partition: p.Partition}
		if p.Is.Leader != m.self {
			continue
		}
		l := m.logs[tp]
		if l == nil || l.id != p.Topic.ID {
			l = &memLog{id: p.Topic.ID, epoch: -1}
			m.logs[tp] = l
		}
		if l.epoch != p.Is.LeaderEpoch {
			l.epoch = p.Is.LeaderEpoch
			if f := m.leaders[tp.Topic]; f != nil {
				gained = append(gained, lead{f, tp.Partition, l.epoch})
			}
		}
	}
	m.mu.Unlock()
	for _, g := range gained {
		g.f(g.p, g.epoch, true)
	}
}

func (m *memReplicas) Append(a replica.Append, done func(protocol.ProducedPartition)) {
	m.mu.Lock()
	l := m.logs[a.TP]
	if l == nil || a.LeaderEpoch >= 0 && a.LeaderEpoch != l.epoch {
		m.mu.Unlock()
		done(protocol.FailedProduce(a.TP.Partition, kerror.NotLeaderOrFollower))
		return
	}
	b, bad := record.Validate(append([]byte(nil), a.Records...), record.ValidateOptions{Origin: a.Origin, ProduceVersion: a.Version, Decompressor: record.NewDecompressor(1 << 20), MaxBatchBytes: 1 << 20})
	if bad != nil {
		m.mu.Unlock()
		done(protocol.ProducedPartition{Index: a.TP.Partition, Code: bad.Code, BaseOffset: -1, LogAppendTime: -1, LogStartOffset: -1, Message: bad.Message})
		return
	}
	base := l.end
	for batch, err := range record.All(b) {
		if err != nil {
			break
		}
		batch.SetBaseOffset(l.end)
		batch.SetPartitionLeaderEpoch(l.epoch)
		l.batches = append(l.batches, batch)
		l.end = batch.NextOffset()
	}
	close(m.changed)
	m.changed = make(chan struct{})
	m.mu.Unlock()
	done(protocol.ProducedPartition{Index: a.TP.Partition, BaseOffset: base, LogAppendTime: -1, LogStartOffset: 0})
}

func (m *memReplicas) Retire()                     {}
func (m *memReplicas) Offline() map[string][]int32 { return nil }
func (m *memReplicas) Missing(*metadata.Image)     {}

func (m *memReplicas) Verify(metadata.TopicPartition, int64, int16) uint64 { return 0 }

func (m *memReplicas) Fetch(f replica.Fetch, done func(*protocol.FetchResponse, func())) {
	deadline := time.Now().Add(time.Duration(f.Req.MaxWaitMillis) * time.Millisecond)
	var topics []protocol.FetchTopic
	for _, t := range f.Req.Topics { // strings and slices are the frame's
		t.Partitions = append([]protocol.FetchPartition(nil), t.Partitions...)
		topics = append(topics, t)
	}
	names := map[[16]byte]string{}
	m.mu.Lock()
	for tp, l := range m.logs {
		names[l.id] = tp.Topic
	}
	m.mu.Unlock()
	go func() {
		for {
			m.mu.Lock()
			resp, n, bad := &protocol.FetchResponse{}, 0, false
			for _, t := range topics {
				rt := protocol.FetchedTopic{Name: t.Name, ID: t.ID}
				name := t.Name
				if name == "" {
					name = names[t.ID]
				}
				for _, p := range t.Partitions {
					if !f.Readable(name) {
						bad = true
						rt.Partitions = append(rt.Partitions, protocol.FailedFetch(p.Index, kerror.TopicAuthorizationFailed))
						continue
					}
					l := m.logs[metadata.TopicPartition{Topic: name, Partition: p.Index}]
					if l == nil {
						bad = true
						rt.Partitions = append(rt.Partitions, protocol.FailedFetch(p.Index, kerror.NotLeaderOrFollower))
						continue
					}
					if p.Offset < l.start || p.Offset > l.end {
						bad = true
						rt.Partitions = append(rt.Partitions, protocol.FailedFetch(p.Index, kerror.OffsetOutOfRange))
						continue
					}
					rp := protocol.FetchedPartition{Index: p.Index, HighWatermark: l.end, LastStableOffset: l.end, LogStartOffset: l.start, PreferredReadReplica: -1}
					if f.Req.Isolation == 1 {
						rp.Aborted = []protocol.AbortedTxn{}
					}
					for _, b := range l.batches {
						if b.LastOffset() >= p.Offset {
							rp.Records = append(rp.Records, protocol.Range{Bytes: b})
							n += len(b)
						}
					}
					rt.Partitions = append(rt.Partitions, rp)
				}
				resp.Topics = append(resp.Topics, rt)
			}
			changed, closed := m.changed, m.closed
			m.mu.Unlock()
			left := time.Until(deadline)
			if bad || closed || n >= int(f.Req.MinBytes) || left <= 0 {
				done(resp, func() {})
				return
			}
			select {
			case <-changed:
			case <-time.After(left):
			}
		}
	}()
}

func (m *memReplicas) ListOffset(tp metadata.TopicPartition, _ int32, ts int64, _ bool) replica.Offset {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.logs[tp]
	if l == nil {
		return replica.Offset{Code: kerror.NotLeaderOrFollower}
	}
	switch ts {
	case -1:
		return replica.Offset{Offset: l.end, Timestamp: -1, Epoch: l.epoch}
	case -2:
		return replica.Offset{Offset: l.start, Timestamp: -1, Epoch: l.epoch}
	}
	for _, b := range l.batches {
		if b.MaxTimestamp() >= ts {
			return replica.Offset{Offset: b.BaseOffset(), Timestamp: b.MaxTimestamp(), Epoch: l.epoch}
		}
	}
	return replica.Offset{Offset: -1, Timestamp: -1, Epoch: -1}
}

func (m *memReplicas) EpochEnd(tp metadata.TopicPartition, _, epoch int32) (protocol.EpochEnd, kerror.Code) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.logs[tp]
	if l == nil {
		return protocol.EpochEnd{}, kerror.NotLeaderOrFollower
	}
	return protocol.EpochEnd{Epoch: epoch, EndOffset: l.end}, kerror.OK
}

func (m *memReplicas) DeleteRecords(tp metadata.TopicPartition, before int64, _ time.Duration, done func(int64, kerror.Code)) {
	m.mu.Lock()
	l := m.logs[tp]
	if l == nil {
		m.mu.Unlock()
		done(-1, kerror.NotLeaderOrFollower)
		return
	}
	if before == -1 {
		before = l.end
	}
	l.start = max(l.start, before)
	low := l.start
	m.mu.Unlock()
	done(low, kerror.OK)
}

func (m *memReplicas) Load(_ context.Context, tp metadata.TopicPartition, _ int32, visit func(record.Batch) error) error {
	m.mu.Lock()
	l := m.logs[tp]
	m.mu.Unlock()
	if l == nil {
		return nil
	}
	for _, b := range l.batches {
		if err := visit(b); err != nil {
			return err
		}
	}
	return nil
}

func (m *memReplicas) Drain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memReplicas) Close() error { return nil }

func (m *memReplicas) Registered(int64)                                            {}
func (m *memReplicas) LogDirs(func(metadata.TopicPartition) bool) []replica.LogDir { return nil }
func (m *memReplicas) Place(metadata.TopicPartition, string) kerror.Code {
	return kerror.LogDirNotFound
}
func (m *memReplicas) Producers(metadata.TopicPartition) ([]partition.ProducerState, kerror.Code) {
	return nil, kerror.OK
}
func (m *memReplicas) Metrics() *replica.Metrics { return new(replica.Metrics) }
func (m *memReplicas) Counts() replica.Counts    { return replica.Counts{} }
func (m *memReplicas) Failed() <-chan struct{}   { return nil }
func (m *memReplicas) Err() error                { return nil }
