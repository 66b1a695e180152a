package replica

import "sync/atomic"

// Metrics counts what a Set does.
type Metrics struct {
	BytesIn, RecordsIn     atomic.Int64 // appended as leader
	BytesOut               atomic.Int64 // fetched by consumers
	FollowedOut            atomic.Int64 // of them, of partitions that another broker leads
	SentNear               atomic.Int64 // partitions of answers that sent a consumer to a follower
	ReplicatedIn           atomic.Int64 // bytes appended as follower
	ReplicatedOut          atomic.Int64 // bytes fetched by followers
	ISRShrinks, ISRExpands atomic.Int64
	Elected                atomic.Int64 // leaderships begun
	Truncations            atomic.Int64 // of followers' logs
	FetchesFailed          atomic.Int64 // of followers here
}

// Metrics returns the counts, which go on.
func (s *Set) Metrics() *Metrics { return &s.metrics }

// Counts are how the replicas of a broker are.
type Counts struct {
	Replicas, Leaders int
	// UnderReplicated are led here and lack a replica in their ISR; UnderMinISR take no writes with
	// acks of all.
	UnderReplicated, UnderMinISR int
	// Lag is by how many records this broker's followers are behind, as far as they were told: the
	// greatest and the sum.
	LagMax, LagSum int64
	Sessions       int
	Bytes          int64
	// Offline are replicas whose log directory has failed; they are not counted in Replicas.
	Offline int
}

// Counts looks at all replicas.
func (s *Set) Counts() Counts {
	c := Counts{Sessions: s.sessions.len()}
	for _, r := range s.all() {
		c.Replicas++
		c.Bytes += r.log.Size()
		lag := r.lag.Load()
		c.LagMax, c.LagSum = max(c.LagMax, lag), c.LagSum+lag
		r.mu.Lock()
		if r.core != nil {
			c.Leaders++
			if len(r.core.isr) < len(r.core.replicas) {
				c.UnderReplicated++
			}
			if len(r.core.isr) < r.core.effectiveMinISR() {
				c.UnderMinISR++
			}
		}
		r.mu.Unlock()
	}
	s.mu.RLock()
	c.Offline = len(s.offline)
	s.mu.RUnlock()
	return c
}
