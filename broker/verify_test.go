package broker

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/record"
)

// bareProducer is a transactional producer made of bare requests.
type bareProducer struct {
	t      *testing.T
	ctx    context.Context
	cl     *kgo.Client
	leader *kgo.Broker // of the topic's partition 0
	txn    string
	id     int64
	epoch  int16
	next   int32 // sequence
}

// bare makes a producer of transactional id txn, and a topic of one partition.
func bare(ctx context.Context, c *cluster, topic, txn string) *bareProducer {
	c.t.Helper()
	p := &bareProducer{t: c.t, ctx: ctx, cl: c.client(), txn: txn}
	if _, err := kadm.NewClient(p.cl).CreateTopic(ctx, 1, int16(min(3, len(c.brokers))), nil, topic); err != nil {
		c.t.Fatal(err)
	}
	for _, b := range c.brokers { // any of them may be asked
		if err := b.applied.wait(ctx, func(i *metadata.Image) bool {
			part := i.Partition(topic, 0)
			return part != nil && part.Leader >= 0
		}); err != nil {
			c.t.Fatal(err)
		}
	}
	topics, err := kadm.NewClient(p.cl).ListTopics(ctx, topic)
	if err != nil || topics.Error() != nil {
		c.t.Fatal(err, topics.Error())
	}
	p.leader = p.cl.Broker(int(topics[topic].Partitions[0].Leader))
	p.init()
	return p
}

func (p *bareProducer) init() {
	p.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &p.txn, 60_000
	resp, err := req.RequestWith(p.ctx, p.cl)
	if err != nil || resp.ErrorCode != 0 {
		p.t.Fatal(err, resp)
	}
	p.id, p.epoch, p.next = resp.ProducerID, resp.ProducerEpoch, 0
}

// produce appends one record of the transaction, or of none that txn names if it is nil.
func (p *bareProducer) produce(topic string, version int16, txn *string) (code kerror.Code, message string) {
	p.t.Helper()
	b := record.NewBuilder(record.BuilderOptions{Transactional: true, Producer: &record.Producer{ID: p.id, Epoch: p.epoch, BaseSequence: p.next}})
	b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("value")})
	batch, err := b.Build()
	if err != nil {
		p.t.Fatal(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.TransactionID, req.Acks, req.TimeoutMillis = version, txn, -1, 10_000
	rt := kmsg.NewProduceRequestTopic()
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = batch
	rt.Topic, rt.Partitions = topic, []kmsg.ProduceRequestTopicPartition{rp}
	req.Topics = []kmsg.ProduceRequestTopic{rt}
	resp, err := p.leader.Request(p.ctx, versioned{req, version})
	if err != nil {
		p.t.Fatal(err)
	}
	got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if got.ErrorMessage != nil {
		message = *got.ErrorMessage
	}
	if got.ErrorCode == 0 {
		p.next++
	}
	return kerror.Code(got.ErrorCode), message
}

// versioned is a request that goes out in one version.
type versioned struct {
	*kmsg.ProduceRequest
	version int16
}

func (v versioned) SetVersion(int16)  { v.ProduceRequest.SetVersion(v.version) }
func (v versioned) GetVersion() int16 { return v.version }
func (v versioned) MaxVersion() int16 { return v.version }

func (p *bareProducer) add(topic string) {
	p.t.Helper()
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = 3
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = p.txn, p.id, p.epoch
	rt := kmsg.NewAddPartitionsToTxnRequestTopic()
	rt.Topic, rt.Partitions = topic, []int32{0}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(p.ctx, p.cl)
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		p.t.Fatal(err, resp)
	}
}

func (p *bareProducer) end(commit bool) {
	p.t.Helper()
	for {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = p.txn, p.id, p.epoch, commit
		resp, err := req.RequestWith(p.ctx, p.cl)
		if err != nil {
			p.t.Fatal(err)
		}
		switch kerror.Code(resp.ErrorCode) {
		case kerror.OK: // asked once more, it says whether the markers are written
			describe := kmsg.NewPtrDescribeTransactionsRequest()
			describe.TransactionalIDs = []string{p.txn}
			for {
				d, err := describe.RequestWith(p.ctx, p.cl)
				if err != nil {
					p.t.Fatal(err)
				}
				if s := d.TransactionStates[0].State; s == "CompleteCommit" || s == "CompleteAbort" {
					return
				}
			}
		case kerror.ConcurrentTransactions:
		default:
			p.t.Fatal(kerror.Code(resp.ErrorCode))
		}
	}
}

// TestVerification: records of a transaction are taken only for partitions that belong to it by its
// coordinator's word, wherever that is, and only while it is under way. (KIP-890)
func TestVerification(t *testing.T) {
	c := newCluster(t, 3, map[string]string{"transaction.state.log.num.partitions": "3", "transaction.state.log.replication.factor": "3"})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for _, txn := range []string{"a", "b", "c"} { // each of another coordinator
		topic := "orders-" + txn
		p := bare(ctx, c, topic, txn)
		want := func(what string, version int16, code kerror.Code) {
			t.Helper()
			got, message := p.produce(topic, version, &p.txn)
			if got != code {
				t.Errorf("%s: %v %q, want %v", what, got, message, code)
			}
			if code == kerror.InvalidTxnState && version >= 8 && message != "Partition was not added to the transaction" {
				t.Errorf("%s: message %q", what, message)
			}
		}
		want("not added, an old client", 9, kerror.InvalidTxnState)
		want("not added", 11, kerror.TransactionAbortable)
		p.add(topic)
		want("added", 11, kerror.OK)
		want("the next", 11, kerror.OK)
		p.end(true)
		want("after the end", 10, kerror.InvalidTxnState)
		p.add(topic)
		want("the next transaction", 9, kerror.OK)
		p.end(false)
		if code, _ := p.produce(topic, 9, nil); code != kerror.TransactionalIDAuthorizationFailed {
			t.Errorf("no transactional id: %v", code)
		}
		fenced := *p
		p.init()
		fenced.next = 2
		if code, _ := fenced.produce(topic, 11, &fenced.txn); code != kerror.InvalidProducerEpoch {
			t.Errorf("a fenced producer: %v", code)
		}
		lso, err := kadm.NewClient(p.cl).ListCommittedOffsets(ctx, topic)
		end, err2 := kadm.NewClient(p.cl).ListEndOffsets(ctx, topic)
		if err != nil || err2 != nil || lso[topic][0].Offset != end[topic][0].Offset || end[topic][0].Offset != 5 { // 3 records, 2 markers
			t.Errorf("last stable offset %+v, end %+v, %v, %v", lso, end, err, err2)
		}
	}
}

// TestVerificationOff: without transaction.partition.verification.enable the coordinator is not asked.
func TestVerificationOff(t *testing.T) {
	c := newCluster(t, 1, map[string]string{"transaction.partition.verification.enable": "false"})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p := bare(ctx, c, "orders", "a")
	if code, message := p.produce("orders", 11, &p.txn); code != kerror.OK {
		t.Errorf("%v %s", code, message)
	}
}

// TestVerificationOfOffsets: the same for offsets that a transaction is to commit.
func TestVerificationOfOffsets(t *testing.T) {
	c := newCluster(t, 1, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p := bare(ctx, c, "orders", "a")
	commit := func(version int16) kerror.Code {
		t.Helper()
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.Version, req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch, req.Generation = version, p.txn, "g", p.id, p.epoch, -1
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		rp.Offset = 7
		rt.Topic, rt.Partitions = "orders", append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(ctx, p.cl)
		if err != nil {
			t.Fatal(err)
		}
		return kerror.Code(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if code := commit(4); code != kerror.TransactionAbortable {
		t.Errorf("not added: %v", code)
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = p.txn, p.id, p.epoch, "g"
	resp, err := add.RequestWith(ctx, p.cl)
	if err != nil || resp.ErrorCode != 0 {
		t.Fatal(err, resp)
	}
	if code := commit(4); code != kerror.OK {
		t.Errorf("added: %v", code)
	}
	p.end(true)
	offsets, err := kadm.NewClient(p.cl).FetchOffsets(ctx, "g")
	if err != nil || offsets["orders"][0].At != 7 {
		t.Error(offsets, err)
	}
}

// TestVerifierOrder: appends that wait run in the order in which they came, and so do those that come
// while they run.
func TestVerifierOrder(t *testing.T) {
	var v verifier
	var got []int
	key := txnKey{producerID: 1}
	run := func(n int) txnAppend {
		return txnAppend{key, func(code kerror.Code, guard uint64) {
			if code != kerror.ConcurrentTransactions || guard != 7 {
				t.Error(code, guard)
			}
			got = append(got, n)
			if n == 1 && !v.follow(txnAppend{key, func(kerror.Code, uint64) { got = append(got, 4) }}) {
				t.Error("nothing to follow while appends run")
			}
		}}
	}
	if v.follow(run(1)) || !v.begin(run(1), 7) || v.begin(run(2), 8) || !v.follow(run(3)) {
		t.Error("who is first")
	}
	v.end(key, kerror.ConcurrentTransactions)
	if len(got) != 4 || got[0] != 1 || got[1] != 2 || got[2] != 3 || got[3] != 4 {
		t.Error(got)
	}
	if v.follow(run(5)) || len(v.lines) != 0 {
		t.Error("a line is left")
	}
}
