package quorum

import (
	"holt/quorum/storage"
	"holt/quorum/transport"
	"holt/wire/metric"
)

// Metrics are counted always and may be read at any time.
type Metrics struct {
	// Proposals admitted by Propose, and their bytes.
	Proposals, ProposalBytes metric.Counter
	// ProposeNanos is how long Propose blocked its callers.
	ProposeNanos metric.Histogram

	// LeaderChanges seen, one to "none" and one from it included; times this
	// member was Elected.
	LeaderChanges, Elected metric.Counter

	// LogWriteNanos is the time of one write to the log with its fsync, LogWriteEntries
	// and LogWriteBytes what it wrote.
	LogWriteNanos, LogWriteEntries, LogWriteBytes metric.Histogram
	// SlowLogWrites took longer than Config.SlowLogWrite.
	SlowLogWrites metric.Counter
	// SaveNanos is the time from handing entries to the log until they are durable here,
	// CommitNanos from there until they are known to be committed, QuorumNanos both, and
	// CommitApplyNanos from there until they are applied. See stages.
	SaveNanos, CommitNanos, QuorumNanos, CommitApplyNanos metric.Histogram
	// Truncations of the log.
	Truncations metric.Counter

	// ApplyNanos is the time of one call of StateMachine.Apply, ApplyEntries
	// the entries it took, FlushNanos the time of StateMachine.Flush.
	ApplyNanos, ApplyEntries, FlushNanos metric.Histogram

	// Barriers asked for, and BarrierRounds that were shared by them.
	Barriers, BarrierRounds metric.Counter

	// MessagesSent by Send, MessagesReceived by OnMessage.
	MessagesSent, MessagesReceived metric.Counter
	// Snapshots sent to the end, given up, and installed here.
	SnapshotsSent, SnapshotsFailed, SnapshotsInstalled metric.Counter
}

// Metrics returns the member's counters.
func (m *Member) Metrics() *Metrics { return &m.metrics }

// LogMetrics returns the counters of the log's disk.
func (m *Member) LogMetrics() *storage.Metrics { return m.log.Metrics() }

// PeerMetrics returns the counters of the connections to peers.
func (m *Member) PeerMetrics() *transport.Metrics { return m.transport.Metrics() }

// PeerLink tells of the connections to a peer.
func (m *Member) PeerLink(id uint64) transport.Link { return m.transport.Link(id) }

// ResetPeerLinks starts what PeerLink counts anew.
func (m *Member) ResetPeerLinks() { m.transport.ResetLinks() }
