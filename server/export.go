package server

import (
	"strconv"
	"time"

	"holt/server/admin"
	"holt/wire"
	"holt/wire/metric"
)

// exporter hands metrics on in few words.
type exporter struct{ visit func(*admin.Metric) }

const (
	millis  = 1 / float64(time.Millisecond) // of nanoseconds
	seconds = 1 / float64(time.Second)
)

func (e exporter) counter(name, help string, v int64) {
	e.visit(&admin.Metric{Name: name, Help: help, Kind: admin.Counter, Value: float64(v)})
}

func (e exporter) gauge(name, help string, v int64) {
	e.visit(&admin.Metric{Name: name, Help: help, Kind: admin.Gauge, Value: float64(v)})
}

func (e exporter) basic(name, help string, h *metric.Histogram, scale float64) {
	e.visit(&admin.Metric{Name: name, Help: help, Kind: admin.BasicSummary, Values: h.Snapshot(), Scale: scale})
}

func (e exporter) summary(name, help string, h *metric.Histogram, scale float64) {
	e.visit(&admin.Metric{Name: name, Help: help, Kind: admin.AdvancedSummary, Values: h.Snapshot(), Scale: scale})
}

func (e exporter) histogram(name, help string, h *metric.Histogram) {
	e.visit(&admin.Metric{Name: name, Help: help, Kind: admin.Histogram, Values: h.Snapshot(), Scale: seconds})
}

// Metrics implements admin.Source: what this package and those below it measure,
// by the names that ZooKeeper has for the same thing, or as holt_….
func (s *Server) Metrics(visit func(*admin.Metric)) {
	e := exporter{visit}
	s.metrics.export(e)
	if s.machine != nil {
		s.exportApply(e)
	}
	if s.member != nil {
		s.exportQuorum(e)
	}
}

func (m *Metrics) export(e exporter) {
	e.counter("connection_request_count", "connect requests received", m.ConnectRequests.Load())
	e.counter("connection_rejected", "connections refused by a bound", m.ConnectionsRejected.Load())
	e.counter("stale_sessions_expired", "sessions this leader let expire", m.SessionsExpired.Load())
	e.summary("readlatency", "ms from a read's receipt to its reply", &m.ReadLatency, millis)
	e.summary("updatelatency", "ms from a write's receipt to its reply", &m.UpdateLatency, millis)
	e.summary("holt_entry_commands", "commands in one Raft entry", &m.EntryCommands, 1)
	e.summary("holt_entry_bytes", "bytes of one Raft entry", &m.EntryBytes, 1)
	for op := range m.Latency {
		snap := m.Latency[op].Snapshot()
		if snap.Count() == 0 {
			continue
		}
		e.visit(&admin.Metric{Name: "holt_request_seconds", Help: "seconds from a request's receipt to its reply",
			Label: "op", LabelValue: slotName(op), Kind: admin.Histogram, Values: snap, Scale: seconds})
	}
}

func slotName(slot int) string {
	switch slot {
	case slotCloseSession:
		return wire.OpCloseSession.String()
	case slotCreateSession:
		return wire.OpCreateSession.String()
	}
	return wire.OpCode(slot).String()
}

func (s *Server) exportApply(e exporter) {
	m := s.machine.Metrics()
	e.counter("holt_apply_entries", "Raft entries applied here", m.Entries.Load())
	e.counter("holt_apply_commands", "commands carried out here", m.Commands.Load())
	e.counter("holt_apply_commands_rejected", "of these, with an outcome other than OK", m.Rejected.Load())
	e.counter("holt_apply_multis_failed", "multis that changed nothing", m.MultisFailed.Load())
	e.counter("holt_apply_commands_ignored", "commands sent again, or out of order", m.Ignored.Load())
}

func (s *Server) exportQuorum(e exporter) {
	m := s.member.Metrics()
	// ZooKeeper's fsynctime is that of its log as well.
	e.basic("fsynctime", "ms of one write to the Raft log with its fsync", &m.LogWriteNanos, millis)
	e.counter("snap_count", "snapshots sent to members that were behind the log", m.SnapshotsSent.Load())
	e.histogram("holt_log_write_seconds", "seconds of one write to the Raft log with its fsync", &m.LogWriteNanos)
	e.summary("holt_log_write_entries", "entries in one write to the Raft log", &m.LogWriteEntries, 1)
	e.summary("holt_log_write_bytes", "bytes in one write to the Raft log", &m.LogWriteBytes, 1)
	e.counter("holt_log_truncations", "times the log's beginning was removed", m.Truncations.Load())
	e.histogram("holt_propose_wait_seconds", "seconds a proposal waited for earlier ones to be saved", &m.ProposeNanos)
	e.counter("holt_proposals", "entries proposed here", m.Proposals.Load())
	e.counter("holt_proposal_bytes", "bytes of these", m.ProposalBytes.Load())
	e.histogram("holt_apply_seconds", "seconds of applying committed entries, those that came together", &m.ApplyNanos)
	e.summary("holt_apply_batch_entries", "entries that were applied together", &m.ApplyEntries, 1)
	e.histogram("holt_flush_seconds", "seconds of making the tree durable", &m.FlushNanos)
	e.counter("holt_leader_changes", "changes of the leader seen, to none and from none", m.LeaderChanges.Load())
	e.counter("holt_elected", "times this member became the leader", m.Elected.Load())
	e.counter("holt_read_barriers", "read barriers asked for, as by sync", m.Barriers.Load())
	e.counter("holt_read_barrier_rounds", "rounds of messages they shared", m.BarrierRounds.Load())
	e.counter("holt_peer_messages_sent", "messages to other members besides Raft's", m.MessagesSent.Load())
	e.counter("holt_peer_messages_received", "messages from other members besides Raft's", m.MessagesReceived.Load())
	e.counter("holt_snapshots_failed", "snapshots given up while being sent", m.SnapshotsFailed.Load())
	e.counter("holt_snapshots_installed", "snapshots this member took over", m.SnapshotsInstalled.Load())
	s.exportRaft(e)
}

// exportRaft shows where the member's log stands and, on a leader, the others'.
func (s *Server) exportRaft(e exporter) {
	st := s.member.Status()
	e.gauge("holt_raft_term", "term of Raft", int64(st.Term))
	e.gauge("holt_raft_leader", "member that leads, 0 if none is known", int64(st.Leader))
	e.gauge("holt_raft_commit_index", "last entry known to be committed", int64(st.Commit))
	e.gauge("holt_raft_applied_index", "last entry applied", int64(st.Applied))
	e.gauge("holt_log_first_index", "first entry in the log", int64(st.First))
	e.gauge("holt_log_last_index", "last entry in the log", int64(st.Last))
	e.gauge("holt_log_bytes", "bytes of the log's entries", st.LogBytes)
	for _, p := range st.Peers {
		behind := max(int64(st.Last)-int64(p.Match), 0)
		e.visit(&admin.Metric{Name: "holt_peer_lag_entries", Help: "entries a member has not stored yet", Kind: admin.Gauge,
			Label: "peer", LabelValue: strconv.FormatUint(p.ID, 10), Value: float64(behind)})
	}
}
