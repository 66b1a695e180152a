package server

import (
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holt/server/admin"
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

// stage shows one part of the way of a write.
func (e exporter) stage(name string, h *metric.Histogram) {
	e.visit(&admin.Metric{Name: "holt_stage_seconds", Help: "seconds of a part of a write's way: queue, until it is on its way to the log; save, until it is durable here; commit, until a majority has it; apply; reply, writing the answers",
		Label: "stage", LabelValue: name, Kind: admin.Histogram, Values: h.Snapshot(), Scale: seconds})
}

func (e exporter) histogram(name, help string, h *metric.Histogram) {
	e.visit(&admin.Metric{Name: name, Help: help, Kind: admin.Histogram, Values: h.Snapshot(), Scale: seconds})
}

// Metrics implements admin.Source: what this package and those below it measure,
// by the names that ZooKeeper has for the same thing, or as holt_….
func (s *Server) Metrics(visit func(*admin.Metric)) {
	e := exporter{visit}
	s.metrics.export(e, s.self().Observer)
	e.gauge("outstanding_tls_handshake", "TLS handshakes under way", s.security.handshakes.Load())
	bytes := s.traffic()
	e.counter("bytes_received_count", "bytes of requests received", bytes.in)
	e.counter("response_bytes", "bytes of replies", bytes.out)
	e.counter("watch_bytes", "bytes of notifications", bytes.watch)
	s.exportTLS(e)
	s.exportDisks(e)
	s.exportWatches(e)
	s.exportAudit(e)
	s.exportSnapshots(e)
	if s.machine != nil {
		s.exportApply(e)
		s.exportStore(e)
		s.exportSessions(e)
	}
	if s.member != nil {
		s.exportPipeline(e)
		s.exportStages(e)
		s.exportQuorum(e)
		s.exportLog(e)
		s.exportPeers(e)
	}
}

// exportDisks shows what is left of the disks: a full one ends the member.
func (s *Server) exportDisks(e exporter) {
	show := func(name, help string, bytes func(vfs.DiskUsage) uint64) {
		for _, dir := range [...]struct{ key, path string }{{"dataDir", s.cfg.DataDir}, {"dataLogDir", s.cfg.LogDir}} {
			if usage, err := s.cfg.FS.GetDiskUsage(dir.path); err == nil { // else it is not known, as of a file system in memory
				e.visit(&admin.Metric{Name: name, Help: help, Label: "dir", LabelValue: dir.key, Kind: admin.Gauge, Value: float64(bytes(usage))})
			}
		}
	}
	show("holt_disk_available_bytes", "bytes that this member may still write to the file system of a directory",
		func(u vfs.DiskUsage) uint64 { return u.AvailBytes })
	show("holt_disk_bytes", "bytes of the file system of a directory", func(u vfs.DiskUsage) uint64 { return u.TotalBytes })
}

// exportStages shows the way of a write from its receipt to its reply, part by part: but for queue, what is
// written, committed or applied together counts once.
func (s *Server) exportStages(e exporter) {
	q := s.member.Metrics()
	e.stage("queue", &s.metrics.QueueNanos)
	e.stage("save", &q.SaveNanos)
	e.stage("commit", &q.CommitNanos)
	e.stage("apply", &q.CommitApplyNanos)
	e.stage("reply", &s.metrics.ReplyNanos)
}

func (s *Server) exportWatches(e exporter) {
	m := s.watches.Metrics()
	e.counter("holt_watches_set", "watches set, those that were there already included", m.Set.Load())
	e.basic("node_created_watch_count", "watchers told of a node's creation", &m.Created, 1)
	e.basic("node_deleted_watch_count", "watchers told of a node's deletion", &m.Deleted, 1)
	e.basic("node_changed_watch_count", "watchers told of a change of a node's data", &m.Data, 1)
	e.basic("node_children_watch_count", "watchers told of a change of a node's children", &m.Children, 1)
	e.counter("holt_watch_changes", "changes of nodes while there was any watch", m.Changes.Load())
	e.counter("holt_watch_notifications", "watchers that were told of a change", m.Notified.Load())
}

func (s *Server) exportAudit(e exporter) {
	if s.audit == nil {
		return
	}
	m := s.audit.Metrics()
	e.counter("holt_audit_events", "events written to the audit log", m.Events.Load())
	e.counter("holt_audit_events_dropped", "events that found its queue full", m.Dropped.Load())
	e.counter("holt_audit_events_failed", "events that could not be written", m.Failed.Load())
}

func (s *Server) exportSnapshots(e exporter) {
	if s.commands == nil {
		return
	}
	m := s.commands.Snapshots()
	e.counter("snapshot_error_count", "snapshots for the AdminServer's client that failed", m.Errors.Load())
	e.counter("snapshot_rate_limited_count", "snapshots refused because the last one was too short a time ago", m.Limited.Load())
	r := s.commands.Restores()
	e.counter("restore_error_count", "restores by the AdminServer that failed", r.Errors.Load())
	e.counter("restore_rate_limited_count", "restores refused because the last one was too short a time ago", r.Limited.Load())
	e.basic("restore_time", "ms from the request until the state was the snapshot's", &r.Nanos, millis)
	e.histogram("holt_admin_snapshot_seconds", "seconds of a snapshot for the AdminServer's client", &m.Nanos)
}

func (s *Server) exportSessions(e exporter) {
	s.trackerMu.Lock()
	tracked, m := s.tracker.Len(), s.tracker.Metrics()
	s.trackerMu.Unlock()
	e.gauge("holt_sessions_tracked", "sessions whose silence this member measures, if it leads", int64(tracked))
	e.counter("holt_session_touches", "times this leader was told that a session lives", m.Touches.Load())
	e.counter("holt_session_expiries", "times this leader found a session's time up", m.Expired.Load())
}

// exportPipeline shows what waits on its way to the log.
func (s *Server) exportPipeline(e exporter) {
	p := &s.pipeline
	p.mu.Lock()
	fresh, inflight, waiting := len(p.fresh), len(p.inflight)-p.head, p.waiting
	p.mu.Unlock()
	e.gauge("holt_pipeline_fresh", "commands of this member's clients without a number", int64(fresh))
	e.gauge("holt_pipeline_inflight", "commands of this member's clients that were numbered and not applied", int64(inflight))
	e.gauge("holt_pipeline_waiting", "commands that wait for an entry, if this member leads", int64(waiting))
}

// exportStore shows the tree's cache and disk. They start anew when a snapshot replaces the tree.
func (s *Server) exportStore(e exporter) {
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	if s.state.store == nil {
		return
	}
	c, m := s.state.store.CacheStats(), s.state.store.Metrics()
	e.counter("holt_cache_hits", "nodes found in memory", c.Hits)
	e.counter("holt_cache_misses", "nodes looked for on disk, or that are not there", c.Misses)
	e.gauge("holt_cache_nodes", "nodes in memory", c.Nodes)
	e.gauge("holt_cache_bytes", "bytes they take", c.Bytes)
	e.counter("holt_tree_batches", "batches written to the tree's database", m.Batches.Load())
	e.counter("holt_tree_batch_bytes", "bytes of these", m.BatchBytes.Load())
	e.histogram("holt_tree_flush_seconds", "seconds of writing a memtable of the tree to disk", &m.FlushNanos)
	e.summary("holt_tree_flush_bytes", "bytes of the files that made", &m.FlushBytes, 1)
	e.histogram("holt_tree_compaction_seconds", "seconds of one compaction of the tree", &m.CompactionNanos)
	e.summary("holt_tree_compaction_bytes", "bytes of the files that made", &m.CompactionBytes, 1)
}

func (s *Server) exportLog(e exporter) {
	m := s.member.LogMetrics()
	e.histogram("holt_log_sync_seconds", "seconds of appending one batch to the log's file and syncing it", &m.SyncNanos)
	e.summary("holt_log_sync_bytes", "bytes of such a batch", &m.SyncBytes, 1)
	e.counter("holt_log_batches_unsynced", "batches nothing rested on yet", m.Unsynced.Load())
	e.histogram("holt_log_flush_seconds", "seconds of writing a memtable of the log to disk", &m.FlushNanos)
	e.histogram("holt_log_compaction_seconds", "seconds of one compaction of the log", &m.CompactionNanos)
}

func (s *Server) exportPeers(e exporter) {
	m := s.member.PeerMetrics()
	e.counter("holt_peer_connections", "connections made to other members", m.Connections.Load())
	e.counter("holt_peer_writes", "writes to their sockets", m.Writes.Load())
	e.counter("holt_peer_sent_bytes", "bytes sent to them, snapshots aside", m.BytesSent.Load())
	e.counter("holt_peer_frames", "frames received from them", m.Frames.Load())
	e.counter("holt_peer_received_bytes", "bytes of these", m.BytesReceived.Load())
	e.counter("holt_peer_raft_messages_sent", "messages of Raft's handed to a connection", m.RaftSent.Load())
	e.counter("holt_peer_messages_dropped", "messages that found no connection, or a full queue", m.Dropped.Load())
}

// export shows what this package counts; observer is the role of this member.
func (m *Metrics) export(e exporter, observer bool) {
	followed, observed := &m.CatchUpNanos, new(metric.Histogram)
	if observer {
		followed, observed = observed, followed
	}
	e.counter("connection_request_count", "connect requests received", m.ConnectRequests.Load())
	e.counter("connection_rejected", "connections refused by a bound", m.ConnectionsRejected.Load())
	e.counter("stale_sessions_expired", "sessions this leader let expire", m.SessionsExpired.Load())
	e.counter("connection_revalidate_count", "connect requests for a session that was there", m.Revalidations.Load())
	e.counter("connection_drop_count", "connections that ended without their session", m.ConnectionsDropped.Load())
	e.counter("sessionless_connections_expired", "connections that asked for no session in time", m.SessionlessExpired.Load())
	e.counter("request_throttle_wait_count", "requests that had to wait", m.RequestsThrottled.Load())
	e.counter("throttled_ops", "requests answered with ThrottledOp", m.OpsThrottled.Load())
	e.counter("large_requests_rejected", "large requests whose connection was closed", m.LargeRequestsRejected.Load())
	e.counter("unsuccessful_handshake", "TLS handshakes that failed", m.HandshakesFailed.Load())
	e.counter("tls_handshake_exceeded", "TLS handshakes refused since there were too many", m.HandshakesExceeded.Load())
	e.counter("looking_count", "times this member looked for a leader, at its start and when it lost one", 1+m.LeaderLost.Load())
	e.counter("unrecoverable_error_count", "failures that end the member", m.Failures.Load())
	e.counter("digest_mismatches_count", "times the tree was found to differ from that of a majority, which ends the member", m.DigestMismatches.Load())
	e.counter("commit_count", "commands applied while this member led", m.CommandsLed.Load())
	e.counter("learner_commit_received_count", "commands applied while another member led", m.CommandsFollowed.Load())
	e.counter("proposal_count", "commands put into the log by this member as the leader", m.EntryCommands.Snapshot().Sum())
	e.summary("propagation_latency", "ms from the leader's time stamp of a command until it is applied here; clocks that differ count", &m.PropagationMillis, 1)
	e.summary("request_throttle_queue_time_ms", "ms that requests waited that had to", &m.ThrottleNanos, millis)
	e.basic("election_time", "ms without a leader", &m.LeaderlessNanos, millis)
	e.basic("unavailable_time", "ms without a leader, while no client is served", &m.LeaderlessNanos, millis)
	e.basic("leader_unavailable_time", "ms without a leader until this member became it", &m.ElectedNanos, millis)
	e.basic("follower_sync_time", "ms from hearing of the first leader until this member had all that was committed", followed, millis)
	e.basic("observer_sync_time", "the same of an observer", observed, millis)
	e.basic("dbinittime", "ms of opening the tree", &m.OpenNanos, millis)
	reads, updates := m.kinds()
	e.visit(&admin.Metric{Name: "readlatency", Help: "ms from a read's receipt to its reply", Kind: admin.AdvancedSummary, Values: &reads, Scale: millis})
	e.visit(&admin.Metric{Name: "updatelatency", Help: "ms from a write's receipt to its reply", Kind: admin.AdvancedSummary, Values: &updates, Scale: millis})
	e.summary("holt_entry_commands", "commands in one Raft entry", &m.EntryCommands, 1)
	e.summary("holt_entry_bytes", "bytes of one Raft entry", &m.EntryBytes, 1)
	for op := range m.Latency {
		if m.Latency[op].Empty() {
			continue
		}
		snap := m.Latency[op].Snapshot()
		e.visit(&admin.Metric{Name: "holt_request_seconds", Help: "seconds from a request's receipt to its reply",
			Label: "op", LabelValue: opOfSlot(op).String(), Kind: admin.Histogram, Values: snap, Scale: seconds})
	}
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
	// These are what the original's processor before the disk measures.
	e.summary("sync_processor_queue_flush_time_ms", "ms of one write to the Raft log with its fsync", &m.LogWriteNanos, millis)
	e.summary("sync_processor_queue_and_flush_time_ms", "ms from handing entries to the log until they are durable here", &m.SaveNanos, millis)
	e.summary("quorum_ack_latency", "ms from handing entries to the log until they are known to be committed", &m.QuorumNanos, millis)
	e.basic("snapshottime", "ms of making the tree durable, which takes the place of a snapshot", &m.FlushNanos, millis)
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
