package admin

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holt/wire/metric"
)

// appendMonitor writes mntr: what the original calls gauges, counters and
// summaries, each as zk_<name>, a tab and the value. What Holt does not measure
// is left out; nothing is shown as zero that was not counted.
func (w *Words) appendMonitor(b []byte, st *Status) []byte {
	w.visitMonitor(st, func(key string, value any) {
		if f, ok := value.(float64); ok {
			value = javaDouble(f)
		}
		b = fmt.Appendf(b, "zk_%s\t%v\n", key, value)
	})
	return b
}

// monitor is mntr as JSON.
func (c *Commands) monitor(q *question) (answer, error) {
	var o object
	c.words.visitMonitor(&q.st, func(key string, value any) { o = o.with(key, value) })
	return answer{body: o}, nil
}

// visitMonitor calls visit with each key of mntr, without its zk_, and the value: a
// string, an int64 or a float64.
func (w *Words) visitMonitor(st *Status, visit func(key string, value any)) {
	visit("version", w.version)
	visit("server_state", string(st.Mode))
	if st.QuorumSize > 0 {
		visit("peer_state", st.peerState())
	}
	if st.Mode == Observer {
		visit("observer_master_id", int64(st.LeaderID))
	}
	show := func(m *Metric) { visitMonitorMetric(m, visit) }
	visitStatus(st, &w.process, show)
	w.src.Metrics(func(m *Metric) {
		if !strings.HasPrefix(m.Name, "holt_") {
			show(m)
		}
	})
}

// peerState is zk_peer_state of a member that serves.
// ZooKeeper: QuorumPeer.getDetailedPeerState
func (st *Status) peerState() string {
	switch st.Mode {
	case Leader:
		return "leading - broadcast"
	case Follower:
		return "following - broadcast"
	case Observer:
		return "observing - broadcast"
	}
	return "looking"
}

// visitStatus shows the gauges that Status and the process hold.
func visitStatus(st *Status, process *processFiles, visit func(*Metric)) {
	gauge := func(name string, v int64) { visit(&Metric{Name: name, Kind: Gauge, Value: float64(v)}) }
	visit(&Metric{Name: "avg_latency", Kind: AverageGauge, Value: st.latencyAvg()})
	gauge("max_latency", st.LatencyMax)
	gauge("min_latency", st.LatencyMin)
	gauge("packets_received", st.Received)
	gauge("packets_sent", st.Sent)
	gauge("num_alive_connections", int64(st.Connections))
	gauge("outstanding_requests", st.Outstanding)
	gauge("uptime", st.uptimeMillis())
	gauge("znode_count", st.Nodes)
	gauge("watch_count", int64(st.WatchesAll))
	gauge("ephemerals_count", st.Ephemerals)
	gauge("approximate_data_size", st.DataBytes)
	gauge("global_sessions", int64(st.Sessions))
	gauge("local_sessions", int64(st.LocalSessions))
	open, most := process.count()
	if open >= 0 {
		gauge("open_file_descriptor_count", open)
	}
	if most >= 0 {
		gauge("max_file_descriptor_count", most)
	}
	gauge("last_client_response_size", st.ResponseLast)
	gauge("max_client_response_size", st.ResponseMax)
	gauge("min_client_response_size", st.ResponseMin)
	gauge("auth_failed_count", st.AuthFailed)
	if st.QuorumSize > 0 {
		gauge("quorum_size", int64(st.QuorumSize))
	}
	if l := st.Lead; l != nil {
		visitLead(l, gauge)
	}
}

func visitLead(l *LeadStatus, gauge func(string, int64)) {
	gauge("learners", int64(l.Learners))
	gauge("synced_followers", int64(l.SyncedFollowers))
	gauge("synced_non_voting_followers", 0) // a state of ZooKeeper's protocol alone
	gauge("synced_observers", int64(l.SyncedObservers))
	gauge("pending_syncs", int64(l.PendingSyncs))
	gauge("leader_uptime", time.Since(l.Since).Milliseconds())
	gauge("last_proposal_size", l.ProposalLast)
	gauge("max_proposal_size", l.ProposalMax)
	gauge("min_proposal_size", l.ProposalMin)
}

func visitMonitorMetric(m *Metric, visit func(string, any)) {
	// A member of a set has its key in front: zk_2_ack_latency.
	name := m.Name
	if m.LabelValue != "" {
		name = m.LabelValue + "_" + name
	}
	switch m.Kind {
	case Counter, Gauge:
		visit(name, int64(m.Value))
	case AverageGauge:
		visit(name, m.Value)
	case BasicSummary, AdvancedSummary:
		visitMonitorSummary(name, m, visit)
	case Histogram: // has no form in mntr
	}
}

// visitMonitorSummary shows whole numbers but for the average, as the original,
// although Holt measures finer: tools expect integers there.
func visitMonitorSummary(name string, m *Metric, visit func(string, any)) {
	s := m.summary()
	visit("avg_"+name, round4(s.avg))
	visit("min_"+name, int64(s.min))
	visit("max_"+name, int64(s.max))
	visit("cnt_"+name, int64(s.count))
	visit("sum_"+name, int64(s.sum))
	if m.Kind == BasicSummary {
		return
	}
	for _, q := range []float64{0.5, 0.95, 0.99, 0.999} {
		// p50, p95, p99, p999
		digits := strings.TrimPrefix(strconv.FormatFloat(q, 'f', -1, 64), "0.")
		if len(digits) == 1 {
			digits += "0"
		}
		visit("p"+digits+"_"+name, int64(s.quantile(q)))
	}
}

// summary is a distribution in the unit that is shown.
type summary struct {
	avg, min, max, count, sum float64
	values                    *metric.Snapshot
	scale                     float64
}

func (m *Metric) summary() summary {
	s := summary{values: m.Values, scale: m.Scale}
	if s.scale == 0 {
		s.scale = 1
	}
	if m.Values == nil || m.Values.Count() == 0 {
		return s
	}
	s.count = float64(m.Values.Count())
	s.sum = float64(m.Values.Sum()) * s.scale
	s.avg = s.sum / s.count
	s.min = float64(m.Values.Min()) * s.scale
	s.max = float64(m.Values.Max()) * s.scale
	return s
}

// quantile is 0 without samples, as in mntr; Prometheus wants NaN there.
func (s *summary) quantile(q float64) float64 {
	if s.count == 0 {
		return 0
	}
	return float64(s.values.Quantile(q)) * s.scale
}
