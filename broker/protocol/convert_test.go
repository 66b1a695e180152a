package protocol

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
)

// The messages of this package as those of kmsg, and the other way round.

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func kmsgOfProduce(r *ProduceRequest) *kmsg.ProduceRequest {
	k := kmsg.NewPtrProduceRequest()
	k.Version, k.TransactionID, k.Acks, k.TimeoutMillis = r.Version, optional(r.TransactionalID), r.Acks, r.TimeoutMillis
	for _, t := range r.Topics {
		kt := kmsg.NewProduceRequestTopic()
		kt.Topic = t.Name
		for _, p := range t.Partitions {
			kp := kmsg.NewProduceRequestTopicPartition()
			kp.Partition, kp.Records = p.Index, p.Records
			kt.Partitions = append(kt.Partitions, kp)
		}
		k.Topics = append(k.Topics, kt)
	}
	return k
}

func produceResponseOf(k *kmsg.ProduceResponse) *ProduceResponse {
	r := &ProduceResponse{ThrottleMillis: k.ThrottleMillis}
	for _, kt := range k.Topics {
		t := ProducedTopic{Name: kt.Topic}
		for _, kp := range kt.Partitions {
			p := ProducedPartition{Index: kp.Partition, Code: kerror.Code(kp.ErrorCode), BaseOffset: kp.BaseOffset,
				LogAppendTime: kp.LogAppendTime, LogStartOffset: kp.LogStartOffset, Message: text(kp.ErrorMessage)}
			for _, e := range kp.ErrorRecords {
				p.RecordErrors = append(p.RecordErrors, RecordError{e.RelativeOffset, text(e.ErrorMessage)})
			}
			if l := kp.CurrentLeader; l.LeaderID != -1 || l.LeaderEpoch != -1 {
				p.CurrentLeader = &LeaderEpoch{l.LeaderID, l.LeaderEpoch}
			}
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
	for _, b := range k.Brokers {
		r.Brokers = append(r.Brokers, NodeEndpoint{b.NodeID, b.Host, b.Port, text(b.Rack)})
	}
	return r
}

func kmsgOfFetch(r *FetchRequest) *kmsg.FetchRequest {
	k := kmsg.NewPtrFetchRequest()
	k.Version, k.MaxWaitMillis, k.MinBytes, k.MaxBytes = r.Version, r.MaxWaitMillis, r.MinBytes, r.MaxBytes
	k.IsolationLevel, k.SessionID, k.SessionEpoch, k.Rack, k.ClusterID = r.Isolation, r.SessionID, r.SessionEpoch, r.Rack, optional(r.ClusterID)
	if r.Version >= 15 {
		k.ReplicaState.ID, k.ReplicaState.Epoch = r.ReplicaID, r.ReplicaEpoch
	} else {
		k.ReplicaID = r.ReplicaID
	}
	for _, t := range r.Topics {
		kt := kmsg.NewFetchRequestTopic()
		kt.Topic, kt.TopicID = t.Name, t.ID
		for _, p := range t.Partitions {
			kp := kmsg.NewFetchRequestTopicPartition()
			kp.Partition, kp.CurrentLeaderEpoch, kp.FetchOffset, kp.LastFetchedEpoch = p.Index, p.CurrentLeaderEpoch, p.Offset, p.LastFetchedEpoch
			kp.LogStartOffset, kp.PartitionMaxBytes, kp.ReplicaDirectoryID = p.LogStartOffset, p.MaxBytes, p.DirectoryID
			kt.Partitions = append(kt.Partitions, kp)
		}
		k.Topics = append(k.Topics, kt)
	}
	for _, t := range r.Forgotten {
		kt := kmsg.NewFetchRequestForgottenTopic()
		kt.Topic, kt.TopicID, kt.Partitions = t.Name, t.ID, t.Partitions
		k.ForgottenTopics = append(k.ForgottenTopics, kt)
	}
	return k
}

func fetchResponseOf(k *kmsg.FetchResponse) *FetchResponse {
	r := &FetchResponse{ThrottleMillis: k.ThrottleMillis, Code: kerror.Code(k.ErrorCode), SessionID: k.SessionID}
	for _, kt := range k.Topics {
		t := FetchedTopic{Name: kt.Topic, ID: kt.TopicID}
		for i := range kt.Partitions {
			t.Partitions = append(t.Partitions, fetchedOf(&kt.Partitions[i]))
		}
		r.Topics = append(r.Topics, t)
	}
	for _, b := range k.Brokers {
		r.Brokers = append(r.Brokers, NodeEndpoint{b.NodeID, b.Host, b.Port, text(b.Rack)})
	}
	return r
}

func fetchedOf(k *kmsg.FetchResponseTopicPartition) FetchedPartition {
	p := FetchedPartition{Index: k.Partition, Code: kerror.Code(k.ErrorCode), HighWatermark: k.HighWatermark,
		LastStableOffset: k.LastStableOffset, LogStartOffset: k.LogStartOffset, PreferredReadReplica: k.PreferredReadReplica}
	if k.AbortedTransactions != nil {
		p.Aborted = []AbortedTxn{}
	}
	for _, a := range k.AbortedTransactions {
		p.Aborted = append(p.Aborted, AbortedTxn{a.ProducerID, a.FirstOffset})
	}
	if d := k.DivergingEpoch; d.Epoch != -1 || d.EndOffset != -1 {
		p.Diverging = &EpochEnd{d.Epoch, d.EndOffset}
	}
	if l := k.CurrentLeader; l.LeaderID != -1 || l.LeaderEpoch != -1 {
		p.CurrentLeader = &LeaderEpoch{l.LeaderID, l.LeaderEpoch}
	}
	// In several pieces, as a log gives them.
	for rest := k.RecordBatches; len(rest) > 0; {
		n := min(len(rest), 7000)
		p.Records = append(p.Records, Range{Bytes: rest[:n]})
		rest = rest[n:]
	}
	return p
}
