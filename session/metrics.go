package session

import "holt/wire/metric"

// Metrics counts since NewTracker. Fields may be read at any time.
type Metrics struct {
	// Touches of sessions that are tracked.
	Touches metric.Counter
	// Expired counts what Expired returned, sessions that were returned again included.
	Expired metric.Counter
}

// Metrics returns the counters.
func (t *Tracker) Metrics() *Metrics { return &t.metrics }
