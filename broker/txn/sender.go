package txn

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holt/broker/kerror"
)

// markersPerRequest bounds a WriteTxnMarkers request.
const markersPerRequest = 1000

// sender sends markers to the leaders of partitions: one request at a time to a broker, with all
// markers for it that came meanwhile. Its queues hold what cores have sent and not heard of, which is
// as much as there are transactions.
type sender struct {
	peers Peers
	done  func(Marked)

	mu      sync.Mutex // guards what follows; not held in calls of peers and done
	brokers map[int32]*brokerQueue
	closed  bool
}

type brokerQueue struct {
	queue   []Markers // each with the partitions that the broker leads
	busy    bool      // a request is under way
	pumping bool      // somebody is in pump
}

func newSender(peers Peers, done func(Marked)) *sender {
	return &sender{peers: peers, done: done, brokers: make(map[int32]*brokerQueue)}
}

// send sends markers to whoever leads their partitions. done is called for all of them in the end, in
// parts, unless the sender is closed before.
func (s *sender) send(m Markers) {
	byBroker := make(map[int32][]topicPartition)
	var gone, leaderless []topicPartition
	for _, p := range m.Partitions {
		switch broker, exists := s.peers.Leader(p.topic, p.partition); {
		case !exists:
			gone = append(gone, p)
		case broker < 0:
			leaderless = append(leaderless, p)
		default:
			byBroker[broker] = append(byBroker[broker], p)
		}
	}
	if len(gone) > 0 || len(m.Partitions) == 0 {
		s.report(m, gone, kerror.OK)
	}
	if len(leaderless) > 0 {
		s.report(m, leaderless, kerror.LeaderNotAvailable)
	}
	for broker, ps := range byBroker {
		part := m
		part.Partitions = ps
		s.enqueue(broker, part)
	}
}

func (s *sender) report(m Markers, ps []topicPartition, code kerror.Code) {
	m.Partitions = ps
	codes := make([]kerror.Code, len(ps))
	for i := range codes {
		codes[i] = code
	}
	s.done(Marked{m, codes})
}

func (s *sender) enqueue(broker int32, m Markers) {
	s.mu.Lock()
	b := s.brokers[broker]
	if b == nil {
		b = &brokerQueue{}
		s.brokers[broker] = b
	}
	b.queue = append(b.queue, m)
	s.mu.Unlock()
	s.pump(broker, b)
}

// pump sends what is queued for a broker unless a request is under way. A peer that answers within the
// call makes it a loop, not a recursion.
func (s *sender) pump(broker int32, b *brokerQueue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.pumping {
		return
	}
	b.pumping = true
	for !b.busy && len(b.queue) > 0 && !s.closed {
		n := min(len(b.queue), markersPerRequest)
		batch := b.queue[:n:n]
		b.queue = b.queue[n:]
		b.busy = true
		s.mu.Unlock()
		s.peers.WriteTxnMarkers(broker, markersRequest(batch), func(resp *kmsg.WriteTxnMarkersResponse, err error) {
			s.answered(broker, b, batch, resp, err)
		})
		s.mu.Lock()
	}
	b.pumping = false
}

func (s *sender) answered(broker int32, b *brokerQueue, batch []Markers, resp *kmsg.WriteTxnMarkersResponse, err error) {
	s.mu.Lock()
	b.busy = false
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return
	}
	s.pump(broker, b)
	outcomes := outcomesOf(resp, err)
	for _, m := range batch {
		codes := make([]kerror.Code, len(m.Partitions))
		for i, p := range m.Partitions {
			var ok bool
			if codes[i], ok = outcomes[outcomeKey{m.ProducerID, p}]; !ok {
				codes[i] = kerror.NetworkException
			}
		}
		s.done(Marked{m, codes})
	}
}

// close ends sending. Answers that still come are dropped.
func (s *sender) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

func markersRequest(batch []Markers) *kmsg.WriteTxnMarkersRequest {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Version = 1
	for _, m := range batch {
		r := kmsg.NewWriteTxnMarkersRequestMarker()
		r.ProducerID, r.ProducerEpoch, r.Committed, r.CoordinatorEpoch = m.ProducerID, m.ProducerEpoch, m.Commit, m.CoordinatorEpoch
		for _, p := range m.Partitions { // sorted by topic
			if n := len(r.Topics); n == 0 || r.Topics[n-1].Topic != p.topic {
				t := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
				t.Topic = p.topic
				r.Topics = append(r.Topics, t)
			}
			t := &r.Topics[len(r.Topics)-1]
			t.Partitions = append(t.Partitions, p.partition)
		}
		req.Markers = append(req.Markers, r)
	}
	return req
}

type outcomeKey struct {
	producerID int64
	topicPartition
}

func outcomesOf(resp *kmsg.WriteTxnMarkersResponse, err error) map[outcomeKey]kerror.Code {
	if err != nil || resp == nil {
		return nil
	}
	codes := make(map[outcomeKey]kerror.Code)
	for i := range resp.Markers {
		m := &resp.Markers[i]
		for k := range m.Topics {
			for _, p := range m.Topics[k].Partitions {
				codes[outcomeKey{m.ProducerID, topicPartition{m.Topics[k].Topic, p.Partition}}] = kerror.Code(p.ErrorCode)
			}
		}
	}
	return codes
}
