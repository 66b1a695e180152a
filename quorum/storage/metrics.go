package storage

import (
	"github.com/cockroachdb/pebble/v2"

	"holt/wire/metric"
)

// Metrics counts since Open. Fields may be read at any time.
type Metrics struct {
	// SyncNanos is the time of one batch that was appended and synced, SyncBytes its size.
	// Batches that need no sync are counted by Unsynced.
	SyncNanos, SyncBytes metric.Histogram
	Unsynced             metric.Counter
	// FlushNanos and CompactionNanos are the times of Pebble's work in the background.
	FlushNanos, CompactionNanos metric.Histogram
}

// Metrics returns the counters.
func (l *Log) Metrics() *Metrics { return &l.metrics }

func (m *Metrics) flushed(info pebble.FlushInfo) { m.FlushNanos.Observe(int64(info.TotalDuration)) }

func (m *Metrics) compacted(info pebble.CompactionInfo) {
	m.CompactionNanos.Observe(int64(info.TotalDuration))
}
