package broker

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/journal"
	"holt/broker/kerror"
	"holt/broker/metadata"
)

// Before the first records of a transaction go into a log, its coordinator confirms that the log's
// partition belongs to it: records that no marker will ever end would hold back all who read
// committed records, for ever. (KIP-890; Kafka: AddPartitionsToTxnManager)

// verifyTimeout bounds how long an append waits for the coordinator.
const verifyTimeout = 10 * time.Second

// txnKey is one producer's part in one partition.
type txnKey struct {
	tp         metadata.TopicPartition
	producerID int64
	epoch      int16
}

// txnAppend is an append of a transaction's records. run is called once, perhaps within verify: with
// OK and the guard to append with, or with what the coordinator has against it.
type txnAppend struct {
	txnKey
	run func(code kerror.Code, guard uint64)
}

// verifier keeps in order the appends of a producer to a partition while the first of them waits for
// the coordinator: their sequence numbers ask for it. Its lines hold no more than there are
// requests under way. The zero value is ready.
type verifier struct {
	mu    sync.Mutex
	lines map[txnKey]*txnLine
}

type txnLine struct {
	guard uint64
	queue []func(kerror.Code, uint64)
}

// follow puts an append behind those that wait, if there are such.
func (v *verifier) follow(a txnAppend) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.lines[a.txnKey]
	if l == nil {
		return false
	}
	l.queue = append(l.queue, a.run)
	return true
}

// begin makes an append the first that waits, unless another has come before it.
func (v *verifier) begin(a txnAppend, guard uint64) (first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.lines[a.txnKey]
	if first = l == nil; first {
		l = &txnLine{guard: guard}
		if v.lines == nil {
			v.lines = map[txnKey]*txnLine{}
		}
		v.lines[a.txnKey] = l
	}
	l.queue = append(l.queue, a.run)
	return first
}

// end runs those that wait, one after the other, and those that come meanwhile.
func (v *verifier) end(key txnKey, code kerror.Code) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := v.lines[key]
	for len(l.queue) > 0 {
		run := l.queue[0]
		l.queue = l.queue[1:]
		v.mu.Unlock()
		run(code, l.guard)
		v.mu.Lock()
	}
	delete(v.lines, key)
}

// verifies reports whether coordinators are asked at all.
func (b *Broker) verifies() bool {
	return b.settings().BrokerBool("transaction.partition.verification.enable")
}

// verify runs appends of one transaction: at once where the transaction has records in the log
// already, and where it has none when the coordinator has spoken. It does not wait.
func (b *Broker) verify(txnID string, appends ...txnAppend) {
	var ask []txnKey
	for _, a := range appends {
		if b.verifier.follow(a) {
			continue
		}
		guard := b.replicas.Verify(a.tp, a.producerID, a.epoch)
		if guard == 0 {
			a.run(kerror.OK, 0)
			continue
		}
		if b.verifier.begin(a, guard) {
			ask = append(ask, a.txnKey)
		}
	}
	for len(ask) > 0 { // all of a client are of one producer; what is not is asked for by itself
		n := 1
		for n < len(ask) && ask[n].producerID == ask[0].producerID && ask[n].epoch == ask[0].epoch {
			n++
		}
		part := ask[:n:n]
		ask = ask[n:]
		b.wg.Go(func() {
			codes := b.askCoordinator(txnID, part)
			for i, key := range part {
				b.verifier.end(key, codes[i])
			}
		})
	}
}

// askCoordinator asks which partitions belong to a producer's transaction, and returns a code for
// each: OK, or what AddPartitionsToTxn has for it, TRANSACTION_ABORTABLE for one that does not.
func (b *Broker) askCoordinator(txnID string, keys []txnKey) []kerror.Code {
	ctx, cancel := context.WithTimeout(context.Background(), verifyTimeout)
	defer cancel()
	codes := make([]kerror.Code, len(keys))
	set := func(code kerror.Code) []kerror.Code {
		for i := range codes {
			codes[i] = code
		}
		return codes
	}
	image := b.applied.get()
	topic := image.Topic(transactionsTopic)
	if topic == nil || len(topic.Partitions) == 0 {
		return set(kerror.CoordinatorNotAvailable)
	}
	leader, _ := markers{b}.Leader(transactionsTopic, journal.PartitionFor(txnID, int32(len(topic.Partitions))))
	if leader < 0 {
		return set(kerror.CoordinatorNotAvailable)
	}
	resp, err := b.doVerify(ctx, leader, verifyRequest(txnID, keys))
	if err != nil {
		b.log.Warn("transaction is not verified", errField(err))
		return set(kerror.NetworkException)
	}
	if code := kerror.Code(resp.ErrorCode); code != kerror.OK {
		return set(code)
	}
	answers := map[metadata.TopicPartition]kerror.Code{}
	for _, t := range resp.Transactions {
		for _, rt := range t.Topics {
			for _, p := range rt.Partitions {
				answers[metadata.TopicPartition{Topic: rt.Topic, Partition: p.Partition}] = kerror.Code(p.ErrorCode)
			}
		}
	}
	for i, key := range keys {
		code, ok := answers[key.tp]
		if !ok {
			code = kerror.NetworkException
		}
		codes[i] = code
	}
	return codes
}

func (b *Broker) doVerify(ctx context.Context, leader int32, req *kmsg.AddPartitionsToTxnRequest) (*kmsg.AddPartitionsToTxnResponse, error) {
	if leader != b.id {
		resp, err := b.peers.Do(ctx, leader, req)
		if err != nil {
			return nil, err
		}
		return resp.(*kmsg.AddPartitionsToTxnResponse), nil
	}
	answer := make(chan *kmsg.AddPartitionsToTxnResponse, 1)
	b.txns.AddPartitions(req, nil, func(resp *kmsg.AddPartitionsToTxnResponse) { answer <- resp })
	select {
	case resp := <-answer:
		return resp, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func verifyRequest(txnID string, keys []txnKey) *kmsg.AddPartitionsToTxnRequest {
	t := kmsg.NewAddPartitionsToTxnRequestTransaction()
	t.TransactionalID, t.ProducerID, t.ProducerEpoch, t.VerifyOnly = txnID, keys[0].producerID, keys[0].epoch, true
	for _, key := range keys {
		if n := len(t.Topics); n == 0 || t.Topics[n-1].Topic != key.tp.Topic {
			rt := kmsg.NewAddPartitionsToTxnRequestTransactionTopic()
			rt.Topic = key.tp.Topic
			t.Topics = append(t.Topics, rt)
		}
		rt := &t.Topics[len(t.Topics)-1]
		rt.Partitions = append(rt.Partitions, key.tp.Partition)
	}
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version, req.Transactions = 5, []kmsg.AddPartitionsToTxnRequestTransaction{t}
	return req
}

// verdictForProducer is what a producer hears of the coordinator's word, as its version of Produce
// knows it. What passes is told by a code that old clients try again by, without asking who leads.
// (Kafka: ReplicaManager.handleProduceAppend)
func verdictForProducer(code kerror.Code, version int16) (kerror.Code, string) {
	switch code {
	case kerror.TransactionAbortable:
		if version < 11 {
			code = kerror.InvalidTxnState
		}
		return code, "Partition was not added to the transaction"
	case kerror.ProducerFenced:
		return kerror.InvalidProducerEpoch, ""
	case kerror.ConcurrentTransactions, kerror.NetworkException, kerror.CoordinatorLoadInProgress,
		kerror.CoordinatorNotAvailable, kerror.NotCoordinator:
		return kerror.NotEnoughReplicas, "Unable to verify the partition has been added to the transaction. Underlying error: " + code.String()
	}
	return code, ""
}

// verdictForGroup is the same for the group coordinator, which writes offsets of a transaction.
func verdictForGroup(code kerror.Code) kerror.Code {
	switch code {
	case kerror.ProducerFenced:
		return kerror.InvalidProducerEpoch
	case kerror.ConcurrentTransactions, kerror.CoordinatorLoadInProgress, kerror.CoordinatorNotAvailable, kerror.NotCoordinator:
		return kerror.NetworkException // what group.commitCode makes a code of that clients try again by
	}
	return code
}
