package quorum

import (
	"sync/atomic"
	"time"
)

// Metrics are counted always. They may be read at any time.
type Metrics struct {
	// Proposals admitted, LeaderChanges seen, times this member was Elected.
	Proposals, LeaderChanges, Elected Counter
	// MessagesSent by Send, MessagesReceived by OnMessage.
	MessagesSent, MessagesReceived Counter
	// Snapshots sent to the end, given up, and installed here.
	SnapshotsSent, SnapshotsFailed, SnapshotsInstalled Counter
	// LogWrite is the time of one write to the log with its fsync, Apply that of
	// one call of StateMachine.Apply, Flush that of StateMachine.Flush.
	LogWrite, Apply, Flush Duration
}

// Counter counts events.
type Counter struct{ n atomic.Uint64 }

func (c *Counter) Inc()         { c.n.Add(1) }
func (c *Counter) Load() uint64 { return c.n.Load() }

// Duration sums up durations.
type Duration struct {
	n, sum atomic.Int64
}

func (d *Duration) Observe(t time.Duration) { d.n.Add(1); d.sum.Add(int64(t)) }

func newMetrics() *Metrics { return &Metrics{} }

// Metrics returns the member's counters.
func (m *Member) Metrics() *Metrics { return m.metrics }
