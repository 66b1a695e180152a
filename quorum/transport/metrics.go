package transport

import "holt/wire/metric"

// Metrics counts since New, all peers and lanes together but for snapshots. Fields may be read at
// any time.
type Metrics struct {
	// Writes to sockets, and their bytes; the mean says how many messages share one.
	Writes, BytesSent metric.Counter
	// Frames received, and their bytes.
	Frames, BytesReceived metric.Counter
	// RaftSent are Raft's messages handed to a connection, Dropped all messages that found none, or
	// a full queue.
	RaftSent, Dropped metric.Counter
	// Connections made to peers.
	Connections metric.Counter
}

// Metrics returns the counters.
func (t *Transport) Metrics() *Metrics { return &t.metrics }

func (m *Metrics) wrote(n int) {
	m.Writes.Inc()
	m.BytesSent.Add(int64(n))
}
