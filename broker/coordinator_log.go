package broker

import (
	"context"
	"time"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/protocol"
	"holt/broker/record"
	"holt/broker/replica"
)

// coordinatorLog is journal.Log on the replicas of an internal topic.
type coordinatorLog struct {
	broker *Broker
	topic  string
}

// Append is of journal.Log.
func (l *coordinatorLog) Append(w journal.Write, done func(offset int64, code kerror.Code)) {
	a := replica.Append{
		TP: metadata.TopicPartition{Topic: l.topic, Partition: w.Partition}, Records: w.Batch, Acks: -1,
		Timeout: l.timeout(), LeaderEpoch: w.LeaderEpoch, Origin: record.Coordinator,
	}
	appended := func(res protocol.ProducedPartition) { done(res.BaseOffset, res.Code) }
	if w.TransactionalID == "" || !l.broker.verifies() {
		l.broker.replicas.Append(a, appended)
		return
	}
	a.VerifyTxn = true
	l.broker.verify(w.TransactionalID, txnAppend{txnKey{a.TP, w.Batch.ProducerID(), w.Batch.ProducerEpoch()}, func(code kerror.Code, guard uint64) {
		if code != kerror.OK {
			done(-1, verdictForGroup(code))
			return
		}
		a.Guard = guard
		l.broker.replicas.Append(a, appended)
	}})
}

// timeout is how long a coordinator waits for replicas.
func (l *coordinatorLog) timeout() time.Duration {
	return millis(l.broker.settings(), "offsets.commit.timeout.ms")
}

// Load is of journal.Log.
func (l *coordinatorLog) Load(ctx context.Context, partition, leaderEpoch int32, visit func(record.Batch) error) error {
	return l.broker.replicas.Load(ctx, metadata.TopicPartition{Topic: l.topic, Partition: partition}, leaderEpoch, visit)
}
