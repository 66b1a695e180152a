package replica

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"holt/broker/kerror"
	"holt/broker/metadata"
	"holt/broker/protocol"
)

// Fetch is a request for records, by a consumer or a follower.
type Fetch struct {
	// Req must stay as it is until done is called.
	Req *protocol.FetchRequest
	// Readable says whether the client may read a topic.
	Readable func(topic string) bool
	// Listener is where the client came in; it is not sent to brokers that do not have it.
	Listener string
}

// fetchPart is one partition of a fetch, and of a session.
type fetchPart struct {
	topic string // "" if the id is of no topic that is known
	id    metadata.TopicID
	want  protocol.FetchPartition
	r     *replica    // nil if it is not here
	code  kerror.Code // why it cannot be read at all

	// What a session's client was told last; -1: something is to be told in any case.
	toldHW, toldStart int64
}

// fetch is a Fetch under way.
//
//	read ──enough──▶ over: done is called
//	 │ not enough        ▲
//	 ▼                   │ enough, time is up, or the broker drains
//	parked ──woken──▶ read again
type fetch struct {
	set      *Set
	req      *protocol.FetchRequest
	follower bool
	hurried  bool   // a follower that is told of each high watermark; see hurries
	anywhere bool   // a consumer that may read from followers
	listener string // where it came in
	parts    []*fetchPart
	session  *session // nil: none
	answer   sessionAnswer
	done     func(resp *protocol.FetchResponse, release func())

	mu     sync.Mutex
	busy   bool // somebody reads
	again  bool // and shall do it again
	last   bool // and then answer whatever there is
	over   bool
	parked bool
	timer  *time.Timer
}

// Fetch reads records and calls done once: at once, or when there is as much as is asked for, or an
// error, or the time is up. What the answer refers to is good until release is called.
func (s *Set) Fetch(q Fetch, done func(resp *protocol.FetchResponse, release func())) {
	f := &fetch{set: s, req: q.Req, follower: q.Req.ReplicaID >= 0, anywhere: anywhere(q.Req), listener: q.Listener, done: done,
		busy: true} // until its parts are known
	f.hurried = f.hurries()
	code := s.sessions.begin(f, q.Req)
	if code != kerror.OK {
		done(&protocol.FetchResponse{Code: code}, func() {})
		return
	}
	f.resolve(q.Readable)
	if f.follower {
		f.record()
	}
	f.mu.Lock()
	f.busy = false
	f.mu.Unlock()
	f.attempt(q.Req.MaxWaitMillis <= 0)
	f.mu.Lock()
	over := f.over
	f.mu.Unlock()
	if !over {
		f.park()
		f.attempt(s.drained.Load()) // what came between reading and parking
	}
}

// resolve finds the replicas of the parts.
func (f *fetch) resolve(readable func(topic string) bool) {
	image := f.set.image.Load()
	topic, may := "", false
	byID := f.req.Version >= protocol.FetchTopicIDs
	for _, p := range f.parts {
		p.code = kerror.OK
		if byID && p.topic == "" || p.r == nil {
			f.find(p, byID, image)
		}
		if p.code != kerror.OK {
			continue
		}
		if p.topic != topic || topic == "" {
			topic, may = p.topic, readable(p.topic)
		}
		if !may {
			p.code = kerror.TopicAuthorizationFailed
		}
	}
}

// find looks a part up.
func (f *fetch) find(p *fetchPart, byID bool, image *metadata.Image) {
	if image == nil {
		p.code = kerror.NotLeaderOrFollower
		return
	}
	if byID {
		t := image.TopicByID(p.id)
		if t == nil {
			p.code = kerror.UnknownTopicID
			return
		}
		p.topic = t.Name
	}
	p.r, p.code = f.set.find(metadata.TopicPartition{Topic: p.topic, Partition: p.want.Index})
}

// record notes what a follower's request says of its logs.
func (f *fetch) record() {
	for _, p := range f.parts {
		if p.code == kerror.OK {
			f.recordPart(p)
		}
	}
}

func (f *fetch) recordPart(p *fetchPart) {
	r := p.r
	r.as.RLock()
	ok := r.lead(p.want.CurrentLeaderEpoch) == kerror.OK && !f.mistaken(p, r)
	if !ok || f.diverging(p) != nil || p.want.Offset > r.log.EndOffset() || p.want.Offset < r.log.StartOffset() {
		r.as.RUnlock()
		return // the read tells why
	}
	var w wakes
	r.mu.Lock()
	moved, code := r.core.fetched(r.set.now(), fetched{
		From: f.req.ReplicaID, BrokerEpoch: f.req.ReplicaEpoch, Offset: p.want.Offset, LogStart: p.want.LogStartOffset,
	})
	hw := r.core.hw
	may := code == kerror.OK && !r.sent && (len(r.core.isr) < len(r.core.replicas) || r.core.recovering)
	if len(r.deletions) > 0 {
		w.deletes = append(w.deletes, r.deletions...)
	}
	r.settleLocked(&w, moved, false)
	r.mu.Unlock()
	r.raise(moved, hw)
	r.as.RUnlock()
	p.code = code
	w.run()
	if may {
		r.propose(false)
	}
}

// mistaken: the id is of another topic than the one here.
func (f *fetch) mistaken(p *fetchPart, r *replica) bool {
	return f.req.Version >= protocol.FetchTopicIDs && p.id != r.id
}

// diverging says where a reader's log and the leader's part, if they do. r.as is held.
func (f *fetch) diverging(p *fetchPart) *protocol.EpochEnd {
	if p.want.LastFetchedEpoch < 0 {
		return nil
	}
	epoch, end := p.r.log.EpochEnd(p.want.LastFetchedEpoch)
	if epoch < p.want.LastFetchedEpoch || end < p.want.Offset {
		return &protocol.EpochEnd{Epoch: epoch, EndOffset: end}
	}
	return nil
}

// attempt reads, and answers if that is enough or, with last, in any case. Calls while one is under
// way have it read once more.
func (f *fetch) attempt(last bool) {
	f.mu.Lock()
	f.last = f.last || last
	if f.over || f.busy {
		f.again = true
		f.mu.Unlock()
		return
	}
	f.busy = true
	for {
		f.again = false
		f.mu.Unlock()
		g := f.read()
		enough := g.urgent || g.bytes >= int(f.req.MinBytes)
		f.mu.Lock()
		if enough || f.last {
			f.over = true
			f.mu.Unlock()
			f.finish(g)
			return
		}
		if !f.again {
			f.busy = false
			f.mu.Unlock()
			g.release()
			return
		}
		g.release()
	}
}

// park has the replicas wake f.
func (f *fetch) park() {
	f.mu.Lock()
	if f.over {
		f.mu.Unlock()
		return
	}
	f.parked = true
	f.timer = time.AfterFunc(time.Duration(f.req.MaxWaitMillis)*time.Millisecond, func() { f.attempt(true) })
	f.mu.Unlock()
	for _, p := range f.parts {
		if p.r != nil && p.code == kerror.OK {
			p.r.park(f)
		}
	}
	f.mu.Lock()
	over := f.over // meanwhile
	f.mu.Unlock()
	if over {
		f.unpark()
	}
}

func (f *fetch) unpark() {
	for _, p := range f.parts {
		if p.r != nil {
			p.r.unpark(f)
		}
	}
}

func (r *replica) park(f *fetch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := &r.consumers
	if f.follower {
		m = &r.followers
	}
	if *m == nil {
		*m = map[*fetch]struct{}{}
	}
	(*m)[f] = struct{}{}
}

func (r *replica) unpark(f *fetch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.consumers, f)
	delete(r.followers, f)
}

// finish answers; f is over.
func (f *fetch) finish(g *reading) {
	f.mu.Lock()
	parked, timer := f.parked, f.timer
	f.mu.Unlock()
	if parked {
		timer.Stop()
		f.unpark()
	}
	f.recordServed(g)
	resp := f.set.sessions.end(f, g)
	if f.follower {
		f.set.metrics.ReplicatedOut.Add(int64(g.bytes))
	} else {
		f.set.metrics.BytesOut.Add(int64(g.bytes))
		f.set.metrics.FollowedOut.Add(int64(g.followed))
		f.set.metrics.SentNear.Add(int64(g.sentNear))
	}
	f.done(resp, func() {
		for i := range g.slices {
			if err := g.slices[i].Release(); err != nil {
				f.set.log.Warn("segment is not closed", zap.Error(err))
			}
		}
	})
}
