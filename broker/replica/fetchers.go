package replica

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"holt/broker/kerror"
	"holt/broker/protocol"
)

// fetchers are the goroutines that copy from leaders, one for each broker that leads something
// which is followed here.
type fetchers struct {
	set *Set
	wg  sync.WaitGroup

	mu     sync.Mutex
	by     map[int32]*fetcher
	closed bool
}

func (f *fetchers) init(s *Set) { f.set, f.by = s, map[int32]*fetcher{} }

// assign has a replica fetch from its leader.
func (f *fetchers) assign(r *replica) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	x := f.by[r.leader]
	if x == nil {
		x = &fetcher{set: f.set, broker: r.leader, woken: make(chan struct{}, 1), parts: map[*replica]*followed{}}
		x.session.reset()
		f.by[r.leader] = x
		f.wg.Go(x.run)
	}
	x.mu.Lock()
	x.parts[r] = &followed{r: r, epoch: r.epoch}
	x.mu.Unlock()
	x.wake()
}

// remove ends the fetching of a replica; what is under way for it is not appended.
func (f *fetchers) remove(r *replica) {
	f.mu.Lock()
	all := make([]*fetcher, 0, len(f.by))
	for _, x := range f.by {
		all = append(all, x)
	}
	f.mu.Unlock()
	for _, x := range all {
		x.mu.Lock()
		delete(x.parts, r)
		x.mu.Unlock()
	}
	r.lag.Store(0)
}

// wake has all fetchers look at once what there is to do.
func (f *fetchers) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.by {
		x.wake()
	}
}

// close waits for the fetchers; the set's context has ended.
func (f *fetchers) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wake()
	f.wg.Wait()
}

// followed is a partition that a fetcher copies.
type followed struct {
	r     *replica
	epoch int32 // of the leader that it was assigned for

	// The rest belongs to the fetcher's goroutine.
	failures int     // in a row
	notTill  instant // the next fetch
	near     bool    // it had all that was committed, as the leader said last
}

// fetcher copies from one leader.
type fetcher struct {
	set     *Set
	broker  int32
	woken   chan struct{} // of capacity 1
	session clientSession // of its goroutine

	mu    sync.Mutex
	parts map[*replica]*followed
}

func (x *fetcher) wake() {
	select {
	case x.woken <- struct{}{}:
	default:
	}
}

// Pauses after failures, which double up to Config.FetchBackoff; and how long and how often a
// fetcher asks without much waiting when the leader answered early with nothing: it has begun to
// lead something, which this broker will hear of any moment.
const (
	retryMin  = 20 * time.Millisecond
	hurryWait = 20 * time.Millisecond
	hurryMax  = 15
)

func (x *fetcher) run() {
	failures, hurry := 0, 0
	for x.set.ctx.Err() == nil {
		req, asked, next := x.request()
		if asked == nil {
			x.sleep(next)
			continue
		}
		wait := x.set.cfg.FetchWait
		if hurry > 0 {
			wait = min(wait, hurryWait)
			hurry--
		}
		req.MaxWaitMillis = int32(wait.Milliseconds())
		began := x.set.now()
		n, err := x.exchange(req, asked, wait)
		switch took := x.set.now().sub(began); {
		case err != nil:
			x.session.reset()
			if x.set.ctx.Err() != nil {
				return
			}
			x.set.metrics.FetchesFailed.Add(1)
			if failures == 0 {
				x.set.log.Warn("leader cannot be fetched from", zap.Int32("broker", x.broker), zap.Error(err))
			}
			x.sleep(x.pause(failures))
			failures++
		default:
			if failures > 0 {
				x.set.log.Info("leader is fetched from again", zap.Int32("broker", x.broker))
			}
			failures = 0
			if n == 0 && hurry == 0 && took < wait/2 && len(asked) > 0 {
				hurry = hurryMax
			}
		}
	}
}

func (x *fetcher) pause(failures int) time.Duration {
	return min(retryMin<<min(failures, 10), x.set.cfg.FetchBackoff)
}

// sleep waits, until woken at the latest; 0: until woken.
func (x *fetcher) sleep(d time.Duration) {
	var alarm <-chan time.Time
	if d > 0 {
		alarm = time.After(d)
	}
	select {
	case <-x.woken:
	case <-alarm:
	case <-x.set.ctx.Done():
	}
}

// request makes the next request, of what may be fetched now; nil if there is nothing, and then how
// long to sleep.
func (x *fetcher) request() (req *protocol.FetchRequest, asked map[partKey]*asking, next time.Duration) {
	own := x.set.epoch.Load()
	if own <= 0 || x.set.retired.Load() {
		return nil, nil, 0 // woken when registered
	}
	now := x.set.now()
	asked = map[partKey]*asking{}
	x.mu.Lock()
	for _, p := range x.parts {
		if wait := p.notTill.sub(now); wait > 0 {
			if next == 0 || wait < next {
				next = wait
			}
			continue
		}
		if p.waits() {
			if next == 0 || throttlePause < next {
				next = throttlePause
			}
			continue
		}
		k := partKey{id: p.r.id, index: p.r.tp.Partition}
		asked[k] = p.ask(x.set.cfg.PartitionBytesMax)
	}
	x.mu.Unlock()
	if len(asked) == 0 {
		return nil, nil, next
	}
	req = &protocol.FetchRequest{Version: 17, ReplicaID: x.set.cfg.Self, ReplicaEpoch: own,
		MinBytes: int32(x.set.cfg.FetchMinBytes), MaxBytes: int32(x.set.cfg.ResponseBytesMax)}
	x.session.fill(req, asked)
	return req, asked, 0
}

// asking is what a request asks of a partition.
type asking struct {
	p    *followed
	want protocol.FetchPartition
}

func (p *followed) ask(bytesMax int) *asking {
	l := p.r.log
	return &asking{p: p, want: protocol.FetchPartition{
		Index: p.r.tp.Partition, CurrentLeaderEpoch: p.epoch, Offset: l.EndOffset(), LastFetchedEpoch: l.LatestEpoch(),
		LogStartOffset: l.StartOffset(), MaxBytes: int32(bytesMax),
	}}
}

// errMisunderstood is an answer that has nothing to do with the request.
var errMisunderstood = errors.New("answer names what was not asked for")

// exchange sends a request and stores what comes; it returns how many partitions the answer named.
func (x *fetcher) exchange(req *protocol.FetchRequest, asked map[partKey]*asking, wait time.Duration) (n int, err error) {
	ctx, cancel := context.WithTimeout(x.set.ctx, wait+30*time.Second)
	defer cancel()
	var resp protocol.FetchResponse
	release, err := x.set.cfg.Peers.Fetch(ctx, x.broker, req, &resp)
	if err != nil {
		return 0, err
	}
	defer release()
	if !x.session.answered(&resp) {
		return 1, nil // and begins anew
	}
	var toFlush []*replica
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			at := &t.Partitions[j]
			a := asked[partKey{id: t.ID, index: at.Index}]
			if a == nil {
				return n, errMisunderstood
			}
			n++
			if code := a.p.take(a, at); code != kerror.OK {
				a.p.failed(code, x)
			} else {
				a.p.failures, a.p.near = 0, a.p.r.lag.Load() == 0
				a.p.recordCopied(at.Records)
			}
			if len(at.Records) > 0 {
				toFlush = append(toFlush, a.p.r)
			}
		}
	}
	x.flush(toFlush)
	return n, nil
}

// flush makes what was copied durable before the next request says that it is there.
func (x *fetcher) flush(rs []*replica) {
	if !x.set.cfg.FlushOnAck {
		return
	}
	for _, r := range rs {
		if err := r.log.Flush(); err != nil {
			r.broken(err)
		}
	}
}

// failed has a partition wait before it is fetched again.
func (p *followed) failed(code kerror.Code, x *fetcher) {
	if p.failures == 3 { // before, the leader may not know yet that it leads
		p.r.logger().Warn("partition cannot be fetched", zap.Int32("leader", x.broker), zap.Stringer("code", code))
	}
	p.notTill = x.set.now() + instant(x.pause(p.failures))
	p.failures++
}

// clientSession is a fetcher's side of a fetch session (KIP-227).
type clientSession struct {
	id, epoch int32
	told      map[partKey]protocol.FetchPartition
}

func (s *clientSession) reset() { s.id, s.epoch, s.told = 0, 0, map[partKey]protocol.FetchPartition{} }

// fill puts what has changed since the last request into the next.
func (s *clientSession) fill(req *protocol.FetchRequest, asked map[partKey]*asking) {
	req.SessionID, req.SessionEpoch = s.id, s.epoch
	topics := map[[16]byte]int{}
	for k, a := range asked {
		if was, ok := s.told[k]; ok && was == a.want {
			continue
		}
		s.told[k] = a.want
		i, ok := topics[k.id]
		if !ok {
			i = len(req.Topics)
			topics[k.id] = i
			req.Topics = append(req.Topics, protocol.FetchTopic{ID: k.id})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, a.want)
	}
	for k := range s.told {
		if asked[k] == nil {
			delete(s.told, k)
			req.Forgotten = append(req.Forgotten, protocol.ForgottenTopic{ID: k.id, Partitions: []int32{k.index}})
		}
	}
}

// answered takes note of the answer, and reports false if the session is over and begins anew.
func (s *clientSession) answered(resp *protocol.FetchResponse) bool {
	if resp.Code != kerror.OK {
		s.reset()
		return false
	}
	if resp.SessionID == 0 { // none is to be had: everything is said each time
		s.reset()
		return true
	}
	s.id = resp.SessionID
	if s.epoch++; s.epoch <= 0 {
		s.epoch = 1
	}
	return true
}
