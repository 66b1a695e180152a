package server

import (
	"time"

	"holt/server/admin"
	"holt/wire"
	"holt/wire/metric"
)

// Metrics implements admin.Source: what this package and those below it measure,
// by the names that ZooKeeper has for the same thing, or as holt_….
func (s *Server) Metrics(visit func(*admin.Metric)) {
	m := s.metrics
	const ms = 1 / float64(time.Millisecond)
	counter := func(name, help string, v int64) {
		visit(&admin.Metric{Name: name, Help: help, Kind: admin.Counter, Value: float64(v)})
	}
	summary := func(name, help string, h *metric.Histogram, scale float64) {
		visit(&admin.Metric{Name: name, Help: help, Kind: admin.AdvancedSummary, Values: h.Snapshot(), Scale: scale})
	}
	counter("connection_request_count", "connect requests received", m.ConnectRequests.Load())
	counter("connection_rejected", "connections refused by a bound", m.ConnectionsRejected.Load())
	counter("stale_sessions_expired", "sessions this leader let expire", m.SessionsExpired.Load())
	summary("readlatency", "ms from a read's receipt to its reply", &m.ReadLatency, ms)
	summary("updatelatency", "ms from a write's receipt to its reply", &m.UpdateLatency, ms)
	summary("holt_entry_commands", "commands in one Raft entry", &m.EntryCommands, 1)
	summary("holt_entry_bytes", "bytes of one Raft entry", &m.EntryBytes, 1)
	for op := range m.Latency {
		snap := m.Latency[op].Snapshot()
		if snap.Count() == 0 {
			continue
		}
		visit(&admin.Metric{Name: "holt_request_seconds", Help: "seconds from a request's receipt to its reply",
			Label: "op", LabelValue: slotName(op), Kind: admin.Histogram, Values: snap, Scale: 1 / float64(time.Second)})
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
