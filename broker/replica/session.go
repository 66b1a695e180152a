package replica

import (
	"container/list"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/protocol"
)

// sessionIdle is how long a session may be idle before another one may take its place.
// (Kafka: min.incremental.fetch.session.eviction.ms)
const sessionIdle = 2 * time.Minute

// partKey names a partition as a session's client does: by name, or by id.
type partKey struct {
	topic string
	id    metadata.TopicID
	index int32
}

// session remembers what a client fetches, so that it need not say so again, and what it was told,
// so that only what has changed is told again (KIP-227).
type session struct {
	id       int32
	byID     bool
	follower bool
	parts    map[partKey]*list.Element // of order
	order    *list.List                // of *fetchPart; those that gave records go to the end
	epoch    int32                     // that the next request must have
	busy     bool                      // a request is under way
	now      *fetch                    // which
	used     time.Time
	at       *list.Element // in sessions.lru
}

// sessionAnswer says how a fetch is to be answered.
type sessionAnswer struct {
	id     int32 // of the session, 0 none
	onlyIf bool  // partitions with nothing new are left out
}

// sessions are all fetch sessions of a broker. Its lock is a leaf; what a session holds belongs to
// the request that is under way in it, of which there is one at a time.
type sessions struct {
	mu   sync.Mutex
	max  int
	byID map[int32]*session
	lru  *list.List // of *session, the one used longest ago first
}

func (s *sessions) init(limit int) {
	s.max, s.byID, s.lru = limit, map[int32]*session{}, list.New()
}

func (s *sessions) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

// begin finds out what f asks for. (Kafka: FetchManager.newContext)
func (s *sessions) begin(f *fetch, req *protocol.FetchRequest) kerror.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.SessionEpoch <= 0 { // a full fetch; 0 wants a session, -1 none
		if old := s.byID[req.SessionID]; old != nil && req.SessionID != 0 {
			s.removeLocked(old)
		}
		f.parts = partsOf(req)
		if req.SessionEpoch == 0 && len(f.parts) > 0 {
			f.session = s.createLocked(f, req)
		}
		if f.session != nil {
			f.answer.id = f.session.id
		}
		return kerror.OK
	}
	x := s.byID[req.SessionID]
	switch {
	case x == nil:
		return kerror.FetchSessionIDNotFound
	case x.epoch != req.SessionEpoch || x.busy:
		return kerror.InvalidFetchSessionEpoch
	case x.byID != (req.Version >= protocol.FetchTopicIDs):
		return kerror.FetchSessionTopicIDError
	}
	if x.epoch++; x.epoch < 0 {
		x.epoch = 1
	}
	x.update(req)
	if x.order.Len() == 0 {
		s.removeLocked(x)
		return kerror.OK
	}
	x.busy, x.now, x.used = true, f, time.Now()
	s.lru.MoveToBack(x.at)
	f.session, f.answer = x, sessionAnswer{id: x.id, onlyIf: true}
	for e := x.order.Front(); e != nil; e = e.Next() {
		f.parts = append(f.parts, e.Value.(*fetchPart))
	}
	return kerror.OK
}

// partsOf are the partitions of a request; names are their own.
func partsOf(req *protocol.FetchRequest) []*fetchPart {
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	flat, parts := make([]fetchPart, 0, n), make([]*fetchPart, 0, n)
	for i := range req.Topics {
		t := &req.Topics[i]
		name := strings.Clone(t.Name)
		for _, want := range t.Partitions {
			flat = append(flat, fetchPart{topic: name, id: t.ID, want: want, toldHW: -1, toldStart: -1})
			parts = append(parts, &flat[len(flat)-1])
		}
	}
	return parts
}

func keyOf(p *fetchPart, byID bool) partKey {
	if byID {
		return partKey{id: p.id, index: p.want.Index}
	}
	return partKey{topic: p.topic, index: p.want.Index}
}

// createLocked makes a session for f; nil if there is no room.
func (s *sessions) createLocked(f *fetch, req *protocol.FetchRequest) *session {
	if !s.roomLocked(f.follower) {
		return nil
	}
	x := &session{byID: req.Version >= protocol.FetchTopicIDs, follower: f.follower, epoch: 1, busy: true, now: f, used: time.Now(),
		parts: make(map[partKey]*list.Element, len(f.parts)), order: list.New()}
	for x.id == 0 || s.byID[x.id] != nil {
		x.id = rand.Int32()
	}
	kept := f.parts[:0]
	for _, p := range f.parts {
		if k := keyOf(p, x.byID); x.parts[k] == nil {
			x.parts[k] = x.order.PushBack(p)
			kept = append(kept, p)
		}
	}
	f.parts = kept
	s.byID[x.id] = x
	x.at = s.lru.PushBack(x)
	return x
}

// roomLocked makes room for a session: of one that is idle, or, for a follower, of a consumer's.
func (s *sessions) roomLocked(follower bool) bool {
	if len(s.byID) < s.max {
		return true
	}
	now := time.Now()
	for e := s.lru.Front(); e != nil; e = e.Next() {
		if x := e.Value.(*session); !x.busy && (now.Sub(x.used) > sessionIdle || follower && !x.follower) {
			s.removeLocked(x)
			return true
		}
	}
	return false
}

func (s *sessions) removeLocked(x *session) {
	if s.byID[x.id] == x {
		delete(s.byID, x.id)
		s.lru.Remove(x.at)
	}
}

// update takes what a request adds to, changes in and removes from the session.
func (x *session) update(req *protocol.FetchRequest) {
	for _, p := range partsOf(req) {
		k := keyOf(p, x.byID)
		if e := x.parts[k]; e != nil {
			e.Value.(*fetchPart).want = p.want
			continue
		}
		x.parts[k] = x.order.PushBack(p)
	}
	for i := range req.Forgotten {
		t := &req.Forgotten[i]
		for _, index := range t.Partitions {
			k := partKey{topic: t.Name, index: index}
			if x.byID {
				k = partKey{id: t.ID, index: index}
			}
			if e := x.parts[k]; e != nil {
				x.order.Remove(e)
				delete(x.parts, k)
			}
		}
	}
}

// end makes the answer of what was read.
func (s *sessions) end(f *fetch, g *reading) *protocol.FetchResponse {
	resp := &protocol.FetchResponse{SessionID: f.answer.id}
	byID := f.req.Version >= protocol.FetchTopicIDs
	last := -1
	for i, p := range f.parts {
		at := &g.parts[i]
		if f.session != nil && !p.tell(at) && f.answer.onlyIf {
			continue
		}
		if last < 0 || !sameTopic(f.parts[last], p, byID) {
			t := protocol.FetchedTopic{}
			if byID {
				t.ID = p.id
			} else {
				t.Name = p.topic
			}
			resp.Topics = append(resp.Topics, t)
		}
		last = i
		t := &resp.Topics[len(resp.Topics)-1]
		t.Partitions = append(t.Partitions, *at)
	}
	if x := f.session; x != nil {
		s.mu.Lock()
		for i, p := range f.parts {
			if len(g.parts[i].Records) > 0 && f.answer.onlyIf {
				x.order.MoveToBack(x.parts[keyOf(p, x.byID)])
			}
		}
		x.busy, x.now = false, nil
		s.mu.Unlock()
	}
	return resp
}

func sameTopic(a, b *fetchPart, byID bool) bool {
	if byID {
		return a.id == b.id
	}
	return a.topic == b.topic
}

// tell reports whether a session's client is to be told of the partition, and takes note of what it
// will have been told. (Kafka: CachedPartition.maybeUpdateResponseData)
func (p *fetchPart) tell(at *protocol.FetchedPartition) bool {
	must := len(at.Records) > 0 || at.Code != kerror.OK || at.Diverging != nil || at.PreferredReadReplica >= 0 || at.HighWatermark != p.toldHW || at.LogStartOffset != p.toldStart
	p.toldHW, p.toldStart = at.HighWatermark, at.LogStartOffset
	if at.Code != kerror.OK {
		p.toldHW = -1
		p.r = nil // looked for again
	}
	return must
}

// hurryFollowers answers the followers that wait, so that they look what else is led here now.
func (s *sessions) hurryFollowers() {
	var waiting []*fetch
	s.mu.Lock()
	for _, x := range s.byID {
		if x.follower && x.now != nil {
			waiting = append(waiting, x.now)
		}
	}
	s.mu.Unlock()
	for _, f := range waiting {
		f.attempt(true)
	}
}
