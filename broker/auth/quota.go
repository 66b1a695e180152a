package auth

import (
	"sync"
	"sync/atomic"
	"time"
)

// QuotaKind is what a quota limits.
type QuotaKind uint8

// The kinds of quotas.
const (
	ProduceBytes        QuotaKind = iota // bytes a second [producer_byte_rate]
	FetchBytes                           // bytes a second [consumer_byte_rate]
	RequestPercent                       // percent of one processor [request_percentage]; amounts are seconds × 100
	ControllerMutations                  // partitions made or deleted a second [controller_mutation_rate]
	quotaKinds
)

// QuotaKey is the name of the setting that holds a kind of quota.
func (k QuotaKind) QuotaKey() string {
	return [...]string{"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"}[k]
}

// QuotaKindOf is the kind that a setting holds.
func QuotaKindOf(key string) (QuotaKind, bool) {
	for k := range quotaKinds {
		if k.QuotaKey() == key {
			return k, true
		}
	}
	return 0, false
}

// Default is the name of the entity that stands for all users, or clients, that
// have no quota of their own.
const Default = "<default>"

// Entity is whom a quota is for: a user, a client id, or a user's client id. "" leaves
// one out, Default is whoever has none of his own.
type Entity struct{ User, Client string }

const (
	quotaWindows  = 11 // [quota.window.num]
	quotaSeconds  = 1  // [quota.window.size.seconds]
	quotaSpanMost = quotaWindows * quotaSeconds * time.Second
	// quotaStatesMax bounds the users and clients whose rates are known. Past it those
	// that have been quiet are forgotten, and if there are none, all.
	quotaStatesMax = 50_000
)

// Quotas measure rates and say how long who goes beyond is to be muted.
type Quotas struct {
	some [quotaKinds]atomic.Bool // any quota of the kind exists

	mu     sync.Mutex
	limits [quotaKinds]map[Entity]float64
	states [quotaKinds]map[Entity]*quotaState // by who shares one rate
}

// NewQuotas makes one without quotas.
func NewQuotas() *Quotas {
	q := &Quotas{}
	for k := range quotaKinds {
		q.limits[k], q.states[k] = map[Entity]float64{}, map[Entity]*quotaState{}
	}
	return q
}

// Set gives an entity a quota; 0 or less removes it.
func (q *Quotas) Set(e Entity, kind QuotaKind, perSecond float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if perSecond > 0 {
		q.limits[kind][e] = perSecond
	} else {
		delete(q.limits[kind], e)
	}
	q.some[kind].Store(len(q.limits[kind]) > 0)
}

// Limit returns the quota that holds for a user's client, and who shares it. The
// most particular entity counts: a user's client, a user, a client. Kafka:
// ClientQuotaManager.DefaultQuotaCallback.
func (q *Quotas) Limit(kind QuotaKind, user, client string) (perSecond float64, shared Entity, ok bool) {
	if !q.some[kind].Load() {
		return 0, Entity{}, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.limitLocked(kind, user, client)
}

func (q *Quotas) limitLocked(kind QuotaKind, user, client string) (float64, Entity, bool) {
	for _, c := range [...]struct{ of, shared Entity }{
		{Entity{user, client}, Entity{user, client}},
		{Entity{user, Default}, Entity{user, client}},
		{Entity{user, ""}, Entity{user, ""}},
		{Entity{Default, client}, Entity{user, client}},
		{Entity{Default, Default}, Entity{user, client}},
		{Entity{Default, ""}, Entity{user, ""}},
		{Entity{"", client}, Entity{"", client}},
		{Entity{"", Default}, Entity{"", client}},
	} {
		if v, ok := q.limits[kind][c.of]; ok {
			return v, c.shared, true
		}
	}
	return 0, Entity{}, false
}

// Record counts an amount and returns for how long the client is to be muted, 0 if it keeps
// within its quota.
func (q *Quotas) Record(kind QuotaKind, user, client string, amount float64, now time.Time) time.Duration {
	if !q.some[kind].Load() {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	limit, shared, ok := q.limitLocked(kind, user, client)
	if !ok {
		return 0
	}
	s := q.stateLocked(kind, shared, now)
	return s.record(amount, limit, now)
}

// Unrecord takes back an amount that Record counted and that was not used after all.
func (q *Quotas) Unrecord(kind QuotaKind, user, client string, amount float64, now time.Time) {
	q.Record(kind, user, client, -amount, now)
}

// RecordMutations counts changes by the controller, for which what was saved up in quiet
// times may be used at once. With strict, an amount that comes when all is used up is
// not counted and refused (THROTTLING_QUOTA_EXCEEDED); without it is counted, and the client
// muted. Kafka: ControllerMutationQuotaManager.
func (q *Quotas) RecordMutations(user, client string, amount float64, strict bool, now time.Time) (allowed bool, mute time.Duration) {
	if !q.some[ControllerMutations].Load() {
		return true, 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	limit, shared, ok := q.limitLocked(ControllerMutations, user, client)
	if !ok {
		return true, 0
	}
	s := q.stateLocked(ControllerMutations, shared, now)
	tokens := s.tokensAt(limit, now)
	if strict && tokens < 0 {
		return false, seconds(-tokens / limit)
	}
	s.tokens = tokens - amount
	if s.tokens < 0 {
		mute = seconds(-s.tokens / limit)
	}
	return true, mute
}

func (q *Quotas) stateLocked(kind QuotaKind, e Entity, now time.Time) *quotaState {
	states := q.states[kind]
	s := states[e]
	if s != nil {
		return s
	}
	if len(states) >= quotaStatesMax {
		for other, old := range states {
			if now.Sub(old.last) > quotaSpanMost {
				delete(states, other)
			}
		}
		if len(states) >= quotaStatesMax {
			clear(states)
		}
	}
	s = &quotaState{}
	states[e] = s
	return s
}

// quotaState is the last windows of one rate; of ControllerMutations it is a bucket.
type quotaState struct {
	windows [quotaWindows]float64
	second  int64 // the window that is filled now, in seconds since 1970
	total   float64
	last    time.Time
	tokens  float64
	filled  bool // tokens is in use
}

// record adds an amount to the present window. The mean is taken over ten full windows and what
// has passed of the present one, even if the entity is younger: so a burst of ten
// seconds' worth passes. Kafka: Rate, SampledStat, QuotaUtils.throttleTime.
func (s *quotaState) record(amount, limit float64, now time.Time) time.Duration {
	s.advance(now)
	s.windows[s.second%quotaWindows] += amount
	s.total = max(s.total+amount, 0)
	s.last = now
	span := float64((quotaWindows-1)*quotaSeconds) + float64(now.Nanosecond())/1e9
	return min(seconds(s.total/limit-span), quotaSpanMost)
}

// advance empties the windows that have become too old.
func (s *quotaState) advance(now time.Time) {
	second := now.Unix() / quotaSeconds
	if second <= s.second {
		return // also if the clock went back
	}
	if second-s.second >= quotaWindows {
		s.windows, s.total = [quotaWindows]float64{}, 0
	} else {
		for t := s.second + 1; t <= second; t++ {
			w := &s.windows[t%quotaWindows]
			s.total -= *w
			*w = 0
		}
		s.total = max(s.total, 0)
	}
	s.second = second
}

func (s *quotaState) tokensAt(limit float64, now time.Time) float64 {
	most := limit * quotaWindows * quotaSeconds
	if !s.filled {
		s.filled, s.tokens, s.last = true, most, now
		return most
	}
	if d := now.Sub(s.last); d > 0 {
		s.tokens, s.last = min(most, s.tokens+limit*d.Seconds()), now
	}
	return s.tokens
}

func seconds(s float64) time.Duration {
	if s <= 0 {
		return 0
	}
	return time.Duration(min(s, 1e6) * float64(time.Second))
}
