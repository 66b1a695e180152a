package admin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holt/wire/metric"
)

// samples makes a distribution of a few values.
func samples(values ...int64) *metric.Snapshot {
	var h metric.Histogram
	for _, v := range values {
		h.Observe(v)
	}
	return h.Snapshot()
}

// leadingSource is the leader of an ensemble of three, with a metric of every
// kind.
func leadingSource() *fakeSource {
	s := originalSource()
	s.status.Mode, s.status.LeaderID, s.status.QuorumSize = Leader, 2, 3
	s.status.Lead = &LeadStatus{Since: time.Now(), Learners: 2, SyncedFollowers: 1, SyncedObservers: 1, ProposalLast: -1, ProposalMin: -1, ProposalMax: -1}
	millis := samples(800_000, 2_000_000, 4_500_000, 30_000_000)
	s.metrics = []Metric{
		{Name: "commit_count", Kind: Counter, Value: 12345678},
		{Name: "fsynctime", Kind: BasicSummary, Values: millis, Scale: 1e-6},
		{Name: "updatelatency", Kind: AdvancedSummary, Values: millis, Scale: 1e-6},
		{Name: "readlatency", Kind: AdvancedSummary},
		{Name: "ack_latency", Label: "key", LabelValue: "1", Kind: AdvancedSummary, Values: samples(3)},
		{Name: "ack_latency", Label: "key", LabelValue: "3", Kind: AdvancedSummary, Values: samples(5)},
		{Name: "holt_request_seconds", Help: "From receipt to reply.", Label: "op", LabelValue: "getData", Kind: Histogram, Values: millis, Scale: 1e-9},
		{Name: "holt_request_seconds", Label: "op", LabelValue: "a\"b\\c\nd", Kind: Histogram, Values: samples(), Scale: 1e-9},
	}
	return s
}

func TestMonitor(t *testing.T) {
	text := ask(t, leadingSource(), "mntr")
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if _, twice := values[key]; !ok || twice {
			t.Errorf("line %q", line)
		}
		values[key] = value
	}
	if !strings.HasPrefix(text, "zk_version\t"+originalVersion+"\nzk_server_state\tleader\nzk_peer_state\tleading - broadcast\n") || strings.HasSuffix(text, "\n\n") {
		t.Errorf("got %q", text)
	}
	for key, want := range map[string]string{
		"zk_avg_latency": "3.1", "zk_max_latency": "14", "zk_packets_received": "12", "zk_num_alive_connections": "4", "zk_znode_count": "7",
		"zk_watch_count": "4", "zk_ephemerals_count": "1", "zk_approximate_data_size": "52", "zk_global_sessions": "3", "zk_quorum_size": "3",
		"zk_synced_followers": "1", "zk_learners": "2", "zk_last_proposal_size": "-1", "zk_commit_count": "12345678",
		"zk_avg_fsynctime": "9.325", "zk_min_fsynctime": "0", "zk_max_fsynctime": "30", "zk_cnt_fsynctime": "4", "zk_sum_fsynctime": "37",
		"zk_p50_updatelatency": "4", "zk_p95_updatelatency": "30", "zk_p99_updatelatency": "30", "zk_p999_updatelatency": "30",
		"zk_avg_readlatency": "0.0", "zk_cnt_readlatency": "0", "zk_p50_readlatency": "0",
		"zk_avg_3_ack_latency": "5.0", "zk_p99_1_ack_latency": "3",
	} {
		if values[key] != want {
			t.Errorf("%s is %q, want %q", key, values[key], want)
		}
	}
	for key := range values {
		if strings.Contains(key, "holt") || strings.Contains(key, "p50_fsynctime") {
			t.Errorf("%s does not belong there", key)
		}
	}
}

// TestMonitorKeys shows that every key a standalone server prints is one that
// ZooKeeper prints too.
func TestMonitorKeys(t *testing.T) {
	known := strings.Fields(original(t, "mntr_keys"))
	for line := range strings.Lines(ask(t, originalSource(), "mntr")) {
		if key, _, ok := strings.Cut(line, "\t"); ok && !slices.Contains(known, key) {
			t.Errorf("%s is not one of ZooKeeper's", key)
		}
	}
	for mode, want := range map[Mode]string{
		Follower: "zk_peer_state\tfollowing - broadcast\n",
		Observer: "zk_peer_state\tobserving - broadcast\nzk_observer_master_id\t2\n",
	} {
		src := originalSource()
		src.status.Mode, src.status.QuorumSize, src.status.LeaderID = mode, 3, 2
		if got := ask(t, src, "mntr"); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in %q", mode, want, got)
		}
	}
}
