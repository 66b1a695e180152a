package store

import (
	"github.com/cockroachdb/pebble/v2"

	"holt/wire/metric"
)

// Metrics counts since Open. Fields may be read at any time.
type Metrics struct {
	// Batches written to the database, and their bytes.
	Batches, BatchBytes metric.Counter
	// FlushNanos is the time of writing a memtable to disk, synced; FlushBytes what it wrote.
	FlushNanos, FlushBytes metric.Histogram
	// CompactionNanos is the time of one compaction, CompactionBytes what it wrote.
	CompactionNanos, CompactionBytes metric.Histogram
}

// CacheStats are sums of the node cache. Misses include lookups of what does not exist.
type CacheStats struct{ Hits, Misses, Nodes, Bytes int64 }

// Metrics returns the counters.
func (s *Store) Metrics() *Metrics { return &s.metrics }

// CacheStats returns the sums as of about now.
func (s *Store) CacheStats() (c CacheStats) {
	for i := range s.cache.shards {
		sh := &s.cache.shards[i]
		sh.mu.Lock()
		c.Hits += sh.hits
		c.Misses += sh.misses
		c.Nodes += int64(sh.used)
		c.Bytes += sh.bytes
		sh.mu.Unlock()
	}
	return c
}

func (m *Metrics) flushed(info pebble.FlushInfo) {
	m.FlushNanos.Observe(int64(info.TotalDuration))
	size := uint64(0)
	for i := range info.Output {
		size += info.Output[i].Size
	}
	m.FlushBytes.Observe(int64(size))
}

func (m *Metrics) compacted(info pebble.CompactionInfo) {
	m.CompactionNanos.Observe(int64(info.TotalDuration))
	size := uint64(0)
	for i := range info.Output.Tables {
		size += info.Output.Tables[i].Size
	}
	m.CompactionBytes.Observe(int64(size))
}
