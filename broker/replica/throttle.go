package replica

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holt/broker/metadata"
	"holt/broker/protocol"
)

// A throttle slows replication down, so that replicas which are being moved leave something for clients: of the
// replicas that are throttled, those out of the ISR get together so many bytes a second. One for what this broker
// serves as a leader, and one for what it copies as a follower. (Kafka: ReplicationQuotaManager, KIP-73)
//
//	leader:    a read for a follower gives nothing of a throttled replica while the rate is exceeded
//	follower:  a request asks nothing for one, and is not sent if there is nothing else to ask
//
// What replicas in sync take counts too, but is never held back, nor is the rest of an answer once it has
// begun: who goes beyond the rate waits longer afterwards.
//
// The mean is taken over ten full seconds and what has passed of the present one, even if the replication is younger:
// so ten seconds' worth pass at once in the beginning.
type throttle struct {
	rate atomic.Int64 // bytes a second; unthrottled: no bound

	mu      sync.Mutex // guards what follows; leaf
	windows [throttleWindows]int64
	second  int64 // the window that is filled now
	total   int64
}

const (
	throttleWindows = 11 // of a second each [replication.quota.window.num, replication.quota.window.size.seconds]
	unthrottled     = math.MaxInt64
	// throttlePause is how long a fetcher sleeps when all that it follows has to wait.
	throttlePause = 100 * time.Millisecond
)

func (t *throttle) init() { t.rate.Store(unthrottled) }

// exceeded reports whether more went through than the rate permits.
func (t *throttle) exceeded(now instant) bool {
	rate := t.rate.Load()
	if rate == unthrottled {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advanceLocked(now)
	passed := float64(now%instant(time.Second)) / float64(time.Second)
	return float64(t.total) > float64(rate)*(throttleWindows-1+passed)
}

// record counts bytes of throttled replicas.
func (t *throttle) record(now instant, bytes int) {
	if bytes == 0 || t.rate.Load() == unthrottled {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advanceLocked(now)
	t.windows[t.second%throttleWindows] += int64(bytes)
	t.total += int64(bytes)
}

// advanceLocked empties the windows that have become too old.
func (t *throttle) advanceLocked(now instant) {
	second := int64(now / instant(time.Second))
	for t.second < second {
		if t.total == 0 {
			t.second = second
			return
		}
		t.second++
		w := &t.windows[t.second%throttleWindows]
		t.total -= *w
		*w = 0
	}
}

// throttleRates takes the rates of an image.
func (s *Set) throttleRates(image *metadata.Image) {
	if s.cfg.ThrottleRates != nil {
		serving, copying := s.cfg.ThrottleRates(image)
		s.serving.rate.Store(serving)
		s.copying.rate.Store(copying)
	}
}

// throttleTopic takes which replicas of a topic are throttled.
func (s *Set) throttleTopic(image *metadata.Image, topic string, replicas []*replica) {
	if s.cfg.Throttled == nil {
		return
	}
	serving, copying := s.cfg.Throttled(image, topic)
	for _, r := range replicas {
		r.servesSlowly.Store(serving(r.tp.Partition))
		r.copiesSlowly.Store(copying(r.tp.Partition))
	}
}

// holdBack reports whether a follower gets nothing of r for now.
func (f *fetch) holdBack(r *replica) bool {
	return f.follower && r.servesSlowly.Load() && f.set.serving.exceeded(f.set.now()) && !r.inSync(f.req.ReplicaID)
}

// inSync reports whether a broker is in the ISR, as a leader knows it.
func (r *replica) inSync(id int32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core != nil && slices.Contains(r.core.isr, id)
}

// recordServed counts what an answer has of throttled replicas.
func (f *fetch) recordServed(g *reading) {
	if !f.follower {
		return
	}
	n := 0
	for i, p := range f.parts {
		if p.r != nil && p.r.servesSlowly.Load() {
			n += sizeOf(g.parts[i].Records)
		}
	}
	f.set.serving.record(f.set.now(), n)
}

// waits reports whether a partition is not to be asked for, for now.
func (p *followed) waits() bool {
	return p.r.copiesSlowly.Load() && !p.near && p.r.set.copying.exceeded(p.r.set.now())
}

// recordCopied counts what came of a throttled replica.
func (p *followed) recordCopied(records []protocol.Range) {
	if p.r.copiesSlowly.Load() {
		p.r.set.copying.record(p.r.set.now(), sizeOf(records))
	}
}

func sizeOf(records []protocol.Range) int {
	n := 0
	for i := range records {
		n += records[i].Len()
	}
	return n
}
