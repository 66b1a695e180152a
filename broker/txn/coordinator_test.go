package txn

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"holt/broker/journal/journaltest"
	"holt/broker/kerror"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// blocks is a tree's blocks of producer ids.
type blocks struct {
	next  atomic.Int64
	size  int64
	delay time.Duration
	fail  atomic.Bool
}

func (b *blocks) Block(done func(first, last int64, err error)) {
	f := func() {
		if b.fail.Load() {
			done(0, 0, errors.New("no quorum"))
			return
		}
		last := b.next.Add(b.size) - 1
		done(last-b.size+1, last, nil)
	}
	if b.delay == 0 {
		f()
		return
	}
	time.AfterFunc(b.delay, f)
}

// peers is brokers that take markers. Broker 1 leads all partitions unless moved.
type peers struct {
	delay time.Duration

	mu       sync.Mutex // guards what follows
	moved    map[topicPartition]int32
	gone     map[topicPartition]bool
	answer   func(broker int32, p topicPartition) (kerror.Code, error)
	marked   map[topicPartition][]string
	requests int
	perBatch []int
	under    map[int32]int
	most     int // requests under way to one broker
}

func newPeers() *peers {
	return &peers{moved: map[topicPartition]int32{}, gone: map[topicPartition]bool{}, marked: map[topicPartition][]string{}, under: map[int32]int{}}
}

func (p *peers) Leader(topic string, partition int32) (int32, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tp := topicPartition{topic, partition}
	if b, ok := p.moved[tp]; ok {
		return b, true
	}
	return 1, !p.gone[tp]
}

func (p *peers) WriteTxnMarkers(broker int32, req *kmsg.WriteTxnMarkersRequest, done func(*kmsg.WriteTxnMarkersResponse, error)) {
	p.mu.Lock()
	p.requests++
	p.perBatch = append(p.perBatch, len(req.Markers))
	p.under[broker]++
	p.most = max(p.most, p.under[broker])
	p.mu.Unlock()
	if p.delay == 0 {
		done(p.serve(broker, req))
		return
	}
	time.AfterFunc(p.delay, func() { done(p.serve(broker, req)) })
}

func (p *peers) serve(broker int32, req *kmsg.WriteTxnMarkersRequest) (*kmsg.WriteTxnMarkersResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.under[broker]--
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	for _, m := range req.Markers {
		r := kmsg.NewWriteTxnMarkersResponseMarker()
		r.ProducerID = m.ProducerID
		for _, t := range m.Topics {
			rt := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			rt.Topic = t.Topic
			for _, q := range t.Partitions {
				tp := topicPartition{t.Topic, q}
				code, err := kerror.OK, error(nil)
				if p.answer != nil {
					code, err = p.answer(broker, tp)
				}
				if err != nil {
					return nil, err
				}
				if code == kerror.OK {
					p.marked[tp] = append(p.marked[tp], fmt.Sprintf("%d/%d commit=%v epoch=%d", m.ProducerID, m.ProducerEpoch, m.Committed, m.CoordinatorEpoch))
				}
				rt.Partitions = append(rt.Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: q, ErrorCode: int16(code)})
			}
			r.Topics = append(r.Topics, rt)
		}
		resp.Markers = append(resp.Markers, r)
	}
	return resp, nil
}

func (p *peers) of(topic string, partition int32) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.marked[topicPartition{topic, partition}]
}

func start(t testing.TB, log *journaltest.Log, p *peers) *Coordinator {
	c := New(Config{Log: log, Peers: p, ProducerIDs: &blocks{size: 1000}, Partitions: 1})
	t.Cleanup(c.Close)
	c.Gained(0, 1)
	for c.List(kmsg.NewPtrListTransactionsRequest()).ErrorCode != 0 {
		time.Sleep(time.Millisecond)
	}
	return c
}

func initID(c *Coordinator, id string) *kmsg.InitProducerIDResponse {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version = 4
	if id != "" {
		req.TransactionalID = &id
	}
	req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = 60000, -1, -1
	done := make(chan *kmsg.InitProducerIDResponse, 1)
	c.InitProducerID(req, func(r *kmsg.InitProducerIDResponse) { done <- r })
	return <-done
}

func addTo(c *Coordinator, id string, p *kmsg.InitProducerIDResponse, topic string, partitions ...int32) kerror.Code {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = 3
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, p.ProducerID, p.ProducerEpoch
	req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: partitions}}
	done := make(chan kerror.Code, 1)
	c.AddPartitions(req, nil, func(r *kmsg.AddPartitionsToTxnResponse) { done <- kerror.Code(r.Topics[0].Partitions[0].ErrorCode) })
	return <-done
}

func endTxn(c *Coordinator, id string, p *kmsg.InitProducerIDResponse, commit bool) kerror.Code {
	req := kmsg.NewPtrEndTxnRequest()
	req.Version = 3
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = id, p.ProducerID, p.ProducerEpoch, commit
	done := make(chan kerror.Code, 1)
	c.End(req, func(r *kmsg.EndTxnResponse) { done <- kerror.Code(r.ErrorCode) })
	return <-done
}

func state(c *Coordinator, id string) string {
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{id}
	r := c.Describe(req).TransactionStates[0]
	if r.ErrorCode != 0 {
		return kerror.Code(r.ErrorCode).String()
	}
	return r.State
}

func TestTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeers()
		p.delay = 5 * time.Millisecond
		c := start(t, &journaltest.Log{Delay: time.Millisecond}, p)
		id := initID(c, "t")
		if code := addTo(c, "t", id, "a", 0, 1); code != kerror.OK {
			t.Fatal(code)
		}
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = 3, "t", id.ProducerID, id.ProducerEpoch, "g"
		c.AddOffsets(req, 7, func(r *kmsg.AddOffsetsToTxnResponse) {
			if r.ErrorCode != 0 {
				t.Error(r.ErrorCode)
			}
		})
		time.Sleep(10 * time.Millisecond)
		if code := endTxn(c, "t", id, true); code != kerror.OK {
			t.Fatal(code)
		}
		if s := state(c, "t"); s != "PrepareCommit" {
			t.Errorf("%s when it is answered", s)
		}
		time.Sleep(time.Second)
		if s := state(c, "t"); s != "CompleteCommit" {
			t.Error(s)
		}
		for _, tp := range []topicPartition{{"a", 0}, {"a", 1}, {offsetsTopic, 7}} {
			if m := p.of(tp.topic, tp.partition); len(m) != 1 || m[0] != fmt.Sprintf("%d/0 commit=true epoch=1", id.ProducerID) {
				t.Errorf("%v: %v", tp, m)
			}
		}
		if p.requests != 1 {
			t.Errorf("%d requests to one broker", p.requests)
		}
	})
}

// TestChangeOfCoordinator loses the coordinator between the decision and the markers (trap 56).
func TestChangeOfCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeers()
		p.answer = func(int32, topicPartition) (kerror.Code, error) { return 0, errors.New("no route") }
		log := &journaltest.Log{}
		c := start(t, log, p)
		id := initID(c, "t")
		addTo(c, "t", id, "a", 0)
		if code := endTxn(c, "t", id, true); code != kerror.OK {
			t.Fatal(code)
		}
		time.Sleep(time.Second)
		c.Lost(0, 2)
		if code := endTxn(c, "t", id, true); code != kerror.NotCoordinator {
			t.Error(code)
		}
		p.mu.Lock()
		p.answer = nil
		p.mu.Unlock()
		other := New(Config{Log: log, Peers: p, ProducerIDs: &blocks{size: 1000}, Partitions: 1})
		defer other.Close()
		other.Gained(0, 3)
		time.Sleep(time.Second)
		if s := state(other, "t"); s != "CompleteCommit" {
			t.Error(s)
		}
		if m := p.of("a", 0); len(m) != 1 || m[0] != fmt.Sprintf("%d/0 commit=true epoch=3", id.ProducerID) {
			t.Error(m)
		}
	})
}

// TestPeerTrouble has leaders move, vanish and fail, and a topic deleted.
func TestPeerTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeers()
		p.delay = time.Millisecond
		c := start(t, &journaltest.Log{}, p)
		id := initID(c, "t")
		addTo(c, "t", id, "a", 0, 1, 2, 3)
		p.moved[topicPartition{"a", 1}] = -1
		p.moved[topicPartition{"a", 2}] = 2
		p.gone[topicPartition{"a", 3}] = true
		tries := 0
		p.answer = func(broker int32, tp topicPartition) (kerror.Code, error) {
			if tries++; broker == 2 && tries < 20 {
				return kerror.NotLeaderOrFollower, nil
			}
			return kerror.OK, nil
		}
		endTxn(c, "t", id, false)
		time.Sleep(10 * time.Second)
		if s := state(c, "t"); s != "PrepareAbort" || len(p.of("a", 0)) != 1 || len(p.of("a", 2)) != 1 || len(p.of("a", 1)) != 0 {
			t.Fatalf("%s, %v", s, p.marked)
		}
		p.mu.Lock()
		p.moved[topicPartition{"a", 1}] = 3
		p.mu.Unlock()
		time.Sleep(time.Second)
		if s := state(c, "t"); s != "CompleteAbort" || len(p.of("a", 0)) != 1 || len(p.of("a", 2)) != 1 || len(p.of("a", 1)) != 1 || len(p.of("a", 3)) != 0 {
			t.Fatalf("%s, %v", s, p.marked)
		}
	})
}

// TestBatches ends many transactions at once: one request at a time to a broker, with all that came
// meanwhile.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeers()
		p.delay = 10 * time.Millisecond
		c := start(t, &journaltest.Log{}, p)
		const n = 2500
		for i := range n {
			name := fmt.Sprint("t", i)
			id := initID(c, name)
			addTo(c, name, id, "a", int32(i))
			if code := endTxn(c, name, id, true); code != kerror.OK {
				t.Fatal(code)
			}
		}
		time.Sleep(time.Second)
		if got := c.Counts()[CompleteCommit]; got != n {
			t.Errorf("%d complete", got)
		}
		if p.requests != 4 || p.most != 1 { // the first alone, then 1000 at most
			t.Errorf("%d requests of %v, %d at a time", p.requests, p.perBatch, p.most)
		}
	})
}

// TestAnswersWithinTheCall has peers that answer at once: a loop, no recursion.
func TestAnswersWithinTheCall(t *testing.T) {
	p := newPeers()
	c := start(t, &journaltest.Log{}, p)
	for i := range 1000 {
		name := fmt.Sprint("t", i)
		id := initID(c, name)
		addTo(c, name, id, "a", int32(i))
		endTxn(c, name, id, true)
	}
	if got := c.Counts()[CompleteCommit]; got != 1000 {
		t.Errorf("%d complete", got)
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeers()
		c := start(t, &journaltest.Log{}, p)
		id := initID(c, "t")
		addTo(c, "t", id, "a", 0)
		time.Sleep(59 * time.Second)
		if s := state(c, "t"); s != "Ongoing" {
			t.Error(s)
		}
		time.Sleep(12 * time.Second)
		if s := state(c, "t"); s != "CompleteAbort" {
			t.Error(s)
		}
		if code := endTxn(c, "t", id, true); code != kerror.ProducerFenced {
			t.Error(code)
		}
		time.Sleep(8 * 24 * time.Hour)
		if s := state(c, "t"); s != "TRANSACTIONAL_ID_NOT_FOUND" {
			t.Error(s)
		}
	})
}

// TestProducerIDs hands out ids from two brokers at the same time: none twice.
func TestProducerIDs(t *testing.T) {
	for _, delay := range []time.Duration{0, 3 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			source := &blocks{size: 150, delay: delay}
			var mu sync.Mutex
			seen := map[int64]bool{}
			var wg sync.WaitGroup
			for range 2 {
				c := New(Config{Log: &journaltest.Log{}, Peers: newPeers(), ProducerIDs: source})
				defer c.Close()
				for range 10 {
					wg.Go(func() {
						for range 100 {
							r := initID(c, "")
							if r.ErrorCode != 0 || r.ProducerEpoch != 0 {
								t.Errorf("%+v", r)
							}
							mu.Lock()
							if seen[r.ProducerID] {
								t.Errorf("%d is given twice", r.ProducerID)
							}
							seen[r.ProducerID] = true
							mu.Unlock()
						}
					})
				}
			}
			wg.Wait()
			time.Sleep(time.Second)
		})
	}
}

func TestProducerIDsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &blocks{size: 10, delay: time.Millisecond}
		source.fail.Store(true)
		c := New(Config{Log: &journaltest.Log{}, Peers: newPeers(), ProducerIDs: source, Partitions: 1})
		c.Gained(0, 1)
		synctest.Wait()
		for _, id := range []string{"", "t"} {
			if r := initID(c, id); kerror.Code(r.ErrorCode) != kerror.CoordinatorLoadInProgress || r.ProducerID != -1 {
				t.Errorf("%+v", r)
			}
		}
		source.fail.Store(false)
		// More at once than a block has.
		var wg sync.WaitGroup
		for range 35 {
			wg.Go(func() {
				if r := initID(c, ""); r.ErrorCode != 0 {
					t.Error(r.ErrorCode)
				}
			})
		}
		wg.Wait()
		source.delay = time.Hour
		time.Sleep(time.Second)
		for range 30 { // those that are left, and somebody who waits
			wg.Go(func() { initID(c, "") })
		}
		synctest.Wait()
		c.Close()
		wg.Wait()
		if r := initID(c, ""); kerror.Code(r.ErrorCode) != kerror.CoordinatorLoadInProgress {
			t.Error(r.ErrorCode)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Bool
		log := &journaltest.Log{FailLoad: func(int32) error {
			if !ready.Load() {
				return errors.New("not yet")
			}
			return nil
		}}
		c := New(Config{Log: log, Peers: newPeers(), ProducerIDs: &blocks{size: 1000}, Partitions: 1})
		p := &kmsg.InitProducerIDResponse{ProducerID: 5}
		check := func(when string, want kerror.Code) {
			t.Helper()
			got := [...]kerror.Code{kerror.Code(initID(c, "t").ErrorCode), addTo(c, "t", p, "a", 0), endTxn(c, "t", p, true)}
			for i := range got {
				if got[i] != want {
					t.Errorf("%s: %v, want %v", when, got, want)
				}
			}
			if s := state(c, "t"); s != want.String() {
				t.Errorf("%s: %s", when, s)
			}
		}
		check("absent", kerror.NotCoordinator)
		c.Gained(0, 1)
		check("loading", kerror.CoordinatorLoadInProgress)
		if r := c.List(kmsg.NewPtrListTransactionsRequest()); kerror.Code(r.ErrorCode) != kerror.CoordinatorLoadInProgress {
			t.Error(r.ErrorCode)
		}
		ready.Store(true)
		time.Sleep(2 * time.Second)
		if code := addTo(c, "", p, "a", 0); code != kerror.InvalidRequest {
			t.Error(code)
		}
		if code := endTxn(c, "", p, true); code != kerror.InvalidRequest {
			t.Error(code)
		}
		if code := addTo(c, string(make([]byte, 40000)), p, "a", 0); code != kerror.InvalidRequest {
			t.Error(code)
		}
		if code := addTo(c, "t", p, string(make([]byte, 40000)), 0); code != kerror.InvalidTopicException {
			t.Error(code)
		}
		if s := state(c, ""); s != "INVALID_REQUEST" {
			t.Error(s)
		}
		c.Close()
		check("closed", kerror.CoordinatorNotAvailable)
	})
}

// TestVersions sends responses of each version over the wire.
func TestVersions(t *testing.T) {
	c := start(t, &journaltest.Log{}, newPeers())
	trip := func(r kmsg.Response) {
		t.Helper()
		again := kmsg.ResponseForKey(r.Key())
		again.SetVersion(r.GetVersion())
		if err := again.ReadFrom(r.AppendTo(nil)); err != nil {
			t.Fatalf("%T version %d: %v", r, r.GetVersion(), err)
		}
	}
	id := initID(c, "t")
	name := "t"
	for v := range int16(6) {
		i := kmsg.NewPtrInitProducerIDRequest()
		i.Version, i.TransactionalID, i.TransactionTimeoutMillis, i.ProducerID, i.ProducerEpoch = v, &name, 1000, 77, 7
		c.InitProducerID(i, func(r *kmsg.InitProducerIDResponse) {
			trip(r)
			if v < 3 { // says nothing of an epoch
				id = r
			} else if want := map[bool]kerror.Code{true: kerror.InvalidProducerEpoch, false: kerror.ProducerFenced}[v < 4]; kerror.Code(r.ErrorCode) != want {
				t.Errorf("version %d: %d", v, r.ErrorCode)
			}
		})
		a := kmsg.NewPtrAddPartitionsToTxnRequest()
		a.Version, a.TransactionalID, a.ProducerID, a.ProducerEpoch = v, name, id.ProducerID, id.ProducerEpoch
		a.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "a", Partitions: []int32{0, 1}}, {Topic: "b", Partitions: []int32{0}}}
		tx := func(id string, pid int64, epoch int16, verify bool) kmsg.AddPartitionsToTxnRequestTransaction {
			return kmsg.AddPartitionsToTxnRequestTransaction{TransactionalID: id, ProducerID: pid, ProducerEpoch: epoch, VerifyOnly: verify,
				Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "a", Partitions: []int32{0, 5}}}}
		}
		a.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{tx(name, id.ProducerID, id.ProducerEpoch, true), tx("nobody", 1, 1, false)}
		c.AddPartitions(a, func(topic string, _ int32) kerror.Code {
			if topic == "b" {
				return kerror.TopicAuthorizationFailed
			}
			return kerror.OK
		}, func(r *kmsg.AddPartitionsToTxnResponse) {
			trip(r)
			if v < 4 && (len(r.Topics) != 2 || r.Topics[0].Partitions[1].ErrorCode != 55 || r.Topics[1].Partitions[0].ErrorCode != 29) {
				t.Errorf("version %d: %+v", v, r.Topics)
			}
			if v >= 4 && (len(r.Transactions) != 2 || r.Transactions[0].Topics[0].Partitions[0].ErrorCode != 120 || r.Transactions[1].Topics[0].Partitions[1].ErrorCode != 49) {
				t.Errorf("version %d: %+v", v, r.Transactions)
			}
		})
	}
	c.AddPartitions(&kmsg.AddPartitionsToTxnRequest{Version: 4}, nil, func(r *kmsg.AddPartitionsToTxnResponse) { trip(r) })
	trip(c.List(kmsg.NewPtrListTransactionsRequest()))
}
